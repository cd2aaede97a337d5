"""In: ways to take a step of Adam. Out: who is faster, by how much."""

from adamlib.bench.cases import CASES
from adamlib.bench.peers import contenders
from adamlib.bench.timing import limit, race

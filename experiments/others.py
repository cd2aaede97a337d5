"""Time steps of many small tensors, of Lion and of Muon beside their peers.

`python -m experiments others` takes two minutes. lion-pytorch takes part where it is installed.
"""

from adamlib.bench.others import others
from adamlib.bench.timing import limit

ROUNDS, THREADS = 15, (1, 2)


def measured(digits):
    """Return the record: the rows of `others`, and ns per weight of Adam's traffic."""
    limits = {str(threads): limit(threads=threads) for threads in THREADS}
    rows = [row for threads in THREADS for row in others(threads, ROUNDS)]
    return {"limit_ns": limits, "rows": rows}

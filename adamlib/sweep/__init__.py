"""In: a task, a space of settings. Out: a record of each trial, kills or not."""

from adamlib.sweep.space import drawn
from adamlib.sweep.trials import read, run

__all__ = ["drawn", "read", "run"]

"""python dying.py FOLDER JOBS: a sweep whose process dies, as by kill -9, where DIES says.

DIES, of the environment: "task", in the task of trial 4; "write", while its record is written.
Each start and end of a trial is a line of FOLDER.log.
"""

import os
import sys
from functools import partial

from adamlib import files, sweep

SPACE, TRIALS = {"x": ("linear", 0, 1)}, 12


def task(settings, log):
    """Return x + 1, having noted start and end in a file that only grows."""
    x, dies = settings["x"], os.environ.get("DIES")
    fourth = x == sweep.drawn(SPACE, 0, 4)["x"]
    with open(log, "a") as file:
        file.write(f"start {x}\n")
    if fourth and dies == "task":
        os._exit(9)
    if fourth and dies == "write":
        files.sync = lambda number: os._exit(9)
    with open(log, "a") as file:
        file.write(f"end {x}\n")
    return x + 1


if __name__ == "__main__":
    folder, jobs = sys.argv[1], int(sys.argv[2]) or None
    sweep.run(partial(task, log=f"{folder}.log"), SPACE, TRIALS, folder, jobs=jobs, progress=False)

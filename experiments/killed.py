"""Trains as `python -m adamlib.train` does, but for one process that is killed in its first life.

    KILL="1 save 8" torchrun --nproc-per-node 2 --max-restarts 1 experiments/killed.py ...

kills process 1 while step 8 is saved; "0 step 8" kills process 0 right after step 8. What happens
in the next life comes after a comma: "1 save 8, 0 step 8" with two restarts.
"""

import os
import signal

from adamlib import train
from adamlib.runs import dist, loop, run

kills = [kill.split() for kill in os.environ["KILL"].split(",")]
life = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def here(place, count):
    return [str(dist.rank()), place, str(count)] in kills[life : life + 1]


def learn(net, optimizer, x, y, computing, count, learn=loop.learn):
    """Take a step; die after the one that was asked for."""
    learn(net, optimizer, x, y, computing, count)
    if here("step", count):
        die()


def save(self, save=run.Run.save):
    """Save; die while the step that was asked for is being saved.

    The first process leaves half a file, any other has given its part.
    """
    if here("save", self.step):
        os.fsync = lambda file: (os.ftruncate(file, os.fstat(file).st_size // 2), die())
        if dist.rank() > 0:
            self.state_dict()
            die()
    save(self)


loop.learn, run.Run.save = learn, save
if __name__ == "__main__":
    train.main()

"""Steps against each other and against the memory, in turn.

Whatever else the machine does then hits all of them alike.
"""

import time

import torch

from adamlib import data
from adamlib.engine.runner import Runner

LIMIT_SIZE = 2**25  # parameters, 512 MB: no cache holds that


def race(steps, rounds=7, seconds=0.02):
    """Return a dict name -> seconds per call, one number a round; `steps`: name -> function.

    All take turns, A B A B. A turn is as many calls as take `seconds`, after one more that fills
    the caches and is not timed, or a single call that takes longer. Raises ValueError for no
    steps, rounds < 1 and seconds < 0.
    """
    at_least_one("rounds", rounds)
    if not steps or not seconds >= 0:
        found = f"got steps={list(steps)}, seconds={seconds!r}"
        raise ValueError(f"a race needs steps and seconds >= 0, {found}")
    calls, times = {}, {name: [] for name in steps}
    for name, step in steps.items():
        step()  # what has to be compiled is compiled now
        calls[name] = max(1, round(seconds / timed(step))) if seconds else 1
    for _ in range(rounds):
        for name, step in steps.items():
            if calls[name] > 1:
                step()
            times[name].append(timed(step, calls[name]))
    return times


def timed(step, calls=1):
    """Return the seconds per call of `step`."""
    wait()
    start = time.perf_counter()
    for _ in range(calls):
        step()
    wait()
    return (time.perf_counter() - start) / calls


def wait():
    """Wait for the GPU, if one is in use."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def use(threads):
    """Let PyTorch, and with it the numba engine, run on this many threads; None changes nothing."""
    if threads is not None:
        at_least_one("threads", threads)
        torch.set_num_threads(threads)


def at_least_one(name, value):
    """Raise ValueError unless `value` is a whole number >= 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a whole number >= 1, got {value!r}")


def limit(n=LIMIT_SIZE, threads=None, device="cpu"):
    """Return the ns per parameter that the memory needs: 28 bytes, four reads and three writes.

    The best of many passes over n parameters. Raises ValueError for n or threads below 1.
    """
    at_least_one("n", n)
    use(threads)
    return 1e9 * min(race({"limit": copying(n, device)}, rounds=20)["limit"]) / n


def traffic(w, g, t, m=0, v=0, *, c=0.0):
    """Return (w, m, v): reads and writes what Adam does, and with c = 0 changes nothing."""
    w = w + c * g
    m = m + c * g
    v = v + c * g
    return w, m, v


def copying(n, device="cpu"):
    """Return a function that reads four arrays of n and writes three of them in place."""
    device = data.pick_device(device)
    columns = [[torch.ones(n, device=device)] for _ in range(4)]
    engine = "compile" if device.type == "cuda" else "numba"
    runner = Runner(traffic, engine, False)

    def copy():
        runner.look(columns)
        runner.step(1, {"c": 0.0}, 1, 0)

    return copy

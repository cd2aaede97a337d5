"""The measurements: each function returns rows of the record."""

import logging
import os
import subprocess
import sys
import tempfile
from functools import partial
from math import prod
from statistics import median

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from adamlib import data, rules
from adamlib.bench.cases import CASES
from adamlib.bench.peers import contenders, optimizers
from adamlib.bench.timing import LIMIT_SIZE, copying, limit, race, timed, use
from adamlib.engine import kernels
from adamlib.model import ConvNet

#: Who has nothing to say about growth, or would be compiled anew for every size.
NOT_GROWING = ("adamlib (plain)", "torch fused (again)", "torch compiled", "optax (jit)")
NOT_GROWING += ("pytorch_optimizer",)


def bandwidth(threads, device):
    """Return the row of "limit": what the memory can do."""
    ns = limit(threads=threads, device=device)
    return [{"threads": threads, "ns": ns, "gigabytes_per_second": 28 / ns}]


def step(case, threads, device, rounds, compiled=True):
    """Return the rows of "step": every contender over the tensors of a case."""
    shapes = CASES[case]
    n, steps = sum(map(prod, shapes)), contenders(shapes, threads, device)
    if "torch compiled" in steps and not (compiled and works(steps["torch compiled"])):
        del steps["torch compiled"]
    copied = min(n, LIMIT_SIZE)
    times = race({**steps, "limit": copying(copied, device)}, rounds)
    least = min(times.pop("limit")) / copied
    same = {"case": case, "threads": threads, "parameters": n, "tensors": len(shapes)}
    return [
        {
            **same,
            "contender": name,
            "ns": 1e9 * median(seconds) / n,
            "seconds": seconds,
            "ratio": median(seconds) / median(times["torch fused"]),
            "limit_ns": 1e9 * least,
        }
        for name, seconds in times.items()
    ]


def works(compiled):
    """Return whether a step can be compiled here, by compiling it."""
    logging.getLogger("torch._dynamo").setLevel(logging.ERROR)  # the profiler's hook is no news
    try:
        compiled()
    except RuntimeError:
        return False
    return True


def growth(shapes, threads, device, rounds):
    """Return rows of "growth" for one list of shapes."""
    steps = contenders(shapes, threads, device)
    times = race({name: steps[name] for name in steps if name not in NOT_GROWING}, rounds)
    same = {"n": sum(map(prod, shapes)), "tensors": len(shapes), "threads": threads}
    return [{**same, "contender": name, "seconds": median(taken)} for name, taken in times.items()]


def loop(threads, device, rounds):
    """Return the rows of "loop": the step while the ConvNet trains, and whole epochs."""
    use(threads)
    digits, epochs, steps = data.load("digits", device=device), {}, {}
    for name, make in optimizers(digits.x_train.device).items():
        torch.manual_seed(0)
        model, steps[name] = ConvNet().to(device), []
        epochs[name] = epoch(model, make(model.parameters()), digits, steps[name])
    times = race(epochs, rounds, seconds=0)
    return [
        {
            "contender": name,
            "threads": threads,
            "step_ms": 1e3 * median(steps[name]),
            "epoch_s": median(times[name]),
        }
        for name in epochs
    ]


def epoch(model, optimizer, digits, seconds):
    """Return a function that trains for an epoch and appends the time of each step to `seconds`."""

    def run():
        order = torch.Generator().manual_seed(0)
        for x, y in data.batches(digits.x_train, digits.y_train, 128, order):
            optimizer.zero_grad()
            cross_entropy(model(x), y).backward()
            seconds.append(timed(optimizer.step))

    return run


def on_numpy(n, rounds):
    """Return the rows of "numpy": the rule over arrays of n float32, on one thread."""
    w, g, m, v = (np.full(n, 0.01, dtype=np.float32) for _ in range(4))
    steps = {"plain": lambda: rules.adam(w, g, 10, m, v)}
    step = partial(kernels.update, rules.adam, w, g, 10, m, v)
    steps |= {how: partial(step, engine=how) for how in ("blocks", "numba")}
    times = race(steps, rounds)
    return [{"how": how, "parameters": n, "ns": 1e9 * median(times[how]) / n} for how in steps]


START = """
import time, torch, torch._dynamo  # which every optimizer of PyTorch imports
from adamlib.model import ConvNet
weights = list(ConvNet().to({device!r}).parameters())
for w in weights:
    w.grad = torch.ones_like(w)
start = time.perf_counter()
from {module} import Adam
Adam(weights, fused=True).step()
if w.is_cuda:
    torch.cuda.synchronize()
print(time.perf_counter() - start)
"""
STARTS = dict.fromkeys(("first_step_cold_s", "first_step_warm_s"), "adamlib.optim")
STARTS["torch_first_step_s"] = "torch.optim"


def start(device, rounds):
    """Return "start": the seconds until a fresh process has taken its first step, import included.

    The ConvNet's; cold with nothing compiled before on this machine, warm with it.
    """
    found = {key: [] for key in STARTS}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            for key, module in STARTS.items():
                command = [sys.executable, "-c", START.format(device=device, module=module)]
                environment = {**os.environ, "XDG_CACHE_HOME": cache}
                run = subprocess.run(command, env=environment, capture_output=True, check=True)
                found[key].append(float(run.stdout))
    return [{key: median(values) for key, values in found.items()}]

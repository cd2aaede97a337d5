"""How long a step of Adam takes, against every other one and against the machine's memory.

`python -m adamlib.bench --help`. All contenders of a table take turns in one process: what the
machine does beside them hits all alike.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
from sklearn.linear_model import LinearRegression
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from adamlib import data, files, kernels, report, rules
from adamlib.cases import CASES, contenders, copying, optimizers, use
from adamlib.model import ConvNet

LIMIT_SIZE = 2**25  # parameters: 512 MB, which no cache holds
GROWING = ("adamlib (", "torch for-loop", "torch foreach", "torch fused")


def race(steps, rounds=7, seconds=0.02):
    """Return a dict name -> seconds per call, one number a round; `steps`: name -> function.

    All take turns, A B A B; a turn is one call that is not timed and then as many as take
    `seconds`, at least one. Raises ValueError for no steps, rounds < 1 and seconds < 0.
    """
    if not steps or rounds < 1 or not seconds >= 0:
        raise ValueError(
            f"steps must not be empty, rounds >= 1 and seconds >= 0, "
            f"got {list(steps)}, {rounds!r}, {seconds!r}"
        )
    calls, times = {}, {name: [] for name in steps}
    for name, step in steps.items():
        step()  # compiles what is compiled
        calls[name] = max(1, round(seconds / timed(step, 2)))
    for _ in range(rounds):
        for name, step in steps.items():
            step()
            times[name].append(timed(step, calls[name]))
    return times


def timed(step, calls):
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


def limit(n=LIMIT_SIZE, threads=None, device="cpu"):
    """Return the ns per parameter that the memory needs: 28 bytes, four reads and three writes.

    The best of many passes over n parameters. Raises ValueError for n or threads below 1.
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"n must be a whole number >= 1, got {n!r}")
    use(threads)
    return 1e9 * min(race({"copy": copying(n, device)}, rounds=20)["copy"]) / n


def step_rows(case, threads, device, rounds, leave_out=()):
    """Return the rows of "step" in the record: every contender over the tensors of a case."""
    steps = contenders(CASES[case], threads, device)
    n = sum(w.numel() for w in steps["torch fused"].__self__.param_groups[0]["params"])
    steps = {name: steps[name] for name in steps if name not in leave_out}
    steps["limit"] = copying(min(n, LIMIT_SIZE), device)
    times = race(steps, rounds)
    least = min(times.pop("limit")) / min(n, LIMIT_SIZE)
    rows = [
        {
            "case": case,
            "threads": threads,
            "parameters": n,
            "tensors": len(CASES[case]),
            "contender": name,
            "ns": 1e9 * median(values) / n,
            "seconds": values,
            "ratio": median(values) / median(times["torch fused"]),
            "limit_ns": 1e9 * least,
        }
        for name, values in times.items()
    ]
    return rows


def growth_rows(shapes, threads, device, rounds):
    """Return rows of "growth": contenders that compile nothing for a shape, over `shapes`."""
    steps = contenders(shapes, threads, device)
    steps = {name: steps[name] for name in steps if name.startswith(GROWING)}
    for name in ("adamlib (plain)", "torch fused (again)"):
        steps.pop(name, None)
    size = {"n": sum(map(np.prod, shapes)).item(), "tensors": len(shapes), "threads": threads}
    times = race(steps, rounds)
    return [{**size, "contender": k, "seconds": median(times[k])} for k in times]


def fit(rows):
    """Return contender -> fixed_us, per_tensor_us, per_parameter_ns: all >= 0, least squares.

    The errors that are squared are relative ones: a microsecond counts where it is a tenth.
    """
    found = {}
    for name in dict.fromkeys(row["contender"] for row in rows):
        own = [row for row in rows if row["contender"] == name]
        costs = np.array([[1e-6, 1e-6 * r["tensors"], 1e-9 * r["n"]] for r in own])
        seconds = np.array([[r["seconds"]] for r in own])
        line = LinearRegression(positive=True, fit_intercept=False)
        line.fit(costs / seconds, np.ones(len(own)))
        keys = ("fixed_us", "per_tensor_us", "per_parameter_ns")
        found[name] = dict(zip(keys, map(float, line.coef_), strict=True))
    return found


def loop_rows(threads, device, rounds):
    """Return the rows of "loop": the step within the ConvNet's training, and whole epochs."""
    use(threads)
    digits, epochs, steps = data.load("digits", device=device), {}, {}
    for name, make in optimizers(data.pick_device(device), 0).items():
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
    """Return a function that trains for an epoch and appends what each step took to `seconds`."""

    def run():
        order = torch.Generator().manual_seed(0)
        for x, y in data.batches(digits.x_train, digits.y_train, 128, order):
            optimizer.zero_grad()
            cross_entropy(model(x), y).backward()
            seconds.append(timed(optimizer.step, 1))

    return run


def numpy_rows(n, rounds):
    """Return the rows of "numpy": the rule on NumPy arrays, one thread."""
    w, g, m, v = (np.full(n, 0.01, dtype=np.float32) for _ in range(4))
    steps = {"plain": lambda: rules.adam(w, g, 10, m, v)}
    for how in ("blocks", "numba"):
        steps[how] = lambda how=how: kernels.update(rules.adam, w, g, 10, m, v, engine=how)
    times = race(steps, rounds)
    return [{"how": how, "parameters": n, "ns": 1e9 * median(times[how]) / n} for how in steps]


START = """
import time, torch, torch._dynamo  # every optimizer of PyTorch imports that
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


def start_row(device):
    """Return "start": seconds until the ConvNet's first step is done, import included."""
    with tempfile.TemporaryDirectory() as cache:
        runs = (
            ("first_step_cold_s", "adamlib.optim"),
            ("first_step_warm_s", "adamlib.optim"),
            ("torch_first_step_s", "torch.optim"),
        )
        found = {}
        for key, module in runs:
            text = START.format(device=device, module=module)
            environment = {**os.environ, "XDG_CACHE_HOME": cache}
            command = [sys.executable, "-c", text]
            run = subprocess.run(command, env=environment, capture_output=True, check=True)
            found[key] = float(run.stdout)
    return found


def parse(arguments):
    """Return (parser, options) of the command line; wrong ones end the program with a message."""
    form = argparse.ArgumentDefaultsHelpFormatter
    parser = argparse.ArgumentParser("python -m adamlib.bench", formatter_class=form)
    parser.description = main.__doc__
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parser.add_argument("--quick", action="store_true", help="less of everything, in a minute")
    parser.add_argument("--case", nargs="+", choices=CASES, help="these cases and nothing else")
    threads = sorted({1, min(2, cores)})
    parser.add_argument("--threads", nargs="+", type=int, default=threads, help="of the CPU")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where")
    parser.add_argument("--output", type=Path, help="a .json file, or a folder for one")
    options = parser.parse_args(arguments)
    for count in options.threads:
        if not 1 <= count <= cores:
            parser.error(f"threads must be from 1 to {cores}, this machine's cores, got {count}")
    if options.output and not (options.output.is_dir() or options.output.parent.is_dir()):
        parser.error(f"output must lie in a folder that exists, got {options.output}")
    if options.device == "auto":
        options.device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        data.pick_device(options.device)
    except ValueError as error:
        parser.error(str(error))
    if not kernels.installed("numba"):
        parser.error("the bench needs numba: pip install 'adamlib[fast]'")
    return parser, options


def jobs(options):
    """Yield (label, part of the record, function that returns its rows)."""
    quick, device, counts = options.quick, options.device, options.threads
    cases = options.case or (["ConvNet", "2,000 × 1k"] if quick else list(CASES))
    rounds = 3 if quick else 7
    for case in cases:
        for k in counts:
            leave_out = ["torch compiled"] if quick else []
            yield f"{case}, {k}", "step", lambda a=case, k=k: step_rows(a, k, device, rounds, leave_out)
    if options.case:
        return
    

def main(arguments=None):
    """Measure a step of Adam: every contender on every case; print tables, write JSON."""


if __name__ == "__main__":
    main()

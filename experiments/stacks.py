"""Time a step of a stack of networks 64-64-10; `python -m experiments stacks`.

Contenders take turns. A ratio compares `train_stack` with a contender round by round, `share` says
how much of the machine's speed at a large matrix product it reaches with its own products. Where
JAX and optax are not installed, their rows are absent.
"""

import subprocess
import sys
from statistics import median

import torch
from tqdm import tqdm

from adamlib.bench import report
from experiments import stacks_peers
from experiments.stacks_peers import BATCH

NETWORKS, ROUNDS = 256, 15
GROWTH, GROWTH_ROUNDS = [4**k for k in range(7)], 2
WEIGHTS = 64 * 64 + 64 + 64 * 10 + 10
PRODUCTS = 2 * BATCH * (2 * 64 * 64 + 3 * 64 * 10)  # operations: forward and back, per network
BASE = 2  # networks: what the others take beyond a process with these is their memory
PROCESS = """
import torch
from adamlib import data, rules
from adamlib.model import MLPStack
from adamlib.stack import train_stack
digits, lr = data.load(device="cpu"), torch.full(({K}, 1, 1), 1e-3)
torch.set_num_threads({threads})
train_stack(rules.adam, MLPStack([0] * {K}), digits, 2, lr=lr)
print(*(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def measured(digits):
    """Return the record: rows of contenders, growth and memory over the number of networks."""
    threads = min(2, report.cores())
    torch.set_num_threads(threads)
    images = digits._replace(
        x_train=digits.x_train[: 10 * BATCH], y_train=digits.y_train[: 10 * BATCH]
    )
    times = race(images)
    own, peak = times["train_stack"], times.pop("product")
    rows = [
        {
            "contender": name,
            "us": 1e6 * median(taken),
            "ratio": median(a / b for a, b in zip(own, taken, strict=True)),
            "share": median(PRODUCTS * p / s for p, s in zip(peak, taken, strict=True)),
        }
        for name, taken in times.items()
    ]
    return {
        "networks": NETWORKS,
        "rounds": ROUNDS,
        "gigaflops": 1e-9 / median(peak),
        "rows": rows,
        "growth": growth(images),
        "memory": memory(threads),
        "load_after": report.load(),
    }


def race(images):
    """Return name -> seconds per network and step in each round; "product" per operation."""
    steps = stacks_peers.contenders(NETWORKS, images) | {"product": stacks_peers.product()}
    for step in steps.values():
        step()  # what has to be compiled is compiled now
    times = {name: [] for name in steps}
    for _ in tqdm(range(ROUNDS), desc="contenders", unit="round"):
        for name, step in steps.items():
            times[name].append(step())
    return times


def growth(images):
    """Return rows (K, microseconds per network and step) of `train_stack`."""
    rows = []
    for K in tqdm(GROWTH, desc="networks", unit="size"):
        step = stacks_peers.stack(K, images)
        rows.append({"K": K, "us": 1e6 * median(step() for _ in range(GROWTH_ROUNDS))})
    return rows


def memory(threads):
    """Return rows (K, memory per network over that of its weights), of fresh processes on Linux."""
    peak = {}
    if sys.platform != "linux":
        return []
    for K in (BASE, BASE, 256, 1024, 4096):  # the first may have to compile
        command = [sys.executable, "-c", PROCESS.format(K=K, threads=threads)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peak[K] = 1024 * int(done.stdout)
    base = peak.pop(BASE)
    return [{"K": K, "ratio": (top - base) / (4 * WEIGHTS * (K - BASE))} for K, top in peak.items()]

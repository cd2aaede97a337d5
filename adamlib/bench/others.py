"""Many small tensors, and other rules beside who else has them: Lion and Muon."""

from contextlib import suppress
from functools import partial
from math import prod
from statistics import median

import torch

from adamlib import optim
from adamlib.bench.cases import CASES, transformer
from adamlib.bench.timing import race, use

SMALL = {"2,000 × 1k": CASES["2,000 × 1k"]}
LION = {"ResNet-50": CASES["ResNet-50"]}
MUON = {
    "ConvNet": [shape for shape in CASES["ConvNet"] if len(shape) > 1],
    "transformer": transformer(),
}


def adams(shapes):
    """Return a dict name -> function of no argument that takes a step of Adam, or a peer's."""
    weights = parameters(shapes)
    found = {"adamlib Adam": optim.Adam(weights, engine="numba")}
    for name in ("torch Adam fused", "torch Adam fused (again)"):
        found[name] = torch.optim.Adam(weights, fused=True)
    return {name: optimizer.step for name, optimizer in found.items()}


def lions(shapes):
    """Return a dict name -> function of no argument that takes a step of Lion, or a peer's."""
    weights = parameters(shapes)
    found = {
        "adamlib Lion": optim.Lion(weights, engine="numba"),
        "torch Adam fused": torch.optim.Adam(weights, fused=True),
        "torch Adam fused (again)": torch.optim.Adam(weights, fused=True),
    }
    with suppress(ImportError):  # it may not be installed
        from lion_pytorch import Lion as Theirs

        found["lion-pytorch"] = Theirs(weights)
    return {name: optimizer.step for name, optimizer in found.items()}


def muons(shapes):
    """Return a dict name -> function of no argument that takes a step of Muon.

    PyTorch's refuses kernels of convolutions and gets them as the matrices that they are to ours.
    """
    weights = parameters(shapes)
    flat = [torch.nn.Parameter(w.detach().flatten(1)) for w in weights]
    for w, matrix in zip(weights, flat, strict=True):
        matrix.grad = w.grad.flatten(1)
    theirs = partial(torch.optim.Muon, flat)
    found = {"adamlib Muon": optim.Muon(weights), "torch Muon": theirs()}
    found["torch Muon (again)"] = theirs()
    return {name: optimizer.step for name, optimizer in found.items()}


def parameters(shapes):
    """Return weights of these shapes with gradients."""
    weights = [torch.nn.Parameter(0.02 * torch.randn(shape)) for shape in shapes]
    for w in weights:
        w.grad = torch.randn_like(w)
    return weights


def others(threads, rounds):
    """Return the rows of "others"; a ratio is to the first contender of PyTorch's."""
    use(threads)
    rows = []
    for make, cases in ((adams, SMALL), (lions, LION), (muons, MUON)):
        for case, shapes in cases.items():
            times = {name: median(taken) for name, taken in race(make(shapes), rounds).items()}
            base = next(taken for name, taken in times.items() if name.startswith("torch"))
            same = {"case": case, "threads": threads, "parameters": sum(map(prod, shapes))}
            for name, taken in times.items():
                row = {"contender": name, "ms": 1e3 * taken, "ratio": taken / base}
                rows.append({**same, **row})
    return rows

"""Let the optimizers of their authors' packages walk, and record where they go.

    pip install lion-pytorch==0.2.5 schedulefree==1.4.1 pytorch-optimizer==4.1.0
    python -m experiments.authors    # a few seconds: adamlib/results/authors.json

Into an environment of its own, with adamlib. Each takes 1,000 steps in float64 along given
gradients; the record has the weights after some of them. Rules that torch.optim has not are
tested against it, in an environment without the packages.

SOAP of pytorch-optimizer spends its first step on its axes, improves them in float32, and adds eps
before the correction: its walk starts after that step, along axes that stay, without an eps.
"""

import copy
import importlib
from importlib.metadata import version

import numpy as np
import torch

from adamlib.bench import report
from adamlib.files import RESULTS, as_json, write

RECORD = RESULTS / "authors.json"
SIZE, AT = 4, (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)
DECAY = {"weight_decay": 0.1}
SLOW = {"betas": (0.9, 0.999, 0.9999), "alpha": 5.0, "weight_decay": 0.0}
STILL = {"eps": 0.0, "weight_decay": 0.0, "precondition_frequency": 10**9}
RECIPES = [  # package, module, class, rule, its settings
    ("lion-pytorch", "lion_pytorch", "Lion", "lion", {}),
    ("lion-pytorch", "lion_pytorch", "Lion", "lion", DECAY),
    ("schedulefree", "schedulefree", "AdamWScheduleFree", "schedule_free", {"foreach": False}),
    (
        "schedulefree",
        "schedulefree",
        "AdamWScheduleFree",
        "schedule_free",
        {**DECAY, "foreach": False},
    ),
    ("pytorch-optimizer", "pytorch_optimizer", "AdEMAMix", "ademamix", SLOW),
    ("pytorch-optimizer", "pytorch_optimizer", "SOAP", "soap", STILL),
]


def gradients(rule):
    """Return the gradients (steps, 4, 4), 1e-4 to 1e4 large; of one size for SOAP, which mixes."""
    rng = np.random.default_rng(0)
    scale = 1 if rule == "soap" else np.logspace(-4, 4, SIZE**2).reshape(SIZE, SIZE)
    drift = np.exp(np.sin(np.arange(AT[-1]) / 50))[:, None, None]
    return rng.standard_normal((AT[-1], SIZE, SIZE)) * scale * drift


def first_of_soap():
    """Return the gradient (4, 4) that the axes are of; no step has it, as it has zeros there."""
    return gradients("soap")[:5].sum(axis=0)


def walk(cls, rule, settings):
    """Return {"path": the weights after the steps `AT`, and SOAP's axes or Schedule-Free's x}."""
    w = torch.nn.Parameter(torch.ones(SIZE, SIZE, dtype=torch.float64))
    optimizer, path, more = cls([w], **settings), [], {}
    if rule == "schedule_free":
        optimizer.train()
    if rule == "soap":
        w.grad = torch.tensor(first_of_soap())
        optimizer.step()
        more["axes"] = [q.tolist() for q in optimizer.state[w]["Q"]]
    for g in gradients(rule):
        w.grad = torch.tensor(g)
        optimizer.step()
        path.append(w.detach().tolist())
    if rule == "schedule_free":
        optimizer.eval()
        more["eval"] = w.tolist()
    return {"path": [path[t - 1] for t in AT], **more}


def main():
    about = report.about("cpu", 1, "python -m experiments.authors")
    record = {"about": about, "at": AT, "walks": []}
    for package, module, name, rule, settings in RECIPES:
        about[package] = version(package)
        cls = getattr(importlib.import_module(module), name)
        row = {"package": package, "optimizer": name, "rule": rule, "settings": settings}
        record["walks"].append({**row, **walk(cls, rule, copy.deepcopy(settings))})
    write(RECORD, as_json(record))


if __name__ == "__main__":
    main()

"""The ConvNet under every rule: tuned with three seeds, then trained with ten others.

Writes learning_rates.json, all of the tuning, before convnet.json.
"""

import math

import torch
from tqdm import tqdm

from adamlib import optim
from adamlib.model import ConvNet
from adamlib.runs.run import KEYS
from adamlib.train import train
from experiments.record import store

TUNING_SEEDS, SEEDS = (100, 101, 102), tuple(range(10))
# seven half decades for each rule, wide enough that the best lies inside
GRIDS = {
    "GradientDescent": [10 ** (k / 2) for k in range(-6, 1)],
    "Momentum": [10 ** (k / 2) for k in range(-7, 0)],
    "Nesterov": [10 ** (k / 2) for k in range(-7, 0)],
    "AdaGrad": [10 ** (k / 2) for k in range(-8, -1)],
    "RMSProp": [10 ** (k / 2) for k in range(-9, -2)],
    "Adam": [10 ** (k / 2) for k in range(-9, -2)],
}


def history(name, lr, seed, digits):
    """Return the history of the ConvNet after 20 epochs of the rule, five digits a number."""
    torch.manual_seed(seed)
    model = ConvNet().to(digits.x_train.device)
    optimizer = getattr(optim, name)(model.parameters(), lr=lr)
    try:
        run = train(model, digits, optimizer, seed=seed, progress=False)
    except FloatingPointError:  # it diverged
        run = {key: [math.nan] * 20 for key in KEYS}
    rounded = {
        key: [float(f"{x:.5g}") for x in values]
        for key, values in run.items()
        if key not in ("device", "seconds")
    }
    return {"seed": seed, **rounded}


def raw_pixels(digits):
    """Return the digits with pixels from 0 to 1 instead of standardized ones."""
    low, high = digits.x_train.min(), digits.x_train.max()
    scaled = [(images - low) / (high - low) for images in (digits.x_train, digits.x_test)]
    return digits._replace(x_train=scaled[0], x_test=scaled[1])


def final_loss(runs):
    """Return the mean training loss after the last epoch; inf when a run diverged."""
    loss = sum(run["train_loss"][-1] for run in runs) / len(runs)
    return loss if math.isfinite(loss) else math.inf


def measured(digits):
    """Tune every rule with three seeds, store that, and return the record of ten other seeds."""
    jobs = [(name, lr, seed) for name in GRIDS for lr in GRIDS[name] for seed in TUNING_SEEDS]
    tuning = {name: {} for name in GRIDS}
    for name, lr, seed in tqdm(jobs, desc="learning rates", unit="run"):
        tuning[name].setdefault(f"{lr:.2g}", []).append(history(name, lr, seed, digits))
    store("learning_rates", {"epochs": 20, "rules": tuning}, digits.x_train.device)

    jobs = [("textbook", "GradientDescent", 1e-3, digits)]
    jobs += [("textbook, raw pixels", "GradientDescent", 1e-3, raw_pixels(digits))]
    for name, grid in GRIDS.items():
        best = min(grid, key=lambda lr: final_loss(tuning[name][f"{lr:.2g}"]))
        jobs += [(name, name, best, digits)]
    chosen = {}
    for key, name, lr, images in tqdm(jobs, desc="ten seeds", unit="rule"):
        runs = [history(name, lr, seed, images) for seed in SEEDS]
        chosen[key] = {"lr": lr, "rule": name, "runs": runs}
    return {"epochs": 20, "rules": chosen}

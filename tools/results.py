"""Regenerate results/: the ConvNet under every rule, at seven learning rates and with ten seeds.

`make results` runs it all, in about an hour and a half on one CPU core; `python tools/results.py
epoch` runs one experiment. Chapters draw these files.
"""

import argparse
import json
import math
from pathlib import Path

import batch_scaling
import depth
import epoch
import full_batch
import precision
import scheduled
import torch
import workers
from tqdm import tqdm

from adamlib import data, optim, report, rules
from adamlib.files import as_json, write
from adamlib.model import ConvNet
from adamlib.run import KEYS
from adamlib.train import train

RESULTS = Path(__file__).parents[1] / "results"
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


def uncorrected(w, g, t, m=0, v=0, *, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    return rules.adam(w, g, math.inf, m, v, lr=lr, betas=betas, eps=eps)


class Uncorrected(optim.Adam):
    rule = staticmethod(uncorrected)


def bias_correction(digits):
    """Return the ConvNet's training loss after 5 epochs over learning rate and beta2, one seed."""
    variants = {"with correction": optim.Adam, "without correction": Uncorrected}
    lrs = [10 ** (k / 2) for k in range(-10, -1)]
    jobs = [(name, beta2, lr) for name in variants for beta2 in (0.99, 0.999, 0.9999) for lr in lrs]
    runs = []
    for name, beta2, lr in tqdm(jobs, desc="bias correction", unit="run"):
        torch.manual_seed(0)
        model = ConvNet().to(digits.x_train.device)
        optimizer = variants[name](model.parameters(), lr=lr, betas=(0.9, beta2))
        try:
            loss = train(model, digits, optimizer, epochs=5, progress=False)["train_loss"][-1]
        except FloatingPointError:  # it diverged
            loss = math.nan
        runs.append({"variant": name, "beta2": beta2, "lr": lr, "train_loss": loss})
    return {"epochs": 5, "seed": 0, "runs": runs}


def final_loss(runs):
    """Return the mean training loss after the last epoch; inf when a run diverged."""
    loss = sum(run["train_loss"][-1] for run in runs) / len(runs)
    return loss if math.isfinite(loss) else math.inf


def tuned(digits):
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


def precisions(digits):
    chosen = json.loads((RESULTS / "convnet.json").read_text())["rules"]["Adam"]["lr"]
    return precision.measured(digits, (chosen, 1e-3))  # the second is Adam's default


EXPERIMENTS = {
    "bias_correction": bias_correction,
    "convnet": tuned,
    "precision": precisions,
    "epoch": epoch.measured,
    "batch_scaling": batch_scaling.measured,
    "schedules": scheduled.measured,
    "workers": workers.measured,
    "depth": depth.measured,
    "full_batch": full_batch.measured,
}


def store(name, record, device):
    """Write a record, with where it comes from, to its file in results/."""
    about = report.about(device.type, torch.get_num_threads(), "make results")
    write(RESULTS / f"{name}.json", as_json({"about": about, "batch_size": 128, **record}))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(EXPERIMENTS)}; none means all")
    names = parser.parse_args().names or list(EXPERIMENTS)
    if unknown := set(names) - set(EXPERIMENTS):
        parser.error(f"names must be of {list(EXPERIMENTS)}, got {sorted(unknown)}")
    for name in names:
        digits = data.load(device="cpu" if name in ("epoch", "workers") else "auto")
        store(name, EXPERIMENTS[name](digits), digits.x_train.device)


if __name__ == "__main__":
    main()

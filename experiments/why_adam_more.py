"""The quadratics and the ConvNet of why_adam.py."""

import math

import numpy as np
import torch
from tqdm import tqdm

from adamlib import files, optim, rules
from adamlib.model import ConvNet
from adamlib.train import train
from experiments.race_tasks import short

FLOOR = 1e-8  # of a loss whose logarithm is taken
EIGENVALUES = np.array([[1, 2, 3], [100, 110, 120], [5000, 5100, 5200]], dtype=float)
RULES = {"gradient descent": rules.gradient_descent, "momentum": rules.momentum}
RULES["Adam"] = rules.adam
EPOCHS, SEEDS, TUNING = 5, range(200, 205), range(100, 103)
GRIDS = {"Momentum": range(-7, -1), "Adam": range(-8, -3)}  # rates 10^(k/2) for batches of 16


def quadratic(blocks, seed):
    """Return a Hessian (9, 9) of three blocks with these eigenvalues, turned, and a start (9,)."""
    draw, H = np.random.default_rng(seed), np.zeros((9, 9))
    for i, block in enumerate(blocks):
        turn = np.linalg.qr(draw.standard_normal((3, 3)))[0]
        H[3 * i : 3 * i + 3, 3 * i : 3 * i + 3] = turn * block @ turn.T
    return H, draw.standard_normal(9)


def ends(rule, blocks, seeds, lrs, steps=1000):
    """Return the losses (S, L) of the seeds' quadratics after falling rates."""
    H, w = (np.stack(each) for each in zip(*(quadratic(blocks, s) for s in seeds), strict=True))
    w, state = np.repeat(w[:, None], len(lrs), axis=1), ()  # (S, L, 9)
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(1, steps + 1):
            lr = lrs[:, None] * (steps - t + 1) / steps
            w, *state = rule(w, w @ H, t, *state, lr=lr)
        return 0.5 * (w @ H * w).sum(-1)


def quadratics():
    """Return {run: {rule: its record}} of Hessians with blocks apart and with blocks alike."""
    lrs, record = 10.0 ** (np.arange(-40, 9) / 8), {}
    for name, blocks in (("blocks apart", EIGENVALUES), ("blocks alike", EIGENVALUES.T)):
        record[name] = {}
        for rule_name, rule in RULES.items():
            losses = ends(rule, blocks, [*range(100, 120), *range(10)], lrs)
            losses = np.where(np.isfinite(losses), losses, np.inf)
            best = np.log(np.maximum(losses[:20], FLOOR)).mean(0).argmin()
            about = {"lr": float(lrs[best]), "edge": bool(best in (0, len(lrs) - 1))}
            record[name][rule_name] = about | {"loss": short(losses[20:, best].tolist())}
    return record


def trained(name, lr, batch_size, seed, digits):
    """Return (training loss, held-out error) of the ConvNet; infinite where it diverged."""
    torch.manual_seed(seed)
    model = ConvNet()
    optimizer = getattr(optim, name)(model.parameters(), lr=lr)
    how = {"batch_size": batch_size, "seed": seed, "device": "cpu", "progress": False}
    try:
        run = train(model, digits, optimizer, EPOCHS, **how)
    except FloatingPointError:
        return math.inf, math.nan
    return run["train_loss"][-1], 1 - run["held_out_accuracy"][-1]


def mean_log(losses):
    """Return the mean ln loss; infinite if one is missing or not finite."""
    good = all(loss is not None and math.isfinite(loss) for loss in losses)
    return float(np.log(np.maximum(losses, FLOOR)).mean()) if good else math.inf


def convnet(digits):
    """Return {run: {rule: its record}} for batches of 16, tuned here, and of 128, tuned before."""
    stored = files.record("learning_rates")["rules"]
    record = {"ConvNet, constant, 16": {}, "ConvNet, constant, 128": {}}
    for name, ks in tqdm(GRIDS.items(), desc="ConvNet", unit="rule"):
        few = {k: [trained(name, 10 ** (k / 2), 16, s, digits)[0] for s in TUNING] for k in ks}
        many = {  # rates are stored with two digits
            round(2 * math.log10(float(lr))): [run["train_loss"][EPOCHS - 1] for run in runs]
            for lr, runs in stored[name].items()
        }
        for size, found in ((16, few), (128, many)):
            scores = {k: mean_log(losses) for k, losses in found.items()}
            best = min(scores, key=scores.get)
            runs = [trained(name, 10 ** (best / 2), size, seed, digits) for seed in SEEDS]
            losses, errors = ([short(x) for x in column] for column in zip(*runs, strict=True))
            about = {"lr": 10 ** (best / 2), "edge": best in (min(scores), max(scores))}
            about["tuning"] = {f"{10 ** (k / 2):.3g}": short(x) for k, x in scores.items()}
            key = {"Momentum": "momentum"}.get(name, name)
            record[f"ConvNet, constant, {size}"][key] = about | {"loss": losses, "error": errors}
    return record

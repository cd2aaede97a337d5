"""The rules after Adam on the ConvNet, and what a step of Muon costs there."""

import itertools
import math
import statistics
import time

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from adamlib import data, rules
from adamlib.model import ConvNet
from experiments.race_tasks import short

EPOCHS, BATCH, TUNING, SEEDS = 5, 128, (100, 101, 102), range(200, 205)
GRIDS = {"Muon": range(-5, -1), "sign": range(-9, -5), "Lion": range(-9, -5)}  # rates 10^(k/2)


def muon(w, g, t, *state, lr):
    """Return a step of Muon of weights as a matrix (outputs, rest), of Adam of biases."""
    if w.ndim == 1:
        return rules.adam(w, g, t, *state, lr=lr / 8)
    new, *state = rules.muon(w.flatten(1), g.flatten(1), t, *state, lr=lr, weight_decay=0)
    return new.view_as(w), *state


RULES = {"Muon": muon, "sign": rules.sign_momentum, "Lion": rules.lion}


def trained(name, lr, seed, digits):
    """Return the training losses after each epoch, infinite from where it diverged."""
    torch.manual_seed(seed)
    model, rule, found, t = ConvNet(), RULES[name], [], 0
    weights, order = list(model.parameters()), torch.Generator().manual_seed(seed)
    states = [()] * len(weights)
    for _ in range(EPOCHS):
        for x, y in data.batches(digits.x_train, digits.y_train, BATCH, order):
            t += 1
            slopes = torch.autograd.grad(cross_entropy(model(x), y), weights)
            with torch.no_grad():
                for i, (w, g) in enumerate(zip(weights, slopes, strict=True)):
                    new, *states[i] = rule(w, g, t, *states[i], lr=lr)
                    w.copy_(new)
        with torch.no_grad():
            found.append(cross_entropy(model(digits.x_train), digits.y_train).item())
        if not math.isfinite(found[-1]):
            return found + [math.inf] * (EPOCHS - len(found))
    return found


def measured(digits):
    """Return {rule: the rate chosen, its tuning, the losses of five seeds by epoch}."""
    record = {}
    for name, ks in GRIDS.items():
        jobs = itertools.product(ks, TUNING)
        ends = [trained(name, 10 ** (k / 2), seed, digits)[-1] for k, seed in jobs]
        with np.errstate(invalid="ignore"):
            logs = np.nan_to_num(np.log(ends), nan=np.inf).reshape(len(ks), len(TUNING)).mean(1)
        best = ks[int(logs.argmin())]
        tuning = {f"{10 ** (k / 2):.3g}": short(float(x)) for k, x in zip(ks, logs, strict=True)}
        about = {"lr": 10 ** (best / 2), "edge": best in (ks[0], ks[-1]), "tuning": tuning}
        curves = [short(trained(name, about["lr"], seed, digits)) for seed in SEEDS]
        record[name] = about | {"loss": curves}
    return record


def clock(digits, rounds=7):
    """Return median seconds, one core: a Newton-Schulz of linear1, the gradient of a batch."""
    model, taken = ConvNet(), {"Newton-Schulz": [], "gradient": []}
    x, y = digits.x_train[:BATCH], digits.y_train[:BATCH]
    for _ in range(rounds):
        began = time.perf_counter()
        model.zero_grad()
        cross_entropy(model(x), y).backward()
        taken["gradient"].append(time.perf_counter() - began)
        began = time.perf_counter()
        rules.orthogonal(model.linear1.weight.grad)
        taken["Newton-Schulz"].append(time.perf_counter() - began)
    return {name: short(statistics.median(those)) for name, those in taken.items()}

"""Spectral against Euclidean steps: what two numbers of each layer foretell, and what comes.

Networks of one setting differ by their seeds, which fix the cut of the data, too.
"""

import itertools

import numpy as np
import torch

from adamlib import data
from experiments import after_adam_networks as networks
from experiments import why_adam
from experiments.race_tasks import short

MOVED = {"softmax": (0,), "MLP": (0,), "deep MLP": (0, 1, 2)}
KINDS = ("raw", "centered", "white")
DIRECTIONS = {"Euclidean": lambda g: g, "spectral": networks.spectral}
RATES = 10 ** (torch.arange(-40, 25) / 8)  # of the one step
EARLY, EARLY_RATE, STEPS = 20, 0.1, 60
TUNING, SEEDS = (100, 101, 102), range(10)


def images(kind, seed):
    """Return the training images (N, 64) and labels of a cut, with pixels of a kind."""
    cut = networks.inputs(kind, data.load(device="cpu", seed=seed))
    return cut.x_train.flatten(1), cut.y_train


def decreases(layers, x, y, moved):
    """Return {direction: the largest decrease of the loss of one network, over the rates}."""
    slopes, before, found = networks.gradients(layers, x, y), networks.losses(layers, x, y), {}
    for name, direction in DIRECTIONS.items():
        many = [tuple(w.repeat(len(RATES), 1, 1) for w in layer) for layer in layers]
        for i in moved:
            many[i][0].sub_(RATES[:, None, None] * direction(slopes[2 * i]))
        after = networks.losses(many, x, y).nan_to_num(nan=torch.inf)
        found[name] = float(before - after.min())
    return found


def one_step(network, kind):
    """Return {time: the ratio foretold and the decreases, of each seed}."""
    record, moved = {}, MOVED[network]
    for seed in SEEDS:
        x, y = images(kind, seed)
        layers = networks.network(networks.SIZES[network], [seed])
        for time in (0, EARLY):
            networks.steps(layers, x, y, time, EARLY_RATE, DIRECTIONS["Euclidean"], moved)
            numbers, ratio = networks.layer_ratios(layers, x, y, moved)
            row = {"ratio": ratio.item(), **decreases(layers, x, y, moved)}
            row["layers"] = [[float(n), float(s)] for n, s in numbers]
            for key, value in row.items():
                rounded = [short(pair) for pair in value] if key == "layers" else short(value)
                record.setdefault(str(time), {}).setdefault(key, []).append(rounded)
    return record


def ends(network, kind, direction, ks, seed):
    """Return the losses (L,) of the networks of a seed after constant rates 10^(k/4)."""
    x, y = images(kind, seed)
    layers = networks.network(networks.SIZES[network], [seed] * len(ks))
    lr = 10 ** (torch.tensor(ks)[:, None, None] / 4)
    networks.steps(layers, x, y, STEPS, lr, direction, MOVED[network])
    return networks.losses(layers, x, y).tolist()


def sixty_steps(network, kind):
    """Return {direction: the rate chosen, its tuning, ten losses with it}."""
    record = {}
    for name, direction in DIRECTIONS.items():
        run = lambda ks, seed, d=direction: ends(network, kind, d, ks, seed)  # noqa: E731
        tries = lambda ks, run=run: [run(ks, seed) for seed in TUNING]  # noqa: E731
        found, best, edge = why_adam.tuned(tries, range(-12, 8))
        losses = [run([best], seed)[0] for seed in SEEDS]
        tuning = {f"{10 ** (k / 4):.3g}": short(float(found[k])) for k in sorted(found)}
        about = {"lr": 10 ** (best / 4), "edge": bool(edge), "tuning": tuning}
        record[name] = about | {"loss": short(np.nan_to_num(losses, nan=np.inf).tolist())}
    return record


def measured(digits):
    """Return {setting: the record of one step and of sixty}."""
    record = {}
    for network, kind in itertools.product(MOVED, KINDS):
        sixty = sixty_steps(network, kind)
        record[f"{network}, {kind}"] = {"one": one_step(network, kind), "sixty": sixty}
    return record

"""The best rate over the width of a network, with PyTorch's scaling and with the spectral one."""

import math

import numpy as np
import torch

from adamlib import data, rules
from experiments import after_adam_networks as networks
from experiments.race_tasks import short

WIDTHS, KS, SEEDS = (16, 32, 64, 128, 256, 512), range(-16, 4), (0, 1, 2)
EPOCHS, BATCH = 5, 128
RULES = {"Adam": rules.adam, "sign": rules.sign_momentum, "Muon": rules.muon}
SCALINGS = "PyTorch", "spectral"


def spectral_start(layers):
    """Return the layers with weights of spectral norm √(outputs / inputs)."""
    found = []
    for w, b in layers:
        norm = torch.linalg.matrix_norm(w, 2, keepdim=True)
        found.append((w * (w.shape[1] / w.shape[2]) ** 0.5 / norm, b))
    return found


def factor(name, scaling, w):
    """Return what the rate of weights (K, outputs, inputs) is multiplied by."""
    m, n = w.shape[1:]
    if n == 1 or scaling == "PyTorch":
        return 1
    return (m / n) ** 0.5 / max(1, m / n) ** 0.5 if name == "Muon" else 64 / n


def scaled(name, scaling):
    """Return a rule whose rates are those of a scaling."""
    rule, decay = RULES[name], {"weight_decay": 0} if name == "Muon" else {}

    def scaled_rule(w, g, t, *state, lr):
        if name == "Muon" and w.shape[-1] == 1:
            return rules.adam(w, g, t, *state, lr=lr / 8)
        return rule(w, g, t, *state, lr=lr * factor(name, scaling, w), **decay)

    return scaled_rule


def falling(rule, count):
    """Return the rule with a rate that falls in a straight line, to 0 in the step after all."""
    return lambda w, g, t, *s, lr: rule(w, g, t, *s, lr=lr * (count - t + 1) / count)


def losses(name, scaling, width, digits):
    """Return ln of the training losses (seeds, rates)."""
    x, y = digits.x_train.flatten(1), digits.y_train
    count, lr = EPOCHS * math.ceil(len(y) / BATCH), 10 ** (torch.tensor(KS)[:, None, None] / 4)
    found = []
    for seed in SEEDS:
        layers = networks.network((64, width, 10), [seed] * len(KS))
        layers = spectral_start(layers) if scaling == "spectral" else layers
        rule = falling(scaled(name, scaling), count)
        networks.train(rule, layers, x, y, EPOCHS, BATCH, seed, falls=False, lr=lr)
        found.append(networks.losses(layers, x, y).log().nan_to_num(nan=torch.inf).tolist())
    return np.array(found)


def best(logs):
    """Return the rate of the lowest mean ln loss (rates,), of three neighbors each."""
    mean = np.pad(logs.mean(0), 1, constant_values=np.inf)
    smooth = (mean[:-2] + mean[1:-1] + mean[2:]) / 3
    return 10 ** (KS[int(smooth.argmin())] / 4)


def measured(digits):
    """Return {rule: {scaling: {width: best rate, mean ln loss of each rate}}}."""
    digits, record = data.load(device="cpu"), {}
    for name in RULES:
        for scaling in SCALINGS:
            rows = {width: losses(name, scaling, width, digits) for width in WIDTHS}
            found = {w: {"lr": best(x), "ln": short(x.mean(0).tolist())} for w, x in rows.items()}
            record.setdefault(name, {})[scaling] = {str(w): each for w, each in found.items()}
    return record | {"rates": [10 ** (k / 4) for k in KS]}

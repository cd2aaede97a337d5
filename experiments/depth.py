"""How deep a plain network can be for each initialization; `python -m experiments depth`."""

from functools import partial
from itertools import product

import torch
from torch import nn
from tqdm import tqdm

from adamlib import optim
from adamlib.model import DeepConvNet, initialize
from adamlib.train import train

DEPTHS, SEEDS, EPOCHS = (5, 10, 20, 30), (0, 1, 2), 10
ACTIVATIONS = {"ReLU": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}
DRAWS = {
    "default": None,
    "Xavier": nn.init.xavier_normal_,
    "He": partial(nn.init.kaiming_normal_, nonlinearity="relu"),
}
CURES = {"residual": {"residual": True}, "normalize": {"normalize": True}}  # on the default
RATES = {"Momentum": (0.003, 0.01, 0.03), "Adam": (0.001, 0.003)}
NETWORKS = [("ReLU", start, name) for start in (*DRAWS, *CURES) for name in RATES]
NETWORKS += [
    (name, start, "Adam") for name in ("tanh", "sigmoid") for start in ("default", "Xavier")
]


def trained(depth, activation, start, name, lr, seed, digits):
    """Return the training and held-out accuracy after the last epoch; None where it diverged."""
    torch.manual_seed(seed)
    model = DeepConvNet(depth, ACTIVATIONS[activation], **CURES.get(start, {}))
    if DRAWS.get(start):
        initialize(model, DRAWS[start])
    optimizer = getattr(optim, name)(model.to(digits.x_train.device).parameters(), lr=lr)
    try:
        run = train(model, digits, optimizer, EPOCHS, seed=seed, progress=False)
    except FloatingPointError:
        return None, None
    return tuple(float(f"{run[key][-1]:.4f}") for key in ("train_accuracy", "held_out_accuracy"))


def late(digits, epochs=30):
    """Return training accuracies by epoch: twenty default layers, Adam's default rate, two ε."""
    runs = []
    for eps, seed in tqdm(list(product((1e-8, 1e-20), SEEDS)), desc="late", unit="run"):
        torch.manual_seed(seed)
        model = DeepConvNet(20).to(digits.x_train.device)
        optimizer = optim.Adam(model.parameters(), lr=1e-3, eps=eps)
        run = train(model, digits, optimizer, epochs, seed=seed, progress=False)
        accuracy = [float(f"{x:.4f}") for x in run["train_accuracy"]]
        runs.append({"eps": eps, "seed": seed, "train_accuracy": accuracy})
    return runs


def measured(digits):
    """Return the record: each network and optimizer with its rates and three seeds, and `late`."""
    keys, runs = ("depth", "activation", "start", "optimizer", "lr", "seed"), []
    for depth, job in tqdm(list(product(DEPTHS, NETWORKS)), desc="depth", unit="network"):
        for lr, seed in product(RATES[job[-1]], SEEDS):
            accuracy, held_out = trained(depth, *job, lr, seed, digits)
            row = dict(zip(keys, (depth, *job, lr, seed), strict=True))
            runs.append({**row, "train_accuracy": accuracy, "held_out_accuracy": held_out})
    return {"epochs": EPOCHS, "runs": runs, "late": late(digits)}

"""The ConvNet's training loss over learning rate and beta2, with bias correction and without."""

import math

import torch
from tqdm import tqdm

from adamlib import optim, rules
from adamlib.model import ConvNet
from adamlib.train import train


def uncorrected(w, g, t, m=0, v=0, *, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    return rules.adam(w, g, math.inf, m, v, lr=lr, betas=betas, eps=eps)


class Uncorrected(optim.Adam):
    rule = staticmethod(uncorrected)


def measured(digits):
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

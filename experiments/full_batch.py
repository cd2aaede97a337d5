"""L-BFGS against Adam by the images they look at; `python -m experiments full_batch`: 10 minutes.

An evaluation is one loss with its gradient; its cost is the number of images that it looks at.
"""

import math
from itertools import product

import torch
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from adamlib import optim
from adamlib.data import batches
from adamlib.model import ConvNet
from adamlib.train import evaluate

PASSES, SEEDS = 30, (0, 1, 2)  # passes: images looked at / images in the training set


def lbfgs(weights, iterations, evaluations):
    # a call of `step` evaluates the point where it stands again, so all images get one call
    limits = dict(max_iter=iterations, max_eval=evaluations)
    return torch.optim.LBFGS(weights, history_size=10, line_search_fn="strong_wolfe", **limits)


METHODS = {  # name -> (optimizer of the weights, batch size; None is all images)
    "L-BFGS, all images": (lambda weights: lbfgs(weights, PASSES, PASSES), None),
    "Adam, all images": (lambda weights: optim.Adam(weights, lr=1e-3), None),
    "L-BFGS, batches of 128": (lambda weights: lbfgs(weights, 1, 25), 128),
    "Adam, batches of 128": (lambda weights: optim.Adam(weights, lr=1e-3), 128),
}


def history(name, seed, digits):
    """Return [[passes, training loss], ...] of the ConvNet, about one a pass."""
    make, size = METHODS[name]
    torch.manual_seed(seed)
    model = ConvNet().to(digits.x_train.device)
    optimizer, order = make(model.parameters()), torch.Generator().manual_seed(seed)
    n, looked, rows = len(digits.x_train), 0, []
    while looked < PASSES * n:
        for x, y in batches(digits.x_train, digits.y_train, size or n, order):

            def closure(x=x, y=y):
                nonlocal looked
                looked += len(x)
                optimizer.zero_grad()
                loss = cross_entropy(model(x), y)
                loss.backward()
                return loss

            optimizer.step(closure)
            if not rows or looked >= n * (math.floor(rows[-1][0]) + 1):
                loss = evaluate(model, *digits[:2])[0]
                rows.append([round(looked / n, 3), float(f"{loss:.5g}")])
    return rows


def measured(digits):
    """Return the record: four methods, three seeds."""
    runs = []
    for name, seed in tqdm(list(product(METHODS, SEEDS)), desc="full batch", unit="run"):
        runs.append({"method": name, "seed": seed, "loss": history(name, seed, digits)})
    return {"passes": PASSES, "runs": runs}

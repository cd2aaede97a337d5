"""The loss over batch size and learning rate; `python -m experiments batch_scaling`."""

import torch
from tqdm import tqdm

from adamlib import rules
from adamlib.model import MLPStack
from adamlib.train import train_stack

EPOCHS, IMAGES, WIDTH, SEEDS = 8, 1024, 32, tuple(range(10))
BATCH_SIZES = tuple(2**k for k in range(2, 11))  # each divides 1,024: no batch is short
GRIDS = {  # wide enough that the best of each batch size lies inside
    "adam": [10 ** (k / 4) for k in range(-16, -1)],
    "gradient_descent": [10 ** (k / 4) for k in range(-10, 4)],
}


def losses(name, size, images):
    """Return the training losses after the last epoch: one list of seeds for each rate."""
    jobs = [(lr, seed) for lr in GRIDS[name] for seed in SEEDS]
    device = images.x_train.device
    stack = MLPStack([seed for _, seed in jobs], width=WIDTH).to(device)
    lr = torch.tensor([lr for lr, _ in jobs], device=device)[:, None, None]
    final = train_stack(getattr(rules, name), stack, images, EPOCHS, size, lr=lr).tolist()
    rounded = [float(f"{loss:.4g}") for loss in final]
    return [rounded[i : i + len(SEEDS)] for i in range(0, len(jobs), len(SEEDS))]


def measured(digits):
    """Return the record: for each rule and batch size the losses over the rates and the seeds."""
    images = digits._replace(x_train=digits.x_train[:IMAGES], y_train=digits.y_train[:IMAGES])
    record = {}
    for name, grid in GRIDS.items():
        sizes = tqdm(BATCH_SIZES, desc=name, unit="batch size")
        loss = {str(size): losses(name, size, images) for size in sizes}
        record[name] = {"lr": [float(f"{lr:.6g}") for lr in grid], "loss": loss}
    about = {"epochs": EPOCHS, "images": IMAGES, "width": WIDTH, "seeds": list(SEEDS)}
    return {"batch_size": list(BATCH_SIZES), **about, "rules": record}

"""Adam on the ConvNet under schedules, tuned alike; `python -m experiments schedules`."""

from functools import partial

import torch
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm

from adamlib import optim, schedules
from adamlib.model import ConvNet
from adamlib.train import train

STEPS, WARM_UP = 220, 22  # 20 epochs of 11 batches; a tenth of them
GRID = [10 ** (k / 2) for k in range(-9, -1)]  # that of constant Adam in convnet.py, and 0.1
TUNING_SEEDS, SEEDS = (100, 101, 102), tuple(range(10))


def warm_up_and_cosine(t):
    return schedules.warm_up(t, steps=WARM_UP) * schedules.cosine(t, steps=STEPS)


SHAPES = {
    "cosine": partial(schedules.cosine, steps=STEPS),
    "warm-up and cosine": warm_up_and_cosine,
}


def history(shape, lr, seed, digits):
    """Return the history of 20 epochs, five digits a number; None where the training diverged."""
    torch.manual_seed(seed)
    model = ConvNet().to(digits.x_train.device)
    optimizer = optim.Adam(model.parameters(), lr=lr)
    scheduler = LambdaLR(optimizer, shape)
    try:
        run = train(model, digits, optimizer, scheduler=scheduler, seed=seed, progress=False)
    except FloatingPointError:
        return None
    kept = ("train_loss", "train_accuracy", "held_out_loss", "held_out_accuracy")
    return {"seed": seed, **{key: [float(f"{x:.5g}") for x in run[key]] for key in kept}}


def measured(digits):
    """Return for each schedule its losses while tuning, the best rate and ten runs with it."""
    record = {}
    for name, shape in SHAPES.items():
        tuning = {}
        for lr in tqdm(GRID, desc=name, unit="rate"):
            runs = [history(shape, lr, seed, digits) for seed in TUNING_SEEDS]
            tuning[lr] = [run and run["train_loss"][-1] for run in runs]
        best = min((lr for lr in GRID if None not in tuning[lr]), key=lambda lr: sum(tuning[lr]))
        runs = [history(shape, best, seed, digits) for seed in SEEDS]
        losses = {f"{lr:.2g}": values for lr, values in tuning.items()}
        record[name] = {"lr": best, "tuning": losses, "runs": runs}
    return {"epochs": 20, "warm_up": WARM_UP, "schedules": record}

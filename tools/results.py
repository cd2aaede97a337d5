"""Regenerate results/: the ConvNet under every rule, at seven learning rates and with ten seeds.

`make results` runs it; about 50 minutes on one CPU core. Chapters draw these files.
"""

import math
import platform
import subprocess
from pathlib import Path

import torch
from tqdm import tqdm

from adamlib import data, optim
from adamlib.model import ConvNet
from adamlib.train import as_json, train, write

RESULTS = Path(__file__).parents[1] / "results"
TUNING_SEEDS, SEEDS = (100, 101, 102), tuple(range(10))
# seven half decades for each rule, centered by the size of its step, not by its result
GRIDS = {
    "GradientDescent": [10 ** (k / 2) for k in range(-6, 1)],
    "Momentum": [10 ** (k / 2) for k in range(-8, -1)],
    "Nesterov": [10 ** (k / 2) for k in range(-8, -1)],
    "AdaGrad": [10 ** (k / 2) for k in range(-8, -1)],
    "RMSProp": [10 ** (k / 2) for k in range(-9, -2)],
    "Adam": [10 ** (k / 2) for k in range(-9, -2)],
}


def history(name, lr, seed, digits):
    """Return the history of the ConvNet after 20 epochs of the rule, five digits a number."""
    torch.manual_seed(seed)
    model = ConvNet().to(digits.x_train.device)
    optimizer = getattr(optim, name)(model.parameters(), lr=lr)
    run = train(model, digits, optimizer, seed=seed, progress=False)
    rounded = {
        key: [float(f"{x:.5g}") for x in values]
        for key, values in run.items()
        if key not in ("device", "seconds")
    }
    return {"seed": seed, **rounded}


def provenance(digits):
    """Return where these numbers come from: device, versions and commit."""
    device = digits.x_train.device
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return {
        "command": "make results",
        "commit": commit.stdout.strip(),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else str(device),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def final_loss(runs):
    """Return the mean training loss after the last epoch; inf when a run diverged."""
    loss = sum(run["train_loss"][-1] for run in runs) / len(runs)
    return loss if math.isfinite(loss) else math.inf


def main():
    digits = data.load()
    jobs = [(name, lr, seed) for name in GRIDS for lr in GRIDS[name] for seed in TUNING_SEEDS]
    tuning = {name: {} for name in GRIDS}
    for name, lr, seed in tqdm(jobs, desc="learning rates", unit="run"):
        tuning[name].setdefault(f"{lr:.2g}", []).append(history(name, lr, seed, digits))
    about = {"about": provenance(digits), "epochs": 20, "batch_size": 128}
    write(RESULTS / "learning_rates.json", as_json({**about, "rules": tuning}))

    best = {
        name: min(GRIDS[name], key=lambda lr: final_loss(tuning[name][f"{lr:.2g}"]))
        for name in GRIDS
    }
    textbook = [("textbook", "GradientDescent", 1e-3)]
    jobs = [(name, name, best[name]) for name in GRIDS] + textbook
    rules = {key: {"lr": lr, "rule": name, "runs": []} for key, name, lr in jobs}
    for key, name, lr in tqdm(jobs, desc="ten seeds", unit="rule"):
        rules[key]["runs"] += [history(name, lr, seed, digits) for seed in SEEDS]
    write(RESULTS / "convnet.json", as_json({**about, "rules": rules}))


if __name__ == "__main__":
    main()

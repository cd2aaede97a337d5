"""Is the ConvNet as accurate in bfloat16? Ten seeds each, and what rounding does to Adam's v."""

import numpy as np
import torch
from scipy.stats import t as student
from tqdm import tqdm

from adamlib import files, optim
from adamlib.model import ConvNet
from adamlib.train import train

SEEDS = tuple(range(10))
STEPS = (10, 30, 100, 300, 1000, 3000)


class ToNearest(optim.Adam):
    """Adam whose m and v go to the nearest number of bfloat16 after each step."""

    def step(self, closure=None):
        loss = super().step(closure)
        for state in self.state.values():
            for name in self.names.values():
                state[name].copy_(state[name].bfloat16())
        return loss


# name -> optimizer, its options, precision of the training
VARIANTS = {
    "float32": (optim.Adam, {}, "float32"),
    "bf16": (optim.Adam, {}, "bf16"),
    "bf16 buffers": (optim.Adam, {"state_dtype": torch.bfloat16}, "float32"),
    "bf16 buffers, to nearest": (ToNearest, {}, "float32"),
}


def final(variant, lr, seed, digits):
    """Return the held-out accuracy and the training loss (nats) after 20 epochs."""
    optimizer, options, precision = VARIANTS[variant]
    torch.manual_seed(seed)
    model = ConvNet().to(digits.x_train.device)
    optimizer = optimizer(model.parameters(), lr=lr, **options)
    history = train(model, digits, optimizer, seed=seed, precision=precision, progress=False)
    return {key: history[key][-1] for key in ("held_out_accuracy", "train_loss")}


def difference(runs, base):
    """Return the mean of run - base, paired by seed, and its 95 % interval (Student's t)."""
    paired = np.subtract(runs, base)
    mean, error = paired.mean(), paired.std(ddof=1) / len(paired) ** 0.5
    half = student.ppf(0.975, len(paired) - 1) * error
    return {"mean": mean, "low": mean - half, "high": mean + half}


def accuracy(lr, digits, bar):
    """Return each variant's runs, and how they differ from float32's: accuracy, log10 of loss."""
    found = {}
    for variant in VARIANTS:
        found[variant] = {"runs": []}
        for seed in SEEDS:
            found[variant]["runs"].append({"seed": seed, **final(variant, lr, seed, digits)})
            bar.update()

    def column(variant, key):
        return np.array([run[key] for run in found[variant]["runs"]])

    for variant in list(VARIANTS)[1:]:
        pair = [column(name, "held_out_accuracy") for name in (variant, "float32")]
        found[variant]["accuracy_difference"] = difference(*pair)
        pair = [np.log10(column(name, "train_loss")) for name in (variant, "float32")]
        found[variant]["log10_loss_difference"] = difference(*pair)
    return found


def second_moments(n=2**14):
    """Return mean of v / float32's v for n weights whose gradients are standard normal noise."""
    order = torch.Generator().manual_seed(0)
    weights, found = {}, {"steps": list(STEPS)}
    for variant in ("float32", "bf16 buffers", "bf16 buffers, to nearest"):
        cls, options, _ = VARIANTS[variant]
        w = torch.zeros(n, requires_grad=True)
        weights[variant], found[variant] = (w, cls([w], **options)), []
    for t in range(1, STEPS[-1] + 1):
        gradient = torch.randn(n, generator=order)
        for w, optimizer in weights.values():
            w.grad = gradient
            optimizer.step()
        if t in STEPS:
            v = {key: o.state[w]["exp_avg_sq"].float().mean() for key, (w, o) in weights.items()}
            for key in weights:
                found[key].append((v[key] / v["float32"]).item())
    return found


def measured(digits):
    """Return it all, each variant at the rate that was tuned and at Adam's default."""
    tuned = files.record("convnet")["rules"]["Adam"]["lr"]
    lrs = (tuned, 1e-3)
    with tqdm(total=len(lrs) * len(VARIANTS) * len(SEEDS), desc="precision", unit="run") as bar:
        rates = {f"{lr:.2g}": accuracy(lr, digits, bar) for lr in lrs}
    return {"epochs": 20, "rates": rates, "second_moment": second_moments()}

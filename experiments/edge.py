"""The sharpness of the ConvNet on 64 images; `python -m experiments edge`: 10 minutes.

All images in every step, so that the surface stands still. `sharpness` is the Hessian's eigenvalue
of largest magnitude, by power iteration that goes on from the eigenvector found before. The last
setting goes on with the walk of chapter 1.
"""

import torch
from torch.nn.functional import cross_entropy, one_hot
from tqdm import tqdm

from adamlib import rules
from adamlib.model import ConvNet

IMAGES, STEPS, EVERY, SEEDS = 64, 300, 5, (0, 1, 2)


def squared_error(logits, labels):
    """Return half the squared distance to the one-hot label, the mean over the images."""
    return ((logits - one_hot(labels, 10)) ** 2).sum(dim=1).mean() / 2


LOSSES = {"squared error": squared_error, "cross-entropy": cross_entropy}
RUNS = [  # loss, learning rate
    ("squared error", 0.02),
    ("squared error", 0.05),
    ("cross-entropy", 0.02),
    ("cross-entropy", 0.05),
    ("cross-entropy", 0.1),
]


def largest(gradient, weights, v, rounds):
    """Return (the Hessian's eigenvalue of largest magnitude, its eigenvector), from v on."""
    for _ in range(rounds):
        length = torch.sqrt(sum((part**2).sum() for part in v))
        v = [part / length for part in v]
        hv = torch.autograd.grad(gradient, weights, grad_outputs=v, retain_graph=True)
        value, v = sum((a * b).sum() for a, b in zip(v, hv, strict=True)).item(), hv
    return value, v


def walk(loss_of, lr, seed, digits):
    """Return [[step, loss, sharpness], ...] before every fifth step."""
    torch.manual_seed(seed)
    weights = list((model := ConvNet().to(digits.x_train.device)).parameters())
    v, rows = None, []
    for t in range(STEPS + 1):
        loss = loss_of(model(digits.x_train[:IMAGES]), digits.y_train[:IMAGES])
        gradient = torch.autograd.grad(loss, weights, create_graph=t % EVERY == 0)
        if t % EVERY == 0:
            sharp, v = largest(
                gradient, weights, v or [g.detach() for g in gradient], 6 if v else 20
            )
            rows.append([t, float(f"{loss.item():.4g}"), float(f"{sharp:.4g}")])
        for w, g in zip(weights, gradient, strict=True):
            (w.data,) = rules.gradient_descent(w.data, g.detach(), t + 1, lr=lr)
    return rows


def measured(digits):
    """Return the record: five settings, three seeds."""
    runs = []
    for name, lr in tqdm(RUNS, desc="edge", unit="setting"):
        for seed in SEEDS:
            rows = walk(LOSSES[name], lr, seed, digits)
            runs.append({"loss": name, "lr": lr, "seed": seed, "rows": rows})
    return {"batch_size": IMAGES, "runs": runs}

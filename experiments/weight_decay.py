"""Weight decay and L2 on noisy digits; `python -m experiments weight_decay`, half an hour.

The rules of the verdicts, fixed before the first run (a pilot with seed 0, which is not used here,
chose the networks, the noise and the ranges of the grids):

- Basins. Of each learning rate the best weight decay d is the lowest point of the parabola, over
  log d, through the lowest mean error and its two neighbors. A rate counts if its lowest error is
  at most 1.5 times the lowest of the grid and does not lie on the grid's edge. The slope is that of
  the straight line through log d over log rate. "diagonal": at most -0.5; "square": within 0.25 of
  0; else "between". The interval: 5 % to 95 % of 1000 draws of the seeds with replacement.
- Memory. The best time constant, 1 / (rate * d) steps, by the same parabola. Its slope over the
  number of images, log on log: 1 is constant in epochs, 0 constant in steps, each within 0.25. Over
  the number of epochs: 0 is constant, 1 a constant share of the run.
- Norms. The gradient rises under a weight decay if its mean norm in the last fifth of the epochs
  is more than 1.2 times that in the second fifth, in every seed; it is level between 0.8 and 1.25.
- ConvNet. One way is better than another if it is in every seed, and by a point on average.
"""

import json
import math
import zlib
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from adamlib import data, files, optim, rules, schedules
from adamlib.model import ConvNet, DeepConvNet, MLPStack
from adamlib.stack import stack_loss, train_stack
from adamlib.train import train
from experiments.race_tasks import images, short

FOLDER = Path(__file__).parents[1] / "_build" / "weight_decay"
SEEDS, BATCH = range(1, 11), 128
RATES = [round(x, 2) for x in np.arange(-3.5, -1.49, 0.25)]  # log10, as all of the grids
DECAYS = {
    "L2": [round(x, 2) for x in np.arange(-5, 0.01, 0.5)],
    "decoupled": [round(x, 2) for x in np.arange(-2.5, 1.51, 0.5)],
}
MEMORY_RATE, MEMORY_DECAYS = -2.5, [round(x, 2) for x in np.arange(-2, 1.26, 0.25)]
SHARES, EPOCHS = (0.25, 0.5, 1.0), (50, 100, 200)
DEEP = {"depth": 4, "epochs": 30, "lr": 1e-2, "weight_decay": 3.0, "seeds": range(1, 6)}
CONVNET_RATES, CONVNET_L2, CONVNET_SEEDS = (3e-4, 1e-3), (1e-4, 1e-3, 1e-2), (1, 2, 3)


def with_l2(w, g, t, m=0, v=0, *, lr, weight_decay):
    """Return (w, m, v) after a step of Adam on the loss plus half of weight_decay times w²."""
    return rules.adam(w, g + weight_decay * w, t, m, v, lr=lr)


def annealed(rule, steps):
    """Return the rule with a learning rate that falls along a cosine."""

    def scheduled(w, g, t, m=0, v=0, *, lr, weight_decay):
        factor = schedules.cosine(t - 1, steps=steps)
        return rule(w, g, t, m, v, lr=lr * factor, weight_decay=weight_decay)

    return scheduled


def noisy(seed, share=1.0):
    """Return the digits with a fifth of the training labels wrong, or the first share of them."""
    digits = images("noisy MLP", seed)
    count = int(share * len(digits.y_train))
    return digits._replace(x_train=digits.x_train[:count], y_train=digits.y_train[:count])


def trained(rule, rates, decays, digits, epochs, seed):
    """Return the wrong held-out images and the held-out loss of each network, in two lists."""
    steps = epochs * math.ceil(len(digits.y_train) / BATCH)
    lr, decay = (10 ** torch.tensor(x).float()[:, None, None] for x in (rates, decays))
    model = MLPStack([seed] * len(lr))
    how = {"seed": seed, "lr": lr, "weight_decay": decay}
    train_stack(annealed(rule, steps), model, digits, epochs, BATCH, **how)
    with torch.no_grad():
        logits, y = model(digits.x_test.flatten(1)), digits.y_test
    return (logits.argmax(-1) != y).sum(-1).tolist(), short(stack_loss(logits, y).tolist())


def grid(kind, epochs):
    """Return what is recorded of a basin: lists by seed, of each rate the row of its decays."""
    rule = {"L2": with_l2, "decoupled": rules.adamw}[kind]
    rates, decays = zip(*product(RATES, DECAYS[kind]), strict=True)
    found = {"wrong": [], "loss": []}
    for seed in tqdm(SEEDS, desc=f"{kind}, {epochs} epochs", unit="seed"):
        both = trained(rule, rates, decays, noisy(seed), epochs, seed)
        for name, values in zip(found, both, strict=True):
            found[name].append(np.reshape(values, (len(RATES), -1)).tolist())
    return {"epochs": epochs, "rates": RATES, "decays": DECAYS[kind], **found}


def lowest(losses, places):
    """Return where the parabola through the lowest loss and its neighbors is lowest, or nan."""
    i = int(np.argmin(losses))
    if not 0 < i < len(losses) - 1:
        return math.nan
    left, middle, right = losses[i - 1 : i + 2]
    return places[i] + (places[1] - places[0]) * (left - right) / (left - 2 * middle + right) / 2


def bests(mean, decays):
    """Return the best log decay of each rate that counts, nan for the others."""
    good = mean.min(axis=1) <= 1.5 * mean.min()
    return [lowest(row, decays) if ok else math.nan for row, ok in zip(mean, good, strict=True)]


def slope(mean, rates, decays):
    """Return the slope of the best log decay over the log rate; mean: (rates, decays)."""
    best = np.array(bests(mean, decays))
    kept = np.isfinite(best)
    return np.polyfit(np.array(rates)[kept], best[kept], 1)[0] if kept.sum() > 2 else math.nan


def judged(record):
    """Return a grid with its best log decays and slopes, each slope with its interval."""
    draws, found, best = (
        np.random.default_rng(0).integers(len(SEEDS), size=(1000, len(SEEDS))),
        {},
        {},
    )
    for name in ("wrong", "loss"):
        each, axes = np.array(record[name]), (record["rates"], record["decays"])
        drawn = [slope(each[draw].mean(axis=0), *axes) for draw in draws]
        interval = np.nanquantile(drawn, [0.05, 0.95])
        numbers = [slope(each.mean(axis=0), *axes), *interval]
        found[name] = [round(float(x), 2) for x in numbers]
        best[name] = [round(x, 3) for x in bests(each.mean(axis=0), record["decays"])]
    return {"slope": found, "best": best, **record}


def memory():
    """Return rows of share of the images, epochs, and the lists by seed over MEMORY_DECAYS."""
    rows, rates = [], [MEMORY_RATE] * len(MEMORY_DECAYS)
    jobs = [(share, 100) for share in SHARES] + [(1.0, e) for e in EPOCHS if e != 100]
    for share, epochs in tqdm(jobs, desc="memory", unit="setting"):
        each = [
            trained(rules.adamw, rates, MEMORY_DECAYS, noisy(seed, share), epochs, seed)
            for seed in SEEDS
        ]
        wrong, loss = zip(*each, strict=True)
        count = len(noisy(SEEDS[0], share).y_train)
        rows.append({"images": count, "epochs": epochs, "wrong": wrong, "loss": loss})
    return {"rate": MEMORY_RATE, "decays": MEMORY_DECAYS, "rows": rows}


def norms(kind, seed, digits):
    """Return by epoch the mean norm of the convolutions' gradients, and the norm of their weights.

    kind: "AdamW", "AdamC", whose weight decay falls with the rate, or "none".
    """
    torch.manual_seed(seed)
    model = DeepConvNet(DEEP["depth"], normalize=True)
    convs = [conv.weight for conv in model.convs]
    rest = [w for name, w in model.named_parameters() if "convs" not in name or "bias" in name]
    groups = [{"params": convs}, {"params": rest, "weight_decay": 0.0}]
    optimizer = optim.AdamW(groups, weight_decay=0.0)
    steps, t = DEEP["epochs"] * math.ceil(len(digits.y_train) / BATCH), 0
    order, gradients, weights = torch.Generator().manual_seed(seed), [], []
    for _ in range(DEEP["epochs"]):
        sizes = []
        for x, y in data.batches(digits.x_train, digits.y_train, BATCH, order):
            factor = schedules.cosine(t, steps=steps)
            for group in optimizer.param_groups:
                group["lr"] = DEEP["lr"] * factor
            strength = {"AdamW": 1.0, "AdamC": factor, "none": 0.0}[kind]
            optimizer.param_groups[0]["weight_decay"] = DEEP["weight_decay"] * strength
            optimizer.zero_grad()
            cross_entropy(model(x), y).backward()
            sizes.append(whole([w.grad for w in convs]))
            optimizer.step()
            t += 1
        gradients.append(sum(sizes) / len(sizes))
        weights.append(whole(convs))
    return {"gradient": short(gradients), "weight": short(weights)}


def whole(tensors):
    """Return the norm of several tensors as one vector."""
    return math.sqrt(sum(x.detach().double().square().sum().item() for x in tensors))


def convnet(kind, lr, decay, seed, digits):
    """Return the held-out accuracies of the ConvNet by epoch, twenty epochs at a constant rate."""
    torch.manual_seed(seed)
    model = ConvNet()
    cls = optim.AdamW if kind == "decoupled" else optim.Adam
    optimizer = cls(model.parameters(), lr=lr, weight_decay=decay)
    run = train(model, digits, optimizer, 20, seed=seed, device="cpu", progress=False)
    return {key: short(run[key]) for key in ("held_out_accuracy", "held_out_loss")}


def convnets():
    """Return rows of labels, kind, rate, weight decay, seed and what `convnet` returns."""
    rows, steps = [], 20 * 11
    jobs = [("noisy", "none", lr, 0.0) for lr in CONVNET_RATES]
    jobs += [("noisy", "L2", lr, d) for lr, d in product(CONVNET_RATES, CONVNET_L2)]
    jobs += [("noisy", "decoupled", lr, 1 / (lr * steps)) for lr in CONVNET_RATES]
    jobs += [("clean", "none", 1e-3, 0.0), ("clean", "decoupled", 1e-3, 0.01)]
    jobs += [("clean", "decoupled", 1e-3, 1 / (1e-3 * steps))]
    for job, seed in tqdm(list(product(jobs, CONVNET_SEEDS)), desc="ConvNet", unit="run"):
        labels, kind, lr, decay = job
        digits = noisy(seed) if labels == "noisy" else data.load(device="cpu", seed=seed)
        row = {"labels": labels, "kind": kind, "lr": lr, "weight_decay": decay, "seed": seed}
        rows.append({**row, **convnet(kind, lr, decay, seed, digits)})
    return rows


def deep():
    """Return the settings of the deep networks, and a row for each decay and seed."""
    runs = [
        {"kind": kind, "seed": seed, **norms(kind, seed, noisy(seed))}
        for kind, seed in tqdm(list(product(("AdamW", "AdamC", "none"), DEEP["seeds"])), "deep")
    ]
    return {**DEEP, "seeds": list(DEEP["seeds"]), "runs": runs}


def once(name, make, *given):
    """Return what make(*given) returns, from FOLDER if the same constants made it there before."""
    told = {k: str(v) for k, v in globals().items() if k.isupper() and k != "FOLDER"}
    path = FOLDER / f"{name}-{zlib.crc32(repr(told).encode()):08x}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, files.as_json(make(*given)))
    return json.loads(path.read_text(encoding="utf-8"))


def measured(digits):
    """Return the record; its parts lie in _build/weight_decay, so that it goes on after a kill."""
    torch.set_num_threads(1)
    jobs = list(product(DECAYS, (20, 100)))
    grids = [{"kind": k, **judged(once(f"{k}-{e}", grid, k, e))} for k, e in jobs]
    told = {"seeds": list(SEEDS), "held_out": len(digits.y_test), "basins": grids}
    told |= {part.__name__: once(part.__name__, part) for part in (deep, memory, convnets)}
    for row in told["memory"]["rows"]:
        row["best"] = round(lowest(np.mean(row["wrong"], axis=0), MEMORY_DECAYS), 3)
    return told

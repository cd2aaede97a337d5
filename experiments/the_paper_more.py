"""What `the_paper` needs besides its stacks: L-BFGS, the grid of figure 4, the ConvNet."""

import itertools
import math

import numpy as np
import torch
from tqdm import tqdm

from adamlib import files, optim, paper, rules
from adamlib.model import ConvNet
from adamlib.train import train

BETA1S, BETA2S = (0.0, 0.9), (0.99, 0.999, 0.9999)
EXPONENTS = [k / 2 for k in range(-10, -1)]  # of the rates of figure 4
MORE = -0.5  # another, where a rate is chosen
LOOK, EPS = (1, 3, 5, 10, 20), 1e-8  # the epochs after which v is looked at


def short(values):
    """Return nested lists of the numbers, four digits each; None for one that is not finite."""
    if np.ndim(values):
        return [short(value) for value in values]
    return float(f"{values:.4g}") if math.isfinite(values) else None


def quasi_newton(cost, x, y, passes, noisy, seeds, lrs):
    """Return costs (passes, S, L) of L-BFGS on all images; those of the best point met so far.

    With noise, which makes the lowest a matter of luck, those of each pass.
    """
    found = np.full((passes, len(seeds), len(lrs)), np.nan)
    for (s, seed), (k, lr) in itertools.product(enumerate(seeds), enumerate(lrs.tolist())):
        weights, seen = paper.initial(paper.MLP, [seed], 1), []
        draws = [torch.Generator().manual_seed(seed)]
        limits = dict(max_iter=passes, max_eval=passes, tolerance_grad=0, tolerance_change=0)
        optimizer = torch.optim.LBFGS(weights, lr, line_search_fn="strong_wolfe", **limits)

        def closure(optimizer=optimizer, weights=weights, seen=seen, draws=draws):
            optimizer.zero_grad()
            each = cost(weights, x[None], y[None], draws).sum()
            each.backward()
            seen.append(each.item())
            return each

        optimizer.step(closure)
        seen = (seen + passes * seen[-1:])[:passes]
        found[:, s, k] = seen if noisy else np.fmin.accumulate(seen)
    return found


def figure_4(x, y, epochs, seeds, settings):
    """Return the costs (epochs, S, L) of VAEs; a setting is (corrected, beta1, beta2, exponent)."""
    columns = torch.tensor(settings).float().T[:, :, None, None]
    corrected, *betas = columns[0] > 0, columns[1], columns[2]

    def rule(w, g, t, *state, **hyper):  # the clock of an uncorrected one stands at infinity
        clock = torch.where(corrected, float(t), math.inf)
        return rules.adam(w, g, clock, *state, **hyper)

    weights, hyper = paper.initial(paper.VAE, seeds, len(settings)), {"lr": 10 ** columns[3]}
    found, _ = paper.costs(paper.vae_cost, rule, weights, x, y, epochs, seeds, betas=betas, **hyper)
    return np.where(np.isfinite(found), found, np.inf)


def vae(x, y, tuning_seeds, seeds):
    """Return the grids after 10 and 100 epochs, and the twelve settings chosen with ten seeds."""
    exponents = [*EXPONENTS, MORE]
    kinds = list(itertools.product((True, False), BETA1S, BETA2S))
    grid = [(*kind, exponent) for kind in kinds for exponent in exponents]
    with tqdm(desc="VAE", total=3, unit="stack") as bar:
        long = figure_4(x, y, 100, tuning_seeds, grid)[-1].reshape(len(tuning_seeds), 12, -1)
        bar.update()
        early = figure_4(x, y, 10, seeds, grid)[-1].reshape(len(seeds), 12, -1)
        bar.update()
        best = long.mean(0).argmin(1)
        chosen = [(*kind, exponents[i]) for kind, i in zip(kinds, best, strict=True)]
        final = figure_4(x, y, 100, seeds, chosen)[-1]
        bar.update()
    rows = [
        {
            "corrected": kind[0], "beta1": kind[1], "beta2": kind[2],
            "10 epochs": short(early[:, i].mean(0)), "100 epochs": short(long[:, i].mean(0)),
            "chosen": exponents[best[i]], "edge": bool(best[i] in (0, len(exponents) - 1)),
            "tuning cost": short(long[:, i, best[i]].mean()), "cost": short(final[:, i]),
        }
        for i, kind in enumerate(kinds)
    ]  # fmt: skip
    return {"log10 lr": exponents, "settings": rows}


def looked_at(optimizer, model, t, beta2):
    """Return of each layer's weights how √v̂ lies: quantiles of log10(√v̂/ε), share at most ε."""
    found = {}
    for name in ("conv1", "conv2", "linear1", "linear2"):
        v = optimizer.state[getattr(model, name).weight]["exp_avg_sq"]
        ratio = ((v / (1 - beta2**t)).sqrt() / EPS).flatten().double()
        cuts = np.quantile(ratio.log10().clamp(min=-10).numpy(), (0.05, 0.25, 0.5, 0.75, 0.95))
        found[name] = {
            "quantiles": short(cuts),
            "share": short((ratio <= 1).double().mean().item()),
        }
    return found


def trained(cls, seed, digits, **hyper):
    """Return the losses of 20 epochs of the ConvNet and, of Adam, v after some of them."""
    torch.manual_seed(seed)
    model, looks, steps = ConvNet(), {}, itertools.count(1)
    optimizer = cls(model.parameters(), **hyper)
    per_epoch = math.ceil(len(digits.x_train) / 128)

    def look(optimizer, *_):
        t = next(steps)
        if t % per_epoch == 0 and t // per_epoch in LOOK:
            looks[t // per_epoch] = looked_at(optimizer, model, t, hyper["betas"][1])

    if "betas" in hyper:
        optimizer.register_step_post_hook(look)
    try:
        run = train(model, digits, optimizer, seed=seed, device="cpu", progress=False)
        return short(run["train_loss"]), looks
    except FloatingPointError:  # it diverged
        return [None] * 20, looks


def convnet(digits, seeds):
    """Return the losses of the ConvNet with the rates of learning_rates.json, and Adam's v."""
    tuning = files.record("learning_rates")["rules"]
    jobs, record = [("Adam", 0.999), ("Nesterov", None), ("AdaGrad", None), ("Adam", 0.92)], {}
    for name, beta2 in tqdm(jobs, desc="ConvNet", unit="rule"):
        ends = {lr: [run["train_loss"][-1] for run in runs] for lr, runs in tuning[name].items()}
        ends = {float(lr): sum(losses) for lr, losses in ends.items() if None not in losses}
        lr = 10 ** (round(2 * math.log10(min(ends, key=ends.get))) / 2)  # stored with two digits
        hyper = {"lr": lr} | ({"betas": (0.9, beta2)} if beta2 else {})
        runs = [trained(getattr(optim, name), seed, digits, **hyper) for seed in seeds]
        key = f"β2 = {beta2}" if beta2 == 0.92 else name
        record[key] = {"lr": lr, "cost": [losses for losses, _ in runs]}
        if beta2:
            record[key]["v"] = [looks for _, looks in runs]
    return record

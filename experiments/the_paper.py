"""The Adam paper's figures in miniature, for the claims of paper_claims.json: 15 minutes.

The claims and the rules of their verdicts are older than the first run. `python -m experiments
the_paper` tunes every rule with three seeds and runs ten others; `the_paper_more` has the rest.
"""

import math
import time
from functools import partial

import numpy as np
import torch
from tqdm import tqdm

from adamlib import files, paper, rules
from experiments import the_paper_more as more

CLAIMS = files.record("paper_claims")
TUNING, SEEDS = CLAIMS["design"]["tuning seeds"], CLAIMS["design"]["judging seeds"]
GRID, BETA2 = range(-16, 5), 0.999  # rates 10^(k/4); of the average of section 7.2


def decaying(rule):
    """Return the rule with the rate α/√t."""
    return lambda w, g, t, *state, lr: rule(w, g, t, *state, lr=lr * t**-0.5)


def averaged(w, g, t, m=0, v=0, mean=0, *, lr):
    """Return a step of Adam, and the average of section 7.2 before its correction."""
    w, m, v = rules.adam(w, g, t, m, v, lr=lr)
    return w, m, v, BETA2 * mean + (1 - BETA2) * w


DENSE = {
    name: decaying(rule)
    for name, rule in (
        ("Adam", rules.adam),
        ("Nesterov", rules.nesterov),
        ("AdaGrad, α/√t", rules.adagrad),
    )
}
DENSE["AdaGrad"] = rules.adagrad
FIRST_ORDER = {"Adam": averaged, "Nesterov": rules.nesterov, "AdaGrad": rules.adagrad}
FIRST_ORDER["RMSProp"] = rules.rmsprop
RUNS = {  # name: (cost, layers, what the images become, rules, epochs)
    "softmax, dense": (paper.softmax_cost, paper.SOFTMAX, "x", DENSE, 45),
    "softmax, sparse": (paper.sparse_cost, paper.SPARSE, "grays", DENSE, 45),
    "MLP, dropout": (paper.dropout_cost, paper.MLP, "x", FIRST_ORDER, 50),
    "MLP, deterministic": (paper.mlp_cost, paper.MLP, "x", {"Adam": rules.adam}, 50),
}


def logs(costs):
    """Return ln of the costs, infinite where they are not finite."""
    return np.where(np.isfinite(costs), np.log(np.maximum(costs, 1e-300)), np.inf)


def tuned(tries):
    """Return {rate: mean ln cost}, the best k, whether on an edge; tries(ks) gives costs (E, S, L).

    A best rate on an edge gets eight more on that side, at most twice.
    """
    found, more_ks = {}, list(GRID)
    for _ in range(3):
        found |= dict(zip(more_ks, logs(tries(more_ks)).mean((0, 1)), strict=True))
        best, low, high = min(found, key=found.get), min(found), max(found)
        if low < best < high:
            break
        more_ks = list(range(low - 8, low) if best == low else range(high + 1, high + 9))
    scores = {f"{10 ** (k / 4):.3g}": more.short(found[k]) for k in sorted(found)}
    return scores, best, not low < best < high


def rates(ks):
    return torch.tensor([10 ** (k / 4) for k in ks])[:, None, None]


def compared(cost, layers, x, y, rule, epochs):
    """Return the record of a rule on a stack: its tuning, its rate and ten runs with it."""

    def run(seeds, ks):
        weights = paper.initial(layers, seeds, len(ks))
        found, states = paper.costs(cost, rule, weights, x, y, epochs, seeds, lr=rates(ks))
        return found.numpy(), weights, states

    scores, best, edge = tuned(lambda ks: run(TUNING, ks)[0])
    found, weights, states = run(SEEDS, [best])
    record = {"lr": 10 ** (best / 4), "edge": edge, "tuning": scores}
    return record | {"cost": more.short(found[:, :, 0].T)}, weights, states


def held_out(weights, digits):
    """Return the cross-entropy of the held-out images for each seed, without noise."""
    x, y = digits.x_test.flatten(1), digits.y_test
    copies = len(weights[0])
    with torch.no_grad():
        logits = paper.mlp_logits(weights, x.expand(copies, -1, -1))
        return more.short(paper.cross_entropy(logits, y.expand(copies, -1))[:, 0].numpy())


def measured(digits):
    """Return the record of all figures; the claims are judged from it where it is drawn."""
    began, record, y = time.perf_counter(), {}, digits.y_train
    grays = torch.unique(digits.x_train, return_inverse=True)[1].flatten(1).float()  # 0 to 16
    images = {"x": digits.x_train.flatten(1), "grays": grays}
    for name, (cost, layers, kind, those, epochs) in RUNS.items():
        record[name] = {}
        for rule_name, rule in tqdm(those.items(), desc=name, unit="rule"):
            one, weights, states = compared(cost, layers, images[kind], y, rule, epochs)
            record[name][rule_name] = one
            if rule is averaged:
                seen = 1 - BETA2 ** (epochs * math.ceil(len(y) / 128))
                means = [state[2] / seen for _, state in sorted(states.items())]
                one["held out"] = held_out(weights, digits)
                record[name]["Adam, averaged"] = {"held out": held_out(means, digits)}
        if "MLP" in name:
            tries = partial(more.quasi_newton, cost, images["x"], y, epochs, name == "MLP, dropout")
            scores, best, edge = tuned(lambda ks, tries=tries: tries(TUNING, rates(ks).flatten()))
            found = tries(SEEDS, rates([best]).flatten())[:, :, 0]
            about = {"lr": 10 ** (best / 4), "edge": edge, "tuning": scores}
            record[name]["L-BFGS"] = about | {"cost": more.short(found.T)}
    record["VAE"] = more.vae(grays / 16, y, TUNING, SEEDS)
    record["ConvNet"] = more.convnet(digits, CLAIMS["design"]["ConvNet judging seeds"])
    return {"seconds": round(time.perf_counter() - began), "runs": record}

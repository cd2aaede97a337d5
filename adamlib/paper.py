"""The experiments of the Adam paper in miniature: networks by seed and setting, and verdicts.

S seeds and L settings make a stack of S·L networks: weights (S, L, rows, columns), costs (S, L). A
hyperparameter of shape (L, 1, 1) gives each setting its own value. A seed fixes the initial
weights, the order of the examples and the noise, alike for all settings.
"""

import numpy as np
import torch
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    log_softmax,
    one_hot,
    relu,
    softplus,
)

PIXELS, GRAYS, LATENT = 64, 17, 4
SOFTMAX, SPARSE = [(PIXELS, 10)], [(PIXELS * GRAYS, 10)]
MLP = [(PIXELS, 64), (64, 64), (64, 10)]
VAE = [(PIXELS, 32), (32, 2 * LATENT), (LATENT, 32), (32, PIXELS)]


def initial(layers, seeds, settings):
    """Return weights and biases of the layers in turn, uniform ± rows^-½, with gradients."""
    found = []
    for rows, columns in layers:
        draws = [torch.Generator().manual_seed(1000 * len(found) + seed) for seed in seeds]
        both = torch.stack([torch.rand(rows + 1, columns, generator=draw) for draw in draws])
        both = ((2 * both - 1) * rows**-0.5)[:, None].expand(-1, settings, -1, -1)
        found += [both[:, :, :-1].clone(), both[:, :, -1:].clone()]
    return [w.requires_grad_() for w in found]


def costs(cost, rule, weights, x, y, epochs, seeds, batch_size=128, **hyper):
    """Train the stack in place; return its costs (epochs, S, L) and the buffers of each weight.

    The cost of an epoch is the mean over its batches, each before its step and with its noise.
    """
    draws, states, rows, t = [torch.Generator().manual_seed(s) for s in seeds], {}, [], 0
    for _ in range(epochs):
        order = torch.stack([torch.randperm(len(x), generator=draw) for draw in draws])
        rows.append(0)
        for batch in order.split(batch_size, dim=1):  # (S, B)
            t += 1
            each = cost(weights, x[batch], y[batch], draws)  # (S, L)
            rows[-1] += each.detach() * batch.shape[1] / len(x)
            gradients = torch.autograd.grad(each.sum(), weights)
            with torch.no_grad():
                for i, (w, g) in enumerate(zip(weights, gradients, strict=True)):
                    new, *states[i] = rule(w, g, t, *states.get(i, ()), **hyper)
                    w.copy_(new)
    return torch.stack(rows), states


def first(x, w, b):
    """Return the outputs (S, L, B, columns) for x (S, B, rows), which all settings share."""
    return torch.einsum("sbr,slrc->slbc", x, w) + b


def cross_entropy(logits, y):
    """Return the mean cross-entropy (S, L) of logits (S, L, B, 10) for labels (S, B)."""
    index = y[:, None, :, None].expand(*logits.shape[:-1], 1)
    return -log_softmax(logits, -1).gather(-1, index).mean((2, 3))


def noise(kind, shape, draws):
    """Return noise (S, *shape), one draw for each seed: kind is torch.rand or torch.randn."""
    return torch.stack([kind(shape, generator=draw) for draw in draws])


def dropped(x, draws):
    """Return x (S, B, ...) or (S, L, B, columns) without a random half of its entries, times 2."""
    shape = (x.shape[1:],) if x.dim() == 3 else ((1, *x.shape[2:]),)
    return 2 * x * (noise(torch.rand, *shape, draws) < 0.5)


def penalty(weights, l2):
    """Return l2/2 times the squares of all weights and biases, (S, L)."""
    return l2 / 2 * sum((w**2).sum((2, 3)) for w in weights)


def softmax_cost(weights, x, y, draws, l2=1e-4):
    return cross_entropy(first(x, *weights), y) + penalty(weights, l2)


def sparse_cost(weights, x, y, draws):
    x = one_hot(x.long(), GRAYS).flatten(2).float()  # (S, B, 64) -> (S, B, 1088)
    return cross_entropy(first(dropped(x, draws), *weights), y)


def mlp_logits(weights, x, drop=lambda h: h):
    """Return the logits (S, L, B, 10); `drop` is called on both hidden layers."""
    h = drop(relu(first(x, *weights[:2])))  # (S, L, B, 64)
    h = drop(relu(h @ weights[2] + weights[3]))
    return h @ weights[4] + weights[5]


def mlp_cost(weights, x, y, draws, l2=1e-4):
    return cross_entropy(mlp_logits(weights, x), y) + penalty(weights, l2)


def dropout_cost(weights, x, y, draws):
    return cross_entropy(mlp_logits(weights, x, lambda h: dropped(h, draws)), y)


def vae_cost(weights, x, y, draws):
    """Return minus the evidence bound per image, nats; x are gray levels of 0 to 1, y is unused."""
    h = softplus(first(x, *weights[:2]))  # (S, L, B, 32)
    mean, log_var = (h @ weights[2] + weights[3]).split(LATENT, dim=-1)  # (S, L, B, 4) each
    z = mean + noise(torch.randn, (1, *mean.shape[2:]), draws) * (log_var / 2).exp()
    logits = softplus(z @ weights[4] + weights[5]) @ weights[6] + weights[7]  # (S, L, B, 64)
    pixels = x[:, None].expand_as(logits)
    fit = binary_cross_entropy_with_logits(logits, pixels, reduction="none").sum(-1)
    return (fit + (mean**2 + log_var.exp() - log_var - 1).sum(-1) / 2).mean(-1)


MEASURES = {"first": slice(0, 3), "end": slice(-5, None), "curve": slice(None)}


def ratios(claim, runs):
    """Return for each seed the cost of B over that of A, geometric mean over the epochs meant."""
    a, b = (np.array(runs[name]["cost"]) for name in claim["of"])  # (S, E) each
    return np.exp(np.log(b / a)[:, MEASURES[claim["measure"]]].mean(axis=1))


def verdict(rule, x, by=1.1):
    """Return the verdict of a rule of paper_claims.json on `x`: of each seed, or one number."""
    x, even = np.array(x), 0 if rule == "lower" else 1  # differences or ratios
    m, ahead, behind = np.median(x), (x > even).mean(), (x < even).mean()
    holds, weakly, reverse = {
        "beats": (ahead >= 0.9 and m >= by, ahead >= 0.7 and m > 1, behind >= 0.9 and m <= 1 / 1.1),
        "lower": (ahead >= 0.9 and m >= by, ahead >= 0.7 and m > 0, behind >= 0.9 and m <= -by),
        "alike": (1 / 1.1 <= m <= 1.1, 1 / 1.25 <= m <= 1.25, False),
        "no slower": (m >= 1 / 1.1, m >= 1 / 1.25, False),
        "marginal": (ahead >= 0.9 and m <= 1.5, ahead >= 0.7, behind >= 0.9),
        "share": (m >= 0.5, m >= 0.1, False),
        "everywhere": (m >= 0.95, m >= 0.8, m <= 0.5),
        "unstable": (x.flat[-1] >= 3 and x.flat[-1] > x.flat[0], x.flat[-1] >= 1, False),
    }[rule]
    found = {"holds": holds, "holds weakly": weakly, "reversed": reverse}
    return next((word for word, met in found.items() if met), "not at this scale")

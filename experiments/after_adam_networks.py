"""Stacks of small networks for after_adam.py: how they are trained, and their two numbers."""

import math
from itertools import pairwise

import torch
from torch.nn.functional import one_hot

from adamlib import data, rules
from adamlib.engine import backward
from adamlib.model import MLPStack
from adamlib.stack import stack_loss
from experiments import race_tasks

SIZES = {"softmax": (64, 10), "MLP": (64, 32, 10), "deep MLP": (64, 64, 64, 10)}
KEPT = 40  # principal components of white inputs


def network(sizes, seeds):
    """Return [(weights (K, outputs, inputs), biases (K, outputs, 1)), ...] of K networks.

    They are those of an `MLPStack` with one hidden layer; a softmax regression starts at 0.
    """
    if len(sizes) == 2:
        return [(torch.zeros(len(seeds), *sizes[::-1]), torch.zeros(len(seeds), sizes[1], 1))]
    found = []
    for i, pair in enumerate(pairwise(sizes)):
        layer = MLPStack._layer([seed + i * 1_000_000 for seed in seeds], *pair)
        found.append(tuple(w.detach() for w in layer))
    return found


def inputs(kind, images):
    """Return `images` with raw, centered or white pixels, by the training images alone.

    White: the leading principal components, each of variance 1, turned back into pixels.
    """
    x = images.x_train.flatten(1)
    mean = x.mean(0)
    if kind == "raw":
        return images
    turn = torch.eye(64)
    if kind == "white":
        _, s, vt = torch.linalg.svd(x - mean, full_matrices=False)
        turn = (vt[:KEPT].T * (len(x) ** 0.5 / s[:KEPT])) @ vt[:KEPT]
    new = [((part.flatten(1) - mean) @ turn).view_as(part) for part in (images[0], images[2])]
    return images._replace(x_train=new[0], x_test=new[1])


def labels(y):
    """Return (10, B): -1/B at the right digit."""
    return one_hot(y, 10).T / -len(y)


def gradients(layers, x, y, room=None):
    """Return the gradients of all weights and biases; x (B, 64)."""
    return backward.gradients(layers, x.T.contiguous(), labels(y), {} if room is None else room)


def losses(layers, x, y):
    """Return the mean cross-entropy (K,)."""
    return stack_loss(backward.logits(layers, x.T.contiguous()).mT, y)


def activations(layers, x):
    """Return what each layer is given: (64, B), then (K, width, B)."""
    made = backward.outputs(layers, len(x))
    backward.forward(layers, x.T.contiguous(), made)
    return [x.T, *made[:-1]]


def ranks(g, a):
    """Return nr and st (K,): ‖g‖*²/‖g‖² of gradients (K, m, n), ‖a‖²/σ² of activations (n, B)."""
    s, r = torch.linalg.svdvals(g), torch.linalg.svdvals(a @ a.mT)  # the squares, and few of them
    return s.sum(-1) ** 2 / (s**2).sum(-1), r.sum(-1) / r[..., 0]


def layer_ratios(layers, x, y, moved):
    """Return [(nr (K,), st (K,)), ...] of the layers `moved`, and the ratio (K,) of all of them.

    The ratio is that of the guaranteed decreases, the spectral over the Euclidean one: the sum of
    ‖g‖*²/‖a‖² over the sum of ‖g‖²/σ².
    """
    found, spectral, euclidean = [], 0, 0
    slopes, given = gradients(layers, x, y), activations(layers, x)
    for i in moved:
        g, a = slopes[2 * i], given[i]
        found.append(ranks(g, a))
        r = torch.linalg.svdvals(a @ a.mT)
        spectral += torch.linalg.svdvals(g).sum(-1) ** 2 / r.sum(-1)
        euclidean += (g**2).sum((-2, -1)) / r[..., 0]
    return found, spectral / euclidean


def spectral(g):
    """Return ‖g‖* U Vᵀ for g = U S Vᵀ: steepest descent where the norm is the largest of S."""
    u, s, vt = torch.linalg.svd(g, full_matrices=False)
    return s.sum(-1)[..., None, None] * (u @ vt)


def steps(layers, x, y, count, lr, direction, moved):
    """Take steps of size lr (K, 1, 1) with the weights of the layers `moved`, in place."""
    room = {}
    for _ in range(count):
        slopes = gradients(layers, x, y, room)
        for i in moved:
            g = slopes[2 * i].nan_to_num(posinf=0, neginf=0)  # of a network that diverged
            layers[i][0].sub_(lr * direction(g))


def eigh(a):
    """Return torch.linalg.eigh(a), where a is not finite that of 0."""
    return torch.linalg.eigh(a.nan_to_num(posinf=0, neginf=0))


def with_adam(rule, own):
    """Return `rule` for matrices and Adam for biases (K, n, 1); own(hyper): Adam's for a bias."""

    def both(w, g, t, *state, **hyper):
        if w.shape[-1] == 1:
            return rules.adam(w, g, t, *state, **own(hyper))
        return rule(w, g, t, *state, **hyper)

    return both


def train(rule, layers, x, y, epochs, batch_size, seed, *, falls, lr, **hyper):
    """Train the networks in place with a rate that falls as in chapter 9, or stays.

    Returns the buffers of each weight and bias.
    """
    order, t, room = torch.Generator().manual_seed(seed), 0, {}
    weights, count = [w for layer in layers for w in layer], epochs * math.ceil(len(y) / batch_size)
    states = [()] * len(weights)
    for _ in range(epochs):
        for batch in data.batches(x, y, batch_size, order):
            t += 1
            now = lr * (race_tasks.factor(t - 1, steps=count) if falls else 1)
            slopes = gradients(layers, *batch, room)
            for i, (w, g) in enumerate(zip(weights, slopes, strict=True)):
                new, *states[i] = rule(w, g, t, *states[i], lr=now, **hyper)
                w.copy_(new)
    return states

"""Who trains a stack of networks, for `experiments.stacks`: Adam, with a rate for each network.

Each maker (K, images) returns a function that takes `STEPS` steps with batches of `BATCH` images
and returns the seconds per network and step. The batches of all but `train_stack` lie ready.
"""

import importlib.util
import itertools
import time

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from adamlib import rules
from adamlib.model import MLPStack
from adamlib.stack import stack_loss, threads_of, train_stack

BATCH, STEPS = 128, 10
EPOCHS = 1  # of ten batches


def rates(K):
    """Return K learning rates from 1e-4 to 1e-2, (K,)."""
    return torch.logspace(-4, -2, K)


def stack(K, images):
    """`train_stack`, from the end of its first epoch on."""
    lr = rates(K)[:, None, None]

    def run():
        marks, model = [], MLPStack([0] * K)
        note = dict(after=lambda epoch, model: marks.append(time.perf_counter()))
        train_stack(rules.adam, model, images, 1 + EPOCHS, BATCH, **note, lr=lr)
        return (marks[-1] - marks[0]) / (STEPS * K)

    return run


def eager(K, images):
    """As `train_stack` was before: autograd, and the rule as PyTorch operations."""
    weights = [w.mT.contiguous().requires_grad_() for w in weights_of(K)]
    states, lr = [()] * len(weights), rates(K)[:, None, None]
    x, y = images.x_train[:BATCH].flatten(1), images.y_train[:BATCH]

    def step(t):
        h = torch.baddbmm(weights[1], x.expand(K, *x.shape), weights[0]).relu()
        loss = stack_loss(torch.baddbmm(weights[3], h, weights[2]), y).sum()
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            for i, (w, g) in enumerate(zip(weights, gradients, strict=True)):
                new, *states[i] = rules.adam(w, g, t, *states[i], lr=lr)
                w.copy_(new)

    return timed(step, K)


def one_by_one(K, images, threads=None):
    """One torch model with the fused Adam, as there would be K of them one after another."""
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    x, y = images.x_train[:BATCH].flatten(1), images.y_train[:BATCH]

    def step(t):
        with threads_of(threads or torch.get_num_threads()):
            optimizer.zero_grad()
            cross_entropy(model(x), y).backward()
            optimizer.step()

    return timed(step, 1)


def in_jax(K, images, turned=False):
    """vmap over the networks, optax.inject_hyperparams, a lax.scan over the steps, one jit.

    One jitted step at a time is slower. `turned`: with the layout of `MLPStack`.
    """
    import jax
    import optax

    x, y = (part.numpy() for part in (images.x_train.flatten(1), images.y_train))
    x, y = (jax.numpy.array(a.reshape(STEPS, BATCH, *a.shape[1:])) for a in (x, y))
    weights = [jax.numpy.array((w if turned else w.mT).numpy()) for w in weights_of(K)]
    adam = optax.inject_hyperparams(optax.adam)

    def loss(weights, x, y):
        w, b, v, c = weights
        z = v @ jax.nn.relu(w @ x.T + b) + c if turned else jax.nn.relu(x @ w + b) @ v + c
        z = z.T if turned else z
        return optax.losses.softmax_cross_entropy_with_integer_labels(z, y).mean()

    def update(weights, state, x, y):
        updates, state = adam(1e-3).update(jax.grad(loss)(weights, x, y), state, weights)
        return optax.apply_updates(weights, updates), state

    def epoch(weights, state):
        each = jax.vmap(update, (0, 0, None, None))
        steps = lambda carry, batch: (each(*carry, *batch), None)  # noqa: E731
        return jax.lax.scan(steps, (weights, state), (x, y))[0]

    state = jax.vmap(lambda lr, w: adam(lr).init(w))(jax.numpy.array(rates(K).numpy()), weights)
    train = jax.jit(epoch, donate_argnums=(0, 1))

    def run():
        nonlocal weights, state
        start = time.perf_counter()
        weights, state = jax.block_until_ready(train(weights, state))
        return (time.perf_counter() - start) / (STEPS * K)

    return run


def weights_of(K):
    """Return the initial weights of K networks."""
    return [w.detach() for w in MLPStack([0] * K).parameters()]


def timed(step, K):
    """Return a function that takes steps and returns the seconds per network and step."""
    clock = itertools.count(1)

    def run():
        start = time.perf_counter()
        for t in itertools.islice(clock, STEPS):
            step(t)
        return (time.perf_counter() - start) / (STEPS * K)

    return run


def product(n=1024):
    """Return a function that multiplies matrices n×n and returns the seconds per operation."""
    a, b, c = (torch.randn(n, n) for _ in range(3))

    def run():
        start = time.perf_counter()
        for _ in range(10):
            torch.mm(a, b, out=c)
        return (time.perf_counter() - start) / (10 * 2 * n**3)

    return run


def contenders(K, images):
    """Return name -> function, of those whose packages are installed."""
    found = {"train_stack": stack(K, images), "train_stack again": stack(K, images)}
    found |= {"eager": eager(K, images), "one by one": one_by_one(K, images)}
    found["one by one, one thread"] = one_by_one(K, images, 1)
    if all(map(importlib.util.find_spec, ("jax", "optax"))):
        found["jax"], found["jax, turned"] = in_jax(K, images), in_jax(K, images, True)
    return found

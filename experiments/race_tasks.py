"""The four tasks of the fair race: settings of a rule in, held-out losses by epoch out."""

import math
import time
from contextlib import nullcontext

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from adamlib import data, rules
from adamlib.engine.adapter import RuleOptimizer
from adamlib.model import ConvNet, MLPStack
from adamlib.runs import loop
from adamlib.stack import stack_loss, train_stack
from adamlib.sweep.tasks import hyperparameters

DECAY = 2 / 5  # the share of the epochs, at the end, in which the rate falls
SHOWN = 4  # digits kept of a loss


class SoftmaxStack(nn.Module):
    """K softmax regressions side by side: (B, 64) -> (K, B, 10) logits; the weights start at 0."""

    def __init__(self, count):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(count, 64, 10))
        self.bias = nn.Parameter(torch.zeros(count, 1, 10))

    def forward(self, x):
        return torch.baddbmm(self.bias, x.expand(len(self.weight), *x.shape), self.weight)


def factor(t, *, steps):
    """Return 1 for the first 3/5 of the steps, then a straight line to 0 in the step after all."""
    return min(1.0, (steps - t) / (DECAY * steps))


def decaying(rule, steps):
    """Return the rule with the learning rate of `factor`."""

    def scheduled(w, g, t, *state, lr, **hyper):
        return rule(w, g, t, *state, lr=lr * factor(t - 1, steps=steps), **hyper)

    return scheduled


def images(task, seed):
    """Return the digits of a task, cut and changed by the seed."""
    digits = data.load(device="cpu", seed=seed)
    if task == "Zipf softmax":
        rows = [torch.nonzero(digits.y_train == d).flatten() for d in range(10)]
        kept = torch.cat([row[: len(rows[0]) // (d + 1)] for d, row in enumerate(rows)])
        return digits._replace(x_train=digits.x_train[kept], y_train=digits.y_train[kept])
    if task == "noisy MLP":
        draw, y = torch.Generator().manual_seed(seed), digits.y_train.clone()
        wrong = torch.randperm(len(y), generator=draw)[: len(y) // 5]
        y[wrong] = (y[wrong] + torch.randint(1, 10, (len(wrong),), generator=draw)) % 10
        return digits._replace(y_train=y)
    return digits


def stack(trials, *, task, rule, epochs, batch_size, seed):
    """Return a result for each settings, of small networks trained at once from equal weights.

    "held_out": the losses after each epoch, nats; "train": the last one, on the training images;
    "error": the share of held-out images that are wrong in the end.
    """
    digits, K = images(task, seed), len(trials)
    model = SoftmaxStack(K) if task == "Zipf softmax" else MLPStack([seed] * K, width=32)
    x, y = digits.x_test.flatten(1), digits.y_test
    columns = {n: torch.tensor([s[n] for s in trials])[:, None, None] for n in trials[0]}
    hyper = hyperparameters(rule, columns)
    steps, found = epochs * math.ceil(len(digits.y_train) / batch_size), []

    def after(epoch, model):
        with torch.no_grad():
            found.append(stack_loss(model(x), y))

    scheduled = decaying(getattr(rules, rule), steps)
    hyper |= {"seed": seed, "after": after}
    last = train_stack(scheduled, model, digits, epochs, batch_size, **hyper)
    with torch.no_grad():
        wrong = (model(x).argmax(-1) != y).float().mean(-1)
    curves = torch.stack(found, dim=1).tolist()  # (K, epochs)
    rows = zip(curves, last.tolist(), wrong.tolist(), strict=True)
    return [{"held_out": short(c), "train": short(t), "error": short(e)} for c, t, e in rows]


def convnet(settings, *, task, rule, epochs, batch_size, seed):
    """Return the result, as of `stack` but "train", of the ConvNet trained with some settings."""
    cls = type(rule, (RuleOptimizer,), {"rule": staticmethod(getattr(rules, rule))})
    digits = images(task, seed)
    torch.manual_seed(seed)
    model, steps = ConvNet(), epochs * math.ceil(len(digits.y_train) / batch_size)
    optimizer = cls(model.parameters(), hyperparameters(rule, settings))
    scheduler = LambdaLR(optimizer, lambda t: factor(t, steps=steps))
    order, found = torch.Generator().manual_seed(seed), []
    torch.empty(31 * 2**20, dtype=torch.uint8)  # freed at once: see `train`
    try:
        for _ in range(epochs):
            for x, y in data.batches(digits.x_train, digits.y_train, batch_size, order):
                loop.learn(model, optimizer, x, y, nullcontext(), "of a trial")
                scheduler.step()
            found.append(loop.evaluate(model, digits.x_test, digits.y_test))
    except FloatingPointError:  # it diverged
        return {"held_out": [math.nan] * epochs, "error": math.nan}
    losses, hits = zip(*found, strict=True)
    return {"held_out": short(list(losses)), "error": short(1 - hits[-1])}


def short(value):
    """Return a number or a list of numbers with few digits."""
    if isinstance(value, list):
        return [short(each) for each in value]
    return float(f"{value:.{SHOWN}g}")


def step_seconds(rule, digits, steps):
    """Return the seconds of a step of a rule on the ConvNet, gradient included."""
    cls = type(rule, (RuleOptimizer,), {"rule": staticmethod(getattr(rules, rule))})
    model = ConvNet()
    optimizer = cls(model.parameters(), hyperparameters(rule, {"lr": 1e-5}))
    batches = list(zip(digits.x_train.split(128), digits.y_train.split(128), strict=True))
    for _ in range(2):  # the first time compiles, allocates
        began = time.perf_counter()
        for x, y in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    return (time.perf_counter() - began) / steps

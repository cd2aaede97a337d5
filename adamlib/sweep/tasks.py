"""A rule on the digits as the task of a sweep: a stack of networks, the ConvNet."""

import inspect
import math

import torch

from adamlib import data, rules
from adamlib.engine.adapter import RuleOptimizer
from adamlib.model import ConvNet, MLPStack
from adamlib.runs.loop import train
from adamlib.stack import stack_loss, train_stack

RESULTS = ("train_loss", "held_out_loss", "held_out_error")


def mlp(trials, *, rule, epochs=10, seed=0):
    """Return the RESULTS (nats, nats, share of images) of a network 64-32-10 for each settings.

    They are trained at once, from the same weights, which `seed` fixes, as it does the batches.
    """
    digits, model = data.load(), MLPStack([seed] * len(trials), width=32)
    x, y = digits.x_test.flatten(1), digits.y_test
    columns = {name: [[[each[name]]] for each in trials] for name in trials[0]}  # (K, 1, 1)
    hyper = {name: torch.tensor(column, device=x.device) for name, column in columns.items()}
    hyper, rule = hyperparameters(rule, hyper), getattr(rules, rule)
    losses = train_stack(rule, model.to(x.device), digits, epochs, seed=seed, **hyper)
    with torch.no_grad():
        logits = model(x)  # (K, B, 10)
    loss = stack_loss(logits, y)
    wrong = (logits.argmax(-1) != y).float().mean(-1).where(loss.isfinite(), math.nan)
    rows = torch.stack([losses, loss, wrong], dim=1).tolist()
    return [dict(zip(RESULTS, row, strict=True)) for row in rows]


def convnet(settings, *, rule, epochs=10, seed=0):
    """Return the result, as of `mlp`, of the ConvNet trained with some settings."""
    cls = type(rule, (RuleOptimizer,), {"rule": staticmethod(getattr(rules, rule))})
    digits = data.load()
    torch.manual_seed(seed)
    model = ConvNet().to(digits.x_train.device)
    optimizer = cls(model.parameters(), hyperparameters(rule, settings))
    try:
        history = train(model, digits, optimizer, epochs, seed=seed, progress=False)
    except FloatingPointError:  # it diverged
        return dict.fromkeys(RESULTS, math.nan)
    row = *(history[key][-1] for key in RESULTS[:2]), 1 - history["held_out_accuracy"][-1]
    return dict(zip(RESULTS, row, strict=True))


def hyperparameters(rule, settings):
    """Return settings as a rule takes them, with betas; raise ValueError for names of no rule."""
    given = inspect.signature(getattr(rules, rule)).parameters.values()
    usual = {a.name: a.default for a in given if a.kind is a.KEYWORD_ONLY}
    betas = {f"beta{i}": beta for i, beta in enumerate(usual.pop("betas", ()), 1)}
    if wrong := settings.keys() - usual.keys() - betas.keys():
        raise ValueError(f"{rule} has the settings {', '.join(usual | betas)}, got {min(wrong)}")
    hyper = {name: x for name, x in settings.items() if name not in betas}
    return hyper | ({"betas": tuple({**betas, **settings}[x] for x in betas)} if betas else {})

"""Broken Adams: each is the text of `rules.adam` or `rules.adamw` changed."""

import inspect
import linecache

import numpy as np

from adamlib import rules
from adamlib.descent import descend

M, V, W = "m_hat = m / (1 - beta1**t)", "v_hat = v / (1 - beta2**t)", "w = w - lr * m_hat"
DECAY = "    w = w - lr * weight_decay * w  # straight from the weight: no gradient, no ruler\n"
STEP = "    w = w - lr * m_hat / (v_hat**0.5 + eps)\n"


def clock(m, v):
    """Return the edits that put `m` and `v` in place of t where m and v are corrected."""
    return (M, M.replace("beta1**t", m)), (V, V.replace("beta2**t", v))


#: name: (rule, what is done to its text: what stands there, what takes its place).
MUTANTS = {
    "no correction": (rules.adam, ((M, "m_hat = m"), (V, "v_hat = v"))),
    "only m corrected": (rules.adam, ((V, "v_hat = v"),)),
    "only v corrected": (rules.adam, ((M, "m_hat = m"),)),
    "multiplied, not divided": (
        rules.adam,
        ((M, M.replace("/", "*")), (V, V.replace("/", "*"))),
    ),
    "clock one ahead": (rules.adam, clock("beta1 ** (t + 1)", "beta2 ** (t + 1)")),
    "clock stuck at 1": (rules.adam, clock("beta1", "beta2")),
    "clock counts two tensors": (rules.adam, clock("beta1 ** (2 * t)", "beta2 ** (2 * t)")),
    "eps inside the root": (rules.adam, (("(v_hat**0.5 + eps)", "(v_hat + eps) ** 0.5"),)),
    "eps before the correction": (rules.adam, (("+ eps)", "+ eps / (1 - beta2**t) ** 0.5)"),)),
    "eps added to the weight": (rules.adam, (("(v_hat**0.5 + eps)", "v_hat**0.5 + eps"),)),
    "no eps": (rules.adam, (("(v_hat**0.5 + eps)", "v_hat**0.5"),)),
    "no root": (rules.adam, (("v_hat**0.5", "v_hat"),)),
    "no square": (rules.adam, (("g**2", "abs(g)"),)),
    "betas swapped": (rules.adam, (("beta1, beta2 =", "beta2, beta1 ="),)),
    "g in place of m": (rules.adam, ((W, "w = w - lr * g"),)),
    "a sum in place of a mean": (rules.adam, (("(1 - beta1) * g ", "g "),)),
    "m squared in place of g": (rules.adam, (("g**2", "m**2"),)),
    "v starts at 1": (rules.adam, (("v=0", "v=1"),)),
    "decay in the gradient": (
        rules.adamw,
        (
            ("(1 - beta1) * g", "(1 - beta1) * (g + weight_decay * w)"),
            ("g**2", "(g + weight_decay * w) ** 2"),
            (DECAY, ""),
        ),
    ),
    "decay of the other sign": (rules.adamw, (("w - lr * weight", "w + lr * weight"),)),
    "decay without lr": (rules.adamw, (("lr * weight_decay * w", "weight_decay * w"),)),
    "decay after the step": (rules.adamw, ((DECAY, ""), (STEP, STEP + DECAY))),
    "decay never": (rules.adamw, ((DECAY, ""),)),
}


def mutant(name):
    """Return the broken rule of that name, a function like those of `rules`.

    Raises ValueError where there is no such mutant.
    """
    if name not in MUTANTS:
        raise ValueError(f"name must be one of {list(MUTANTS)}, got {name!r}")
    return edited(*MUTANTS[name], name)


def edited(rule, edits, name):
    """Return `rule` after the edits of its text, each of which must stand there once.

    Raises ValueError where one does not.
    """
    text = inspect.getsource(rule)
    for old, new in edits:
        if text.count(old) != 1:
            raise ValueError(f"{old!r} must stand in rules.{rule.__name__} once, for {name!r}")
        text = text.replace(old, new)
    file, scope = f"<{rule.__name__}, {name}>", {}
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file  # for readers
    exec(compile(text, file, "exec"), scope)
    return scope[rule.__name__]


def taken(rule, settings):
    """Return those of the settings that `rule` takes."""
    return {k: x for k, x in settings.items() if k in inspect.signature(rule).parameters}


def moves(rule, gradients, w=0.0, **settings):
    """Return how far each step lowers a weight that is at `w` before it; lr is 1, eps and decay 0,
    if the settings do not say otherwise. A division by 0 gives nan."""
    how = taken(rule, {"lr": 1.0, "eps": 0.0, "weight_decay": 0.0, **settings})
    state, found = (), []
    with np.errstate(all="ignore"):
        for t, g in enumerate(np.asarray(gradients, dtype=float), start=1):
            new, *state = rule(w, g, t, *state, **how)
            found.append(w - new)
    return np.array(found)


def apart(rule, **settings):
    """Return how far ten steps from 1 on random gradients lead from the walk of the right rule."""
    rows, how = np.random.default_rng(0).standard_normal((10, 3)), taken(rule, settings)
    pairs = (rule, iter(rows)), (getattr(rules, rule.__name__, rules.adam), iter(rows))
    paths = [descend(r, lambda w, g=g: next(g), np.ones(3), 10, **how) for r, g in pairs]
    return abs(paths[0] - paths[1]).max()


def passed(rule):
    """Return {test: whether `rule` passes it}; one without decay passes the two tests of it."""
    ones, g, same = np.ones(100), np.array([1.0, -2.0, 3.0, 0.5]), np.allclose
    loud = {"lr": 0.5, "eps": 1.0, "weight_decay": 0.5}
    bare = "weight_decay" not in taken(rule, loud)
    betas = 0.95, 0.99  # not the usual ones: a rule may take no notice of its argument
    m, v = (1 + up * (1 - beta) / (1 - beta**50) for up, beta in zip((2, 8), betas, strict=True))
    return {
        "loss falls": abs(descend(rule, lambda w: w, 1.0, 100, lr=0.01)[-1]) < 1,
        "ten steps": apart(rule) < 1e-3,
        "first step": same(moves(rule, ones[:1]), 1),
        "steady slope": same(moves(rule, ones), 1),
        "units": same(moves(rule, 1000 * g), moves(rule, g)),
        "odd gradient": same(moves(rule, [*ones[:49], 3], betas=betas)[-1], m / v**0.5),
        "silence": same(moves(rule, 0 * g, eps=1e-8), 0),
        "loud eps": same(moves(rule, ones, eps=1.0), 0.5),
        "decay alone": bare or same(moves(rule, 0 * g, w=2.0, **loud), 0.5),
        "decay first": bare or same(moves(rule, ones[:1], w=2.0, **loud), 0.75),
        "ten loud steps": apart(rule, **loud) < 1e-12,
    }

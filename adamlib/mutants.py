"""Broken Adams: each is the text of `rules.adam` or `rules.adamw` changed."""

import inspect
import linecache

from adamlib import rules

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

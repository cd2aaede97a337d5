"""The checkers of chapter 3."""

import numpy as np

from adamlib import rules
from adamlib.check.verdict import call, checker


@checker("the stored step is rescaled to each new rate")
def momenta_inside(answer):
    """Check chapter 3's momenta(lrs, momentum) for a rule with the rate inside its buffer."""
    lrs, b, s = np.array([0.1, 0.1, 0.1, 0.02, 0.02, 0.05]), 0, 0
    where = f"for lrs = {lrs.tolist()} and momentum = 0.9"
    got = call(answer, lrs, 0.9, where=where)
    if np.shape(got) != lrs.shape:
        return f"{where} its shape is {np.shape(got)}: it must return one momentum for each step"
    for t, lr in enumerate(lrs, start=1):
        g = np.cos(t)
        w, b = rules.momentum(0.0, g, t, b, lr=lr)
        s = got[t - 1] * s - lr * g
        if np.isclose(w, s, rtol=1e-9):
            continue
        problem = f"{where} the walks part at step t = {t}"
        problem += f", where η goes from {lrs[t - 2]:g} to {lr:g}" if t > 1 else ""
        if np.isclose(got[t - 1], 0.9):
            problem += ": the stored step was made at another rate than the new one"
        elif np.isclose(got[t - 1], 0.9 * lrs[t - 2] / lr):
            problem += ": the ratio of the rates is upside down"
        return problem

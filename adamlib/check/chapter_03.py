"""The checkers of chapter 3."""

import numpy as np

from adamlib import rules
from adamlib.check.verdict import call, verdict


def momenta_inside(answer):
    """Check chapter 3's momenta(lrs, momentum) for a rule with the rate inside its buffer."""
    lrs, b, s = np.array([0.1, 0.1, 0.1, 0.02, 0.02, 0.05]), 0, 0
    got, problem = call(answer, lrs, 0.9)
    if problem is None and np.shape(got) != lrs.shape:
        problem = f"its shape is {np.shape(got)}: it must return one momentum for each step"
    for t, lr in enumerate(lrs if problem is None else (), start=1):
        g = np.cos(t)
        w, b = rules.momentum(0.0, g, t, b, lr=lr)
        s = got[t - 1] * s - lr * g
        if not np.isclose(w, s, rtol=1e-9):
            problem = f"the walks part at step t = {t}"
            problem += f", where η goes from {lrs[t - 2]:g} to {lr:g}" if t > 1 else ""
            if np.isclose(got[t - 1], 0.9):
                problem += ": the stored step was made at another rate than the new one"
            elif np.isclose(got[t - 1], 0.9 * lrs[t - 2] / lr):
                problem += ": the ratio of the rates is upside down"
            break
    problem = f"for lrs = {lrs.tolist()} and momentum = 0.9 {problem}" if problem else None
    verdict(problem, "the stored step is rescaled to each new rate")

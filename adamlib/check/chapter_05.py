"""The checkers of chapter 5."""

import numpy as np

from adamlib import rules
from adamlib.check.verdict import call, checker


@checker("averages, first step, eps and 200 steps agree with Algorithm 1")
def adam_rule(answer):
    """Check chapter 5's adam(w, g, t, m=0, v=0, *, lr, betas, eps) property by property."""
    got = call(answer, 0.0, 4.0, 1, lr=0.5, betas=(0.9, 0.999), eps=0.0)
    if not isinstance(got, tuple) or len(got) != 3:
        return "it must return the three values w, m, v"
    if not np.allclose(got[1:], (0.4, 0.016)):
        wanted = "for g = 4 and betas 0.9, 0.999 m and v must be 0.4 and 0.016"
        return f"{wanted}, not {got[1]:g}, {got[2]:g}"
    if not np.isclose(got[0], -0.5):
        wanted = "for g = 4 and lr = 0.5 the first step must be 0.5 long"
        return f"{wanted}, not {abs(got[0]):.4g}; are m and v corrected?"
    got = call(answer, 0.0, 1.0, 1, lr=1.0, betas=(0.9, 0.999), eps=1.0)
    if not np.isclose(got[0], -0.5):
        where = "with g = 1, lr = 1 and eps = 1"
        return f"{where} the first step is {got[0]:.4g}, not -1/2; where is eps?"
    mine = theirs = (np.zeros(3),)
    for t, g in enumerate(np.random.default_rng(0).standard_normal((200, 3)), start=1):
        where = f"at step t = {t} on random gradients, betas 0.8 and 0.99,"
        hyper = dict(lr=0.1, betas=(0.8, 0.99), eps=1e-8)
        mine = call(answer, mine[0], g, t, *mine[1:], **hyper, where=where)
        theirs = rules.adam(theirs[0], g, t, *theirs[1:], **hyper)
        if not np.allclose(mine[0], theirs[0], rtol=1e-9):
            return f"{where} it leaves Algorithm 1"

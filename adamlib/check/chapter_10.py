"""The checkers of chapter 10."""

import numpy as np

from adamlib.check.verdict import call, checker
from adamlib.descent import follow


@checker("ruler first, then momentum; on the sequence it goes to -1 for every β2")
def adopt(answer):
    """Check chapter 10's adopt(w, g, t, m=0, v=0, *, lr, betas, eps), which returns w, m, v."""

    def step(*state, eps=1e-6):
        return call(answer, *state, lr=0.5, betas=(0.75, 0.9), eps=eps, where=f"at t = {state[2]}:")

    got = step(1.0, 8.0, 1)
    if not isinstance(got, tuple) or len(got) != 3:
        return f"it must return three values, w, m and v, not {got!r}"
    if not np.isclose(got[0], 1):
        return f"the first gradient only starts the ruler: w must stay at 1, not go to {got[0]:.4g}"
    if not np.allclose(got[1:], (0, 64)):
        return f"after a first gradient of 8, m = 0 and v = 64, not {got[1]:.4g} and {got[2]:.4g}"
    w, m, v = step(1.0, 8.0, 2, 0.0, 4.0)
    if not np.isclose(v, 0.9 * 4 + 0.1 * 64):
        return f"v = 4 and g = 8 must leave v = 0.9·4 + 0.1·64 = 10, not {v:.4g}"
    if np.isclose(m, 0.25 * 8 / 10**0.5):
        return "for v = 4 and g = 8 the ruler is √4: this one holds g itself already"
    if np.isclose(m, 0.25 * 8):
        return "m must average gradients that the ruler has divided, not the bare ones"
    if not np.allclose((w, m), (0.5, 1)):
        return f"for v = 4, g = 8: m = 0.25·8/2 = 1, w = 1 - 0.5·1, not {m:.4g} and {w:.4g}"
    if not np.isclose(step(1.0, 8.0, 3, 2.0, 4.0)[1], 2.5):
        return "m keeps three quarters of what it was: from m = 2, v = 4, g = 8 it must be 2.5"
    if not np.isclose(step(1.0, 8.0, 2, 0.0, 0.25, eps=2.0)[1], 1):
        return "where √v = 0.5 is below eps = 2, eps takes its place: max(√v, eps), no sum"
    for beta2 in (0.0, 0.1, 0.9, 0.999):
        walk = follow(answer, [3.0, -1, -1] * 300, 0.0, lr=0.5, betas=(0.5, beta2), eps=1e-6)
        if not walk[-1] < -0.9:
            return f"on 3, -1, -1, ... with β2 = {beta2} it ends at {walk[-1]:.3g}, not near -1"

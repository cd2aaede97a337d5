"""The checkers of chapter 4."""

import numpy as np

from adamlib.check.verdict import call, checker


@checker("the mean of squares less the squared mean, eps outside")
def centered(answer):
    """Check chapter 4's centered(w, g, t, v=0, a=0, *, lr, alpha, eps) against its definition."""
    got = call(answer, 0.0, 8.0, 1, lr=1.0, alpha=0.75, eps=2.0)  # v = 16, a = 2
    if not isinstance(got, tuple) or len(got) != 3:
        return "it must return the three values w, v, a"
    first = "after one gradient of 8 with alpha = 0.75 and eps = 2"
    if not np.allclose(got[1:], (16, 2)):
        return f"{first}, v and a must be 16 and 2, not {got[1]:g} and {got[2]:g}"
    for length, problem in (
        (8 / 14**0.5, "eps stands inside the root, as in Graves's paper; here it stands outside"),
        (8 / (14**0.5 + 2), "it subtracts the mean a; the variance is v - a**2"),
        (8 / (16**0.5 + 2), "the mean a is missing in the root, or used before its update"),
    ):
        if np.isclose(got[0], -length):
            return f"{first}, w is {got[0]:.4g}: {problem}"
    mine, w = (np.zeros(3),), np.zeros(3)
    gradients = np.random.default_rng(0).standard_normal((50, 3))
    for t, g in enumerate(gradients, start=1):
        share = 0.1 * 0.9 ** np.arange(t - 1, -1, -1)  # of each gradient in the averages
        variance = share @ gradients[:t] ** 2 - (share @ gradients[:t]) ** 2
        w = w - 0.1 * g / (variance**0.5 + 1e-3)
        mine = call(answer, mine[0], g, t, *mine[1:], lr=0.1, alpha=0.9, eps=1e-3)
        if not np.allclose(mine[0], w, rtol=1e-9):
            return f"it leaves the definition at step t = {t} (alpha 0.9, eps 1e-3)"

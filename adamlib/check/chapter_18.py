"""The checkers of chapter 18."""

import numpy as np

from adamlib.check.verdict import call, checker


@checker("both ends of the range arrive at one height, and the range is a new one in every step")
def polar(answer):
    """Check chapter 18's polar(x, low, steps): stretched cubic steps towards U Vᵀ."""
    for shape in ((3, 5), (4, 4), (6, 2)):
        rng, n = np.random.default_rng(0), min(shape)
        u, v = (np.linalg.qr(rng.standard_normal((k, n)))[0] for k in shape)
        for steps in range(4):
            s = np.geomspace(7, 0.5, n)
            where = f"for a {shape[0]}×{shape[1]} matrix, low = 0.01 and {steps} steps:"
            x = u * s @ v.T
            got, before = call(answer, x, 0.01, steps, where=where), u * s @ v.T
            if np.shape(got) != shape:
                return f"{where} it must return such a matrix, not one of shape {np.shape(got)}"
            if (x != before).any():
                return f"{where} it must leave the matrix that it gets as it is"
            if not np.allclose(got, u * cubics(s, steps) @ v.T, rtol=1e-9, atol=1e-9):
                return f"{where} {diagnosis(got, u, s, v, steps)}"


def cubics(s, steps, low=0.01, stretched=True, renewed=True):
    """Return what `steps` cubics make of singular values s, divided by their length first."""
    s = s / (s**2).sum() ** 0.5
    for _ in range(steps):
        c = (3 / (1 + low + low**2)) ** 0.5 if stretched else 1
        s, after = (c * x * (3 - (c * x) ** 2) / 2 for x in (s, low))
        low = after if renewed else low
    return s


def diagnosis(got, u, s, v, steps):
    """Return in words what is wrong with an answer whose singular vectors should be u and v."""
    known = {
        "it does not stretch before the cubic": {"stretched": False},
        "the stretch is that of the first step in all of them": {"renewed": False},
    }
    for words, how in known.items():
        if np.allclose(got, u * cubics(s, steps, **how) @ v.T, rtol=1e-9, atol=1e-9):
            return words
    found, due = np.linalg.svd(got, compute_uv=False), np.sort(cubics(s, steps))[::-1]
    return f"its singular values are {found.round(4)}, not {due.round(4)}"

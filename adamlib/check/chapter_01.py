"""The checkers of chapter 1."""

from numbers import Real

import numpy as np

from adamlib.check.verdict import call, checker


@checker("both ends of the spectrum shrink equally fast")
def best_lr(answer):
    """Check chapter 1's best_lr(smallest, largest): the fastest constant rate on a bowl."""
    for low, high in ((1.0, 10.0), (0.5, 3.0), (1.0, 1.0)):
        where = f"for curvatures {low:g} and {high:g}"
        got = call(answer, low, high, where=where)
        if not (isinstance(got, Real) and np.isfinite(got)):
            return f"{where} it must return one finite number, not {got!r}"
        if np.isclose(got, 2 / (low + high), rtol=1e-9):
            continue
        if np.isclose(got, 2 / high):
            why = ", the limit of stability: there the steep direction never shrinks"
        elif np.isclose(got, 1 / high):
            why = ": the steep direction is done in one step, the flat one still crawls"
        elif got < 2 / (low + high):
            why = ": there the flat direction is the slower one; go farther"
        else:
            why = ": there the steep direction is the slower one; that is too far"
        return f"{where} it returns {got:.6g}{why}"

"""The checkers of chapter 1."""

from numbers import Real

import numpy as np

from adamlib.check.verdict import call, verdict


def best_lr(answer):
    """Check chapter 1's best_lr(smallest, largest): the fastest constant rate on a bowl."""
    for low, high in ((1.0, 10.0), (0.5, 3.0), (1.0, 1.0)):
        got, problem = call(answer, low, high)
        if problem is None and not (isinstance(got, Real) and np.isfinite(got)):
            problem = f"it must return one finite number, not {got!r}"
        elif problem is None and not np.isclose(got, 2 / (low + high), rtol=1e-9):
            problem = f"it returns {got:.6g}"
            if np.isclose(got, 2 / high):
                problem += ", the limit of stability: there the steep direction never shrinks"
            elif np.isclose(got, 1 / high):
                problem += ": the steep direction is done in one step, the flat one still crawls"
            elif got < 2 / (low + high):
                problem += ": there the flat direction is the slower one; go farther"
            else:
                problem += ": there the steep direction is the slower one; that is too far"
        if problem:
            problem = f"for curvatures {low:g} and {high:g} {problem}"
            break
    verdict(problem, "both ends of the spectrum shrink equally fast")

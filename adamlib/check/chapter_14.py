"""The checkers of chapter 14."""

from numbers import Real

import numpy as np

from adamlib.check.verdict import call, verdict


def trapezoid(answer):
    """Check chapter 14's trapezoid(t, steps, warm, cool): up, level at 1, and down to the end."""
    for steps, warm, cool in ((20, 4, 5), (10, 1, 4), (12, 6, 6), (9, 3, 1)):
        for t in range(steps):
            got, problem = call(answer, t, steps, warm, cool)
            wanted = min((t + 1) / warm, 1, (steps - t) / cool)
            if problem is None and not isinstance(got, Real):
                problem = f"it must return one number, not {got!r}"
            elif problem is None and not np.isclose(got, wanted, rtol=1e-9):
                problem = f"the factor is {got:.4g}, not {wanted:.4g}"
                if np.isclose(got, t / warm):
                    problem += ": the rise starts at 0, and such a step moves nothing"
                elif np.isclose(got, (steps - 1 - t) / cool):
                    problem += ": the last step would be of length 0"
                elif np.isclose(got, min((t + 1) / warm, 1)):
                    problem += f": the last {cool} steps go down"
                elif got > 1:
                    problem += ": the level is 1"
            if problem:
                where = f"for t = {t} of steps = {steps}, warm = {warm} and cool = {cool}"
                return verdict(f"{where} {problem}", "")
    verdict(None, "up in warm steps, level, and down in the last cool steps, none of length 0")

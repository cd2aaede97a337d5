"""The checkers of chapter 14."""

from numbers import Real

import numpy as np

from adamlib.check.verdict import call, checker


@checker("up in warm steps, level, and down in the last cool steps, none of length 0")
def trapezoid(answer):
    """Check chapter 14's trapezoid(t, steps, warm, cool): up, level at 1, and down to the end."""
    cases = (20, 4, 5), (10, 1, 4), (12, 6, 6), (9, 3, 1)
    for steps, warm, cool, t in ((*case, t) for case in cases for t in range(case[0])):
        where = f"for t = {t} of steps = {steps}, warm = {warm} and cool = {cool}"
        got = call(answer, t, steps, warm, cool, where=where)
        wanted = min((t + 1) / warm, 1, (steps - t) / cool)
        if not isinstance(got, Real):
            return f"{where} it must return one number, not {got!r}"
        if np.isclose(got, wanted, rtol=1e-9):
            continue
        problem = f"{where} the factor is {got:.4g}, not {wanted:.4g}"
        if np.isclose(got, t / warm):
            problem += ": the rise starts at 0, and such a step moves nothing"
        elif np.isclose(got, (steps - 1 - t) / cool):
            problem += ": the last step would be of length 0"
        elif np.isclose(got, min((t + 1) / warm, 1)):
            problem += f": the last {cool} steps go down"
        elif got > 1:
            problem += ": the level is 1"
        return problem

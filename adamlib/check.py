"""Checkers of the book's exercises: each prints whether an answer is right and, if not, why."""

import numpy as np

from adamlib import rules


def _verdict(problem, praise):
    """Print the verdict of a checker: `praise` when there is no problem."""
    print(f"✗ Not yet: {problem}" if problem else f"✓ Correct: {praise}")


def _call(answer, *arguments, **hyper):
    """Return (result, None), or (None, problem) when the reader's function raises."""
    try:
        return answer(*arguments, **hyper), None
    except Exception as error:  # whatever the reader's code raises is part of the verdict
        return None, f"{answer.__name__} raised {type(error).__name__}: {error}"


def best_lr(answer):
    """Check chapter 1's best_lr(smallest, largest): the fastest constant rate on a bowl."""
    for low, high in ((1.0, 1.0), (1.0, 10.0), (0.5, 3.0)):
        got, problem = _call(answer, low, high)
        if problem is None and not np.isclose(got, 2 / (low + high), rtol=1e-9):
            problem = f"for curvatures {low:g} and {high:g} it returns {got:.6g}"
            if np.isclose(got, 2 / high):
                problem += ", the limit of stability: there the steep direction never shrinks"
            elif np.isclose(got, 1 / high):
                problem += ": the steep direction is done in one step, the flat one still crawls"
        if problem:
            break
    _verdict(problem, "both ends of the spectrum shrink equally fast")


def adam_rule(answer):
    """Check chapter 5's adam(w, g, t, m=0, v=0, *, lr, betas, eps) property by property."""
    _verdict(_adam_problem(answer), "first step, scale, eps and 200 steps agree with Algorithm 1")


def _adam_problem(answer):
    got, problem = _call(answer, 0.0, 4.0, 1, lr=0.5, betas=(0.9, 0.999), eps=0.0)
    if problem:
        return problem
    if not isinstance(got, tuple) or len(got) != 3:
        return "it must return the three values w, m, v"
    if not np.isclose(got[0], -0.5):
        length = abs(got[0])
        return f"the first step has length {length:.4g}, not lr = 0.5; are m and v corrected?"
    got, _ = _call(answer, 0.0, 1.0, 1, lr=1.0, betas=(0.9, 0.999), eps=1.0)
    if not np.isclose(got[0], -0.5):
        return (
            f"with g = 1 and eps = 1 the first step is {got[0]:.4g} instead of -1/2; where is eps?"
        )
    mine = theirs = (np.zeros(3),)
    for t, g in enumerate(np.random.default_rng(0).standard_normal((200, 3)), start=1):
        mine, problem = _call(answer, mine[0], g, t, *mine[1:], lr=0.1, betas=(0.8, 0.99), eps=1e-8)
        theirs = rules.adam(theirs[0], g, t, *theirs[1:], lr=0.1, betas=(0.8, 0.99))
        if problem or not np.allclose(mine[0], theirs[0], rtol=1e-9):
            return problem or f"it leaves Algorithm 1 at step t = {t} (betas 0.8 and 0.99)"
    return None


def corrected_mean(answer):
    """Check chapter 6's corrected_mean(values, betas), where beta changes at every step."""
    rng, problem = np.random.default_rng(0), None
    for betas in (np.full(5, 0.9), np.array([0.0, 0.5, 0.9, 0.99]), rng.uniform(0, 1, 30)):
        ones, problem = _call(answer, np.ones(len(betas)), betas)
        if problem is None and not np.allclose(ones, 1):
            problem = (
                f"the mean of ones comes out as {float(ones):.6g}; the weights must add up to 1"
            )
        values = rng.standard_normal(len(betas))
        got, problem = (None, problem) if problem else _call(answer, values, betas)
        weights = (1 - betas) * np.append(np.cumprod(betas[:0:-1])[::-1], 1.0)
        if problem is None and not np.isclose(got, weights @ values / weights.sum()):
            problem = "the weights add up to 1, but they are not those of the running average"
        if problem:
            break
    _verdict(problem, "divide by one minus the product of all betas so far")

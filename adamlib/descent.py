"""The walk of a rule over a surface."""

import numpy as np


def descend(rule, grad, w, steps, **hyper):
    """Return the path of `rule` from `w`, shape (steps + 1, *w.shape); path[0] is the start.

    rule: one of `adamlib.rules`. grad: a function from weights to the gradient, same shape.
    hyper: the rule's hyperparameters; an array that broadcasts against `w` walks many at once.
    A walk that diverges goes on to inf and nan without a warning: that is a result, too.
    Raises ValueError for a negative or fractional number of steps, or a start that is not finite.
    """
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 0:
        raise ValueError(f"steps must be a whole number >= 0, got {steps!r}")
    w = np.asarray(w, dtype=float)
    if not np.isfinite(w).all():
        raise ValueError(f"w must be finite, got {w.tolist()}")
    path, state = [w], ()
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(1, steps + 1):
            w, *state = rule(w, grad(w), t, *state, **hyper)
            path.append(w)
    return np.stack(np.broadcast_arrays(*path))

"""The walk of a rule over a surface, or over given gradients."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Rule = Callable[..., Any]
Floats = NDArray[np.float64]


def descend(
    rule: Rule, grad: Callable[[Floats], Any], w: ArrayLike, steps: int, **hyper: Any
) -> Floats:
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


def follow(
    rule: Rule,
    gradients: Iterable[ArrayLike],
    w: ArrayLike,
    *,
    lr: ArrayLike,
    inside: tuple[float, float] = (-1, 1),
    **hyper: Any,
) -> Floats:
    """Return the path of `rule` from `w` where step t sees gradients[t - 1], wherever w is.

    The setting of online learning: the losses are given, and linear; the learning rate of step t is
    lr / √t; a step that leaves `inside` = (low, high) ends at its border. `w` and `hyper` may be
    arrays, of walks side by side. Returns the shape of `descend`.
    """
    path, state = [np.asarray(w, dtype=float)], ()
    for t, g in enumerate(gradients, start=1):
        w, *state = rule(path[-1], g, t, *state, lr=lr / t**0.5, **hyper)
        path.append(np.clip(w, *inside))
    return np.stack(np.broadcast_arrays(*path))

"""Surfaces to watch a rule on: height, gradient and minimum.

The formulas of a surface are written once, with operators on two numbers. So they run on arrays
here, and on the numbers of JavaScript where the playground of a page has translated them.
"""

from collections.abc import Callable
from math import cos, sin
from typing import NamedTuple

import numpy as np


class Surface(NamedTuple):
    """A function of two variables that knows its gradient and where its minimum lies."""

    f: Callable  #: (..., 2) -> (...), the height
    grad: Callable  #: (..., 2) -> (..., 2), the gradient
    minimum: np.ndarray  #: (2,), the lowest point
    formulas: tuple[Callable, Callable]  #: both again: f(x, y), a number, and grad(x, y), a pair


def surface(f, grad, minimum):
    """Return the `Surface` of the formulas f(x, y) and grad(x, y) -> (slope in x, slope in y)."""

    def height(w):
        return f(*np.moveaxis(np.asarray(w), -1, 0))

    def gradient(w):
        return np.stack(grad(*np.moveaxis(np.asarray(w), -1, 0)), axis=-1)

    return Surface(height, gradient, np.array(minimum, dtype=float), (f, grad))


def quadratic(curvatures, angle=0.0):
    """Return the bowl f(w) = ½ Σ λᵢ wᵢ², turned counterclockwise by `angle`, with its minimum at 0.

    curvatures: the two eigenvalues λ of the Hessian, positive. angle: radians.
    Raises ValueError when a curvature is not positive and finite.
    """
    curvatures = np.asarray(curvatures, dtype=float)
    if curvatures.shape != (2,) or not np.all((curvatures > 0) & np.isfinite(curvatures)):
        raise ValueError(f"curvatures must be two positive numbers, got {curvatures.tolist()}")
    first, second = curvatures.tolist()
    c, s = cos(angle), sin(angle)  # the axes of the bowl point along (c, s) and (-s, c)

    def f(x, y):
        return 0.5 * (first * (c * x + s * y) ** 2 + second * (c * y - s * x) ** 2)

    def grad(x, y):
        along = first * (c * x + s * y)  # the slope along each axis of the bowl
        across = second * (c * y - s * x)
        return c * along - s * across, s * along + c * across

    return surface(f, grad, (0, 0))


def rosenbrock():
    """Return Rosenbrock's curved valley f = (1 - x)² + 100 (y - x²)², lowest at (1, 1)."""

    def f(x, y):
        return (1 - x) ** 2 + 100 * (y - x**2) ** 2

    def grad(x, y):
        return -2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)

    return surface(f, grad, (1, 1))


def saddle():
    """Return f = ½ x² + ¼ (y² - 1)²: two hollows, and a saddle between them at the origin.

    The minimum is (0, 1); (0, -1) is as low.
    """

    def f(x, y):
        return 0.5 * x**2 + 0.25 * (y**2 - 1) ** 2

    def grad(x, y):
        return x, y * (y**2 - 1)

    return surface(f, grad, (0, 1))

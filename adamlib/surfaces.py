"""Surfaces of two variables on which a rule can be watched: height, gradient and minimum."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Surface(NamedTuple):
    """A function of two variables that knows its gradient and where its minimum lies."""

    f: Callable  #: (..., 2) -> (...), the height
    grad: Callable  #: (..., 2) -> (..., 2), the gradient
    minimum: np.ndarray  #: (2,), the lowest point


def quadratic(curvatures, angle=0.0):
    """Return the bowl f(w) = ½ Σ λᵢ wᵢ², turned counterclockwise by `angle`, with its minimum at 0.

    curvatures: the two eigenvalues λ of the Hessian, positive. angle: radians.
    Raises ValueError when a curvature is not positive and finite.
    """
    curvatures = np.asarray(curvatures, dtype=float)
    if curvatures.shape != (2,) or not np.all((curvatures > 0) & np.isfinite(curvatures)):
        raise ValueError(f"curvatures must be two positive numbers, got {curvatures.tolist()}")
    c, s = np.cos(angle), np.sin(angle)
    axes = np.array([[c, s], [-s, c]])  # rows: the directions of the two curvatures

    def f(w):
        along = np.asarray(w) @ axes.T  # (..., 2), coordinates along the axes of the bowl
        return 0.5 * (curvatures * along**2).sum(axis=-1)

    def grad(w):
        along = np.asarray(w) @ axes.T
        return (curvatures * along) @ axes

    return Surface(f, grad, np.zeros(2))


def rosenbrock():
    """Return Rosenbrock's curved valley f = (1 - x)² + 100 (y - x²)², lowest at (1, 1)."""

    def f(w):
        x, y = np.moveaxis(np.asarray(w), -1, 0)
        return (1 - x) ** 2 + 100 * (y - x**2) ** 2

    def grad(w):
        x, y = np.moveaxis(np.asarray(w), -1, 0)
        return np.stack([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)], axis=-1)

    return Surface(f, grad, np.ones(2))

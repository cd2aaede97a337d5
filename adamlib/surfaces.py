"""Surfaces to watch a rule on: height, gradient and minimum; and a memory, where W is a matrix.

The formulas of a surface are written once, with operators on two numbers, those of a memory on
matrices. So they run on arrays here, and in JavaScript where a page has translated them.
"""

from collections.abc import Callable
from math import cos, pi, sin
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class Surface(NamedTuple):
    """A function of two variables that knows its gradient and where its minimum lies."""

    f: Callable[[ArrayLike], Any]  #: (..., 2) -> (...), the height
    grad: Callable[[ArrayLike], Floats]  #: (..., 2) -> (..., 2), the gradient
    minimum: Floats  #: (2,), the lowest point
    #: both again: f(x, y), a number, and grad(x, y), a pair
    formulas: tuple[Callable[..., Any], Callable[..., Any]]


def surface(f: Callable[..., Any], grad: Callable[..., Any], minimum: ArrayLike) -> Surface:
    """Return the `Surface` of the formulas f(x, y) and grad(x, y) -> (slope in x, slope in y)."""

    def height(w):
        return f(*np.moveaxis(np.asarray(w), -1, 0))

    def gradient(w):
        return np.stack(grad(*np.moveaxis(np.asarray(w), -1, 0)), axis=-1)

    return Surface(height, gradient, np.array(minimum, dtype=float), (f, grad))


def quadratic(curvatures: ArrayLike, angle: float = 0.0) -> Surface:
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


def rosenbrock() -> Surface:
    """Return Rosenbrock's curved valley f = (1 - x)² + 100 (y - x²)², lowest at (1, 1)."""

    def f(x, y):
        return (1 - x) ** 2 + 100 * (y - x**2) ** 2

    def grad(x, y):
        return -2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)

    return surface(f, grad, (1, 1))


def saddle() -> Surface:
    """Return f = ½ x² + ¼ (y² - 1)²: two hollows, and a saddle between them at the origin.

    The minimum is (0, 1); (0, -1) is as low.
    """

    def f(x, y):
        return 0.5 * x**2 + 0.25 * (y**2 - 1) ** 2

    def grad(x, y):
        return x, y * (y**2 - 1)

    return surface(f, grad, (0, 1))


class Memory(NamedTuple):
    """A linear map W (8, 8) that is to send each of eight keys to its value, the next key.

    The loss is ½ Σ pᵢ ‖W kᵢ - vᵢ‖², where the frequency pᵢ falls with i. The keys are
    orthonormal, so W can learn all of them, and what it learns of one changes no other.
    """

    keys: np.ndarray  #: (8, 8), a key in each row, the most frequent first
    values: np.ndarray  #: (8, 8), the value of each
    frequencies: np.ndarray  #: (8, 1), their sum is 1

    def grad(self, w):
        """Return the gradient of the loss at w (..., 8, 8)."""
        return memory_gradient(w, *self)

    def errors(self, w):
        """Return ‖W k - v‖ of each key, (..., 8), for w (..., 8, 8)."""
        return memory_errors(w, self.keys, self.values)[..., 0, :]


def memory(keys, exponent=1):
    """Return the `Memory` of keys (8, 8) whose frequencies are as 1 / i^exponent, i = 1 ... 8."""
    return Memory(keys, np.roll(keys, -1, axis=0), zipf(np.arange(1.0, 9)[:, None], exponent))


def zipf(ranks, exponent):
    """Return the frequencies (n, 1) of ranks (n, 1)."""
    p = ranks**-exponent
    return p / p.sum(axis=(-2, -1), keepdims=True)


def memory_gradient(w, keys, values, frequencies):
    """Return the gradient of ½ Σ pᵢ ‖W kᵢ - vᵢ‖²; a key and its value are a row of each matrix."""
    return (w @ keys.mT - values.mT) @ (frequencies * keys)


def memory_errors(w, keys, values):
    """Return ‖W kᵢ - vᵢ‖ as a row (1, n)."""
    return ((w @ keys.mT - values.mT) ** 2).sum(axis=-2, keepdims=True) ** 0.5


def cosines():
    """Return eight orthonormal keys (8, 8), in which the coordinates are mixed: cosine waves."""
    waves = np.cos(pi / 8 * np.outer(np.arange(8), np.arange(8) + 0.5)) / 2
    waves[0] *= 0.5**0.5
    return waves

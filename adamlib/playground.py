"""The playground: a map on which rules race from one start.

A notebook shows it as a figure. A page of the book puts the live one in its place, which runs the
same rules on the same surfaces, translated into JavaScript when the book is built.
"""

from inspect import signature
from math import isfinite, pi
from numbers import Real
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display

from adamlib import plots, rules, surfaces
from adamlib.descent import descend


class Map(NamedTuple):
    """A surface and the part of it that is shown."""

    surface: surfaces.Surface
    x: tuple[float, float] = (-2.0, 2.0)
    y: tuple[float, float] = (-2.0, 2.0)


#: The maps, by the names that a reader chooses from.
MAPS = {
    "round bowl": Map(surfaces.quadratic([1, 1])),
    "valley κ=10": Map(surfaces.quadratic([1, 10])),
    "valley κ=10 turned 45°": Map(surfaces.quadratic([1, 10], angle=pi / 4)),
    "valley κ=100": Map(surfaces.quadratic([1, 100])),
    "valley κ=100 turned 45°": Map(surfaces.quadratic([1, 100], angle=pi / 4)),
    "Rosenbrock valley": Map(surfaces.rosenbrock(), y=(-1.0, 3.0)),
    "saddle": Map(surfaces.saddle()),
}
#: The rules, by the names of their styles.
RULES = {
    "gradient descent": rules.gradient_descent,
    "momentum": rules.momentum,
    "Nesterov": rules.nesterov,
    "AdaGrad": rules.adagrad,
    "RMSProp": rules.rmsprop,
    "Adam": rules.adam,
}
RATES = (1e-4, 10)  # the ends of a slider
MOST_STEPS, LARGEST_BETA = 500, 0.9999
DIVERGED = 1e4  # from this height on a result is "diverged"; the maps reach up to 2509


def playground(surface, rates, start, steps, *, betas=(0.9, 0.999)):
    """Show the map `surface` and the paths of the rules in `rates` after `steps` steps.

    surface: a name in `MAPS`. rates: the learning rate of each rule, by the rule's name in `RULES`.
    start: a point on the map. betas: Adam's; the first is also the β of momentum and Nesterov, the
    second the α of RMSProp. All of it is where the reader of a page begins, and can be changed.
    Raises ValueError for anything else.
    """
    check(surface, rates, start, steps, betas)
    paths = walks(surface, rates, start, steps, betas=betas)
    preset = {"surface": surface, "rates": {name: float(lr) for name, lr in rates.items()}}
    preset |= {"start": [*map(float, start)], "steps": steps, "betas": [*map(float, betas)]}
    fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
    plots.contour(ax, *MAPS[surface])
    for name, path in paths.items():
        seen = path[: on_map(surface, path) + 2]  # up to the frame, where it leaves for good
        plots.path(ax, seen, name, linewidth=1, label=f"{name}, η = {rates[name]:g}")
    ax.plot(*start, "o", color="black", markerfacecolor="white", markersize=7, label="start")
    ax.set(title=f"{surface}, {steps} steps", aspect="equal")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    alt = described(preset, heights(surface, paths))
    display(fig, metadata={"image/svg+xml": {"alt": alt, "playground": preset}})
    plt.close(fig)


def walks(surface, rates, start, steps, *, betas=(0.9, 0.999)):
    """Return the path of each rule, (steps + 1, 2), by name; the arguments are `playground`'s."""
    paths = {}
    for name, lr in rates.items():
        hyper = {"lr": lr, "momentum": betas[0], "alpha": betas[1], "betas": betas}
        own = {key: hyper[key] for key in hyper if key in signature(RULES[name]).parameters}
        paths[name] = descend(RULES[name], MAPS[surface].surface.grad, start, steps, **own)
    return paths


def heights(surface, paths):
    """Return the height f at the end of each path, by name; inf or nan where it diverged."""
    with np.errstate(over="ignore", invalid="ignore"):
        return {name: float(MAPS[surface].surface.f(path[-1])) for name, path in paths.items()}


def on_map(surface, path):
    """Return the number of the last step of a path that lies on the map `surface`."""
    _, x, y = MAPS[surface]
    inside = (path >= (x[0], y[0])) & (path <= (x[1], y[1]))  # nan is not
    return np.flatnonzero(inside.all(axis=1))[-1]


def described(preset, ends):
    """Return what the figure of a preset shows, for readers who cannot see it."""
    rows = [
        f"{name} with learning rate {preset['rates'][name]:g} "
        + (f"at {f:.2g}" if f < DIVERGED else "diverged")
        for name, f in ends.items()
    ]
    x, y = preset["start"]
    return (
        f"Map of the {preset['surface']}. From ({x:g}, {y:g}), where f is "
        f"{MAPS[preset['surface']].surface.f((x, y)):.2g}, after {preset['steps']} steps: "
        f"{', '.join(rows)}."
    )


def check(surface, rates, start, steps, betas):
    """Raise ValueError, naming the argument and what is allowed, unless all can be shown."""
    if surface not in MAPS:
        raise ValueError(f"surface must be one of {list(MAPS)}, got {surface!r}")
    if not isinstance(rates, dict) or not rates or not set(rates) <= set(RULES):
        raise ValueError(f"rates must map some of {list(RULES)} to learning rates, got {rates!r}")
    for name, lr in rates.items():
        if not number(lr) or not RATES[0] <= lr <= RATES[1]:
            raise ValueError(f"rates must be from {RATES[0]} to {RATES[1]}, got {lr!r} for {name}")
    (left, right), (low, high) = MAPS[surface].x, MAPS[surface].y
    if not pair(start) or not (left <= start[0] <= right and low <= start[1] <= high):
        raise ValueError(
            f"start must be a point of x from {left} to {right} and y from {low} to {high}, "
            f"got {start!r}"
        )
    if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= MOST_STEPS:
        raise ValueError(f"steps must be a whole number from 1 to {MOST_STEPS}, got {steps!r}")
    if not pair(betas) or not all(0 <= beta <= LARGEST_BETA for beta in betas):
        raise ValueError(f"betas must be two numbers from 0 to {LARGEST_BETA}, got {betas!r}")


def pair(value):
    """Return whether value is two finite numbers."""
    return isinstance(value, tuple | list) and len(value) == 2 and all(map(number, value))


def number(value):
    """Return whether value is a finite number."""
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)

"""The playground: a map on which rules race from one start, and a memory that they learn.

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
#: The rules that learn a memory, and how. Sign and Muon have no momentum: directions compared.
LEARNERS = {
    "gradient descent": (rules.gradient_descent, {}),
    "sign": (rules.sign_momentum, {"momentum": 0}),
    "Adam": (rules.adam, {}),
    "Muon": (rules.muon, {"momentum": 0, "weight_decay": 0}),
}
#: The keys of a memory, by the names that a reader chooses from.
KEYS = {"along the axes": np.eye(8), "turned": surfaces.cosines()}
RATES = (1e-4, 10)  # the ends of a slider
MOST_STEPS, LARGEST_BETA = 500, 0.9999
LONGEST, LARGEST_EXPONENT = 100, 2  # steps and frequencies of a memory
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


def memory(rates, steps, because, *, keys="turned", exponent=1):
    """Show what rules at learning rates `rates` have learned of a memory after `steps` steps.

    rates: the learning rate of two or more rules, by their names in `LEARNERS`. keys: a name in
    `KEYS`. exponent: key i is as frequent as 1 / i^exponent. A page lets its reader guess first
    which rule knows the rarest key best; `because` says why in one sentence.
    Raises ValueError for anything else.
    """
    check_memory(rates, steps, because, keys, exponent)
    errors = recall(rates, steps, keys=keys, exponent=exponent)
    preset = {"rates": {name: float(lr) for name, lr in rates.items()}, "steps": steps}
    preset |= {"because": because, "keys": keys, "exponent": float(exponent)}
    fig, axes = plt.subplots(1, len(rates), figsize=(7, 2.6), sharey=True, layout="constrained")
    for ax, (name, path) in zip(axes, errors.items(), strict=True):
        seen = np.nan_to_num(path[-1], nan=np.inf).clip(max=2)  # past the frame
        ax.bar(range(1, 9), seen, color=plots.STYLES[name]["color"], alpha=0.5)
        ax.plot(range(1, 9), seen, **plots.style(name) | {"linestyle": ""})
        ax.axhline(1, color="black", linewidth=0.8)
        ax.set(title=f"{name}\nη = {rates[name]:g}", ylim=(0, 1.25), xticks=[1, 8], xlabel="key")
    axes[0].set(ylabel=f"error after {steps} steps")
    alt = recalled(preset, {name: path[-1] for name, path in errors.items()})
    display(fig, metadata={"image/svg+xml": {"alt": alt, "memory": preset}})
    plt.close(fig)


def recall(rates, steps, *, keys="turned", exponent=1):
    """Return the error of each key, (steps + 1, 8), by rule; the arguments are `memory`'s."""
    task, errors = surfaces.memory(KEYS[keys], exponent), {}
    for name, lr in rates.items():
        rule, hyper = LEARNERS[name]
        path = descend(rule, task.grad, np.zeros((8, 8)), steps, lr=lr, **hyper)
        with np.errstate(over="ignore", invalid="ignore"):
            errors[name] = task.errors(path)
    return errors


def recalled(preset, ends):
    """Return what the figure of a memory shows, for readers who cannot see it."""
    whole = {name: e for name, e in ends.items() if e.max() < DIVERGED}  # nan is not
    rows = [
        f"{name} with learning rate {preset['rates'][name]:g}"
        + (f": {e[0]:.2f} and {e[-1]:.2f}" if name in whole else " diverged")
        for name, e in ends.items()
    ]
    best = min(whole, key=lambda name: whole[name][-1], default="None")
    return (
        f"Bars: the error of eight keys, 1 at first, after {preset['steps']} steps. Of the most "
        f"frequent and of the rarest key, {'; '.join(rows)}. {best} knows the rarest key best."
    )


def check(surface, rates, start, steps, betas):
    """Raise ValueError, naming the argument and what is allowed, unless all can be shown."""
    if surface not in MAPS:
        raise ValueError(f"surface must be one of {list(MAPS)}, got {surface!r}")
    check_rates(rates, RULES, 1)
    (left, right), (low, high) = MAPS[surface].x, MAPS[surface].y
    if not pair(start) or not (left <= start[0] <= right and low <= start[1] <= high):
        raise ValueError(
            f"start must be a point of x from {left} to {right} and y from {low} to {high}, "
            f"got {start!r}"
        )
    check_steps(steps, MOST_STEPS)
    if not pair(betas) or not all(0 <= beta <= LARGEST_BETA for beta in betas):
        raise ValueError(f"betas must be two numbers from 0 to {LARGEST_BETA}, got {betas!r}")


def check_memory(rates, steps, because, keys, exponent):
    """Raise ValueError, naming the argument and what is allowed, unless all can be shown."""
    check_rates(rates, LEARNERS, 2)
    check_steps(steps, LONGEST)
    if not isinstance(because, str) or not because.strip():
        raise ValueError(f"because must say why a rule knows the rarest key best, got {because!r}")
    if keys not in KEYS:
        raise ValueError(f"keys must be one of {list(KEYS)}, got {keys!r}")
    if not number(exponent) or not 0 <= exponent <= LARGEST_EXPONENT:
        raise ValueError(f"exponent must be from 0 to {LARGEST_EXPONENT}, got {exponent!r}")


def check_rates(rates, names, fewest):
    """Raise ValueError unless `rates` maps at least `fewest` of `names` to what a slider has."""
    if not isinstance(rates, dict) or len(rates) < fewest or not set(rates) <= set(names):
        raise ValueError(
            f"rates must map {fewest} or more of {list(names)} to learning rates, got {rates!r}"
        )
    for name, lr in rates.items():
        if not number(lr) or not RATES[0] <= lr <= RATES[1]:
            raise ValueError(f"rates must be from {RATES[0]} to {RATES[1]}, got {lr!r} for {name}")


def check_steps(steps, most):
    """Raise ValueError unless `steps` is a whole number that a slider up to `most` has."""
    if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= most:
        raise ValueError(f"steps must be a whole number from 1 to {most}, got {steps!r}")


def pair(value):
    """Return whether value is two finite numbers."""
    return isinstance(value, tuple | list) and len(value) == 2 and all(map(number, value))


def number(value):
    """Return whether value is a finite number."""
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)

"""Rules and surfaces in JavaScript: the same numbers as in Python, run by V8."""

import json
from pathlib import Path

import numpy as np
import playground  # the book's extension
import pytest
from javascript import javascript
from oracle import NAMES
from py_mini_racer import MiniRacer

from adamlib import rules
from adamlib.descent import descend
from adamlib.playground import MAPS, RULES

SCRIPT = Path(playground.__file__).with_name("playground.js")
START = [-1.2, 0.9]
# Small enough for a walk that settles: one that bounces doubles a rounding at every few steps.
RATES = {"Rosenbrock valley": 2e-4, "saddle": 0.05, "round bowl": 0.05}
RATES |= {f"valley κ={k}{turn}": 0.02 / k for k in (10, 100) for turn in ("", " turned 45°")}
ADAPTIVE_RATE = 0.003


@pytest.fixture(scope="module")
def engine():
    """V8 with the script of the page in it, and a page that has no playground."""
    engine = MiniRacer()
    engine.eval("const document = {querySelectorAll: () => []};")
    engine.eval(playground.generated() + SCRIPT.read_text(encoding="utf-8"))
    for name in NAMES:  # the page has those with a style
        engine.eval(f"RULES.{name} = {{rule: {javascript(getattr(rules, name))}}};")
    return engine


def javascript_walk(engine, *arguments):
    """The path that the page's own `walk` makes."""
    return np.array(json.loads(engine.eval(f"JSON.stringify(walk(...{json.dumps(arguments)}))")))


@pytest.mark.parametrize("surface", MAPS)
@pytest.mark.parametrize("name", [*NAMES, *RULES])
def test_every_rule_walks_every_map_as_in_python(engine, name, surface):
    rule = RULES.get(name) or getattr(rules, name)
    gradients = {"gradient_descent", "momentum", "nesterov"}
    hyper = {"lr": RATES[surface] if rule.__name__ in gradients else ADAPTIVE_RATE}
    path = descend(rule, MAPS[surface].surface.grad, START, 200, **hyper)
    theirs = javascript_walk(engine, name, surface, START, 200, hyper)
    assert np.abs(path[-1] - path[0]).max() > 0.05  # it went somewhere
    # powers and roots are rounded differently, 200 times
    assert np.abs(path - theirs).max() < 1e-12 * np.abs(path).max()


@pytest.mark.parametrize("surface", MAPS)
def test_every_map_is_as_high_as_in_python(engine, surface):
    points = np.random.default_rng(0).uniform(-2, 2, (50, 2))
    calls = f"JSON.stringify({json.dumps(points.tolist())}.map((p) => MAPS[name].f(...p)))"
    theirs = json.loads(engine.eval(f"{{ const name = {json.dumps(surface)}; {calls}; }}"))
    np.testing.assert_allclose(theirs, MAPS[surface].surface.f(points), rtol=1e-12)  # roundings


def test_hyperparameters_and_state_have_the_defaults_of_the_rule(engine):
    assert engine.eval("JSON.stringify(RULES.adam.rule(1, 2, 1))") == json.dumps(
        rules.adam(1, 2, 1), separators=(",", ":")
    )


def signs(x, y):
    return -(x**2) + (-x) ** 2 - (y - (x - y)) / (x * y) + 2 ** (x**y) - (2**x) ** y - -x


def compared(x, y):
    larger = x * (x > y) + y * (x <= y)
    x, larger = larger + (x < y) * (y >= x), 10 * larger
    return larger + abs(-x)


def swapped(x, y):
    """A docstring is not computed."""
    x, y = y, x
    return x - 2e-30 * y


def closing_over(number):
    def scaled(x, y):
        return number * x + y

    return scaled


@pytest.mark.parametrize(
    "function", [signs, compared, swapped, closing_over(0.1), closing_over(-3)]
)
def test_an_expression_means_the_same(engine, function):
    for x, y in ((2, 3), (3, 2), (1.5, 1.5), (-2, 2)):
        theirs = engine.eval(f"({javascript(function)})({x}, {y})")
        assert theirs == pytest.approx(function(x, y), rel=1e-14)  # the last digit of a power


def loop(x):
    for _ in range(3):
        x = x * x
    return x


def choice(x):
    return x if x > 0 else -x


def reads_a_module(x):
    return np.pi * x


def calls(x):
    return max(x, 0)


def counts(x):
    x += 1
    return x


def chain(x):
    return 0 < x < 1


def whole(x):
    return x // 2


def text(x):
    return x + "1"


def truth(x):
    return x * True


def endless(x):
    return x * 1e999


def returns_nothing(x):
    return


def unknown(x):
    return y * x  # noqa: F821


def mixed(x):
    x, y = x + 1, x
    return x * y


def many(*x):
    return 1


def nested(x):
    return (x, 1), 2


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (loop, "for _ in range"),
        (choice, "x if x > 0 else -x"),
        (reads_a_module, r"np\.pi"),
        (calls, r"max\(x, 0\)"),
        (counts, r"x \+= 1"),
        (chain, "0 < x < 1"),
        (whole, "x // 2"),
        (text, "'1'"),
        (truth, "True"),
        (endless, "inf"),
        (returns_nothing, "return"),
        (unknown, ": y"),
        (mixed, r"x, y = \(x \+ 1, x\)"),
        (many, r"without \* and \*\*"),
        (nested, r"\(x, 1\)"),
        (closing_over("1"), "'1' is not a finite number"),
        (lambda x: x, "must be a def"),
        (abs, "source to read, got <built-in function abs>"),
    ],
)
def test_what_cannot_be_translated_is_refused_and_named(function, named):
    with pytest.raises(ValueError, match=named):
        javascript(function)

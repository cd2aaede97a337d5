"""Rules and surfaces in JavaScript: the same numbers as in Python, run by V8."""

import json

import numpy as np
import playground  # the book's extension
import pytest
from javascript import javascript
from oracle import NAMES
from py_mini_racer import MiniRacer

from adamlib import rules
from adamlib.descent import descend
from adamlib.playground import KEYS, LEARNERS, MAPS, RULES, recall

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
    engine.eval(playground.script("playground"))
    for name in NAMES:  # the page has those with a style
        engine.eval(f"RULES.{name} = {{rule: {javascript(getattr(rules, name))}}};")
    return engine


@pytest.fixture(scope="module")
def matrices():
    """V8 with the script of a page that has a memory, and no such page."""
    engine = MiniRacer()
    engine.eval("const document = {querySelectorAll: () => []};")
    engine.eval(playground.script("memory"))
    return engine


def computed(engine, function, *arguments):
    """What the function's text returns on numbers and matrices, in JavaScript."""
    given = json.dumps([x.tolist() if hasattr(x, "tolist") else x for x in arguments])
    text = f"JSON.stringify(({javascript(function, matrices=True)})(...{given}))"
    return json.loads(engine.eval(text))


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


# Walks on which no rounding grows. No sign hangs on one: with turned keys no entry of a gradient
# comes nearer to 0 than 1e-6. Muon is still on its way: once there it bounces, as a valley's walks.
LEARNING = {"gradient descent": 1.5, "sign": 0.032, "Adam": 0.13, "Muon": 0.003}


@pytest.mark.parametrize("exponent", [0.5, 1, 2])
@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("name", LEARNERS)
def test_every_rule_learns_a_memory_as_in_python(matrices, name, keys, exponent):
    ours = recall({name: LEARNING[name]}, 300, keys=keys, exponent=exponent)[name]
    arguments = json.dumps([name, keys, exponent, 300, LEARNING[name]])
    theirs = json.loads(matrices.eval(f"JSON.stringify(recall(...{arguments}))"))
    assert ours[-1].max() < 0.9 < ours[0].min()  # it learned
    assert np.abs(ours - theirs).max() < 1e-12  # sums in another order, 300 times


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (2, 1)])
@pytest.mark.parametrize("name", [*NAMES, "sign_momentum", "lion", "muon"])
def test_a_rule_steps_a_matrix_as_in_python(matrices, name, shape):
    rule, random = getattr(rules, name), np.random.default_rng(0)
    w, state, text = random.standard_normal(shape), [], javascript(getattr(rules, name), True)
    given = [w.tolist(), random.standard_normal((20, *shape)).tolist()]
    for t, g in enumerate(given[1], 1):
        w, *state = rule(w, np.array(g), t, *state, lr=0.1)
    matrices.eval(f"""var walked = ((rule, w, gradients) => {{
      let state = [];
      gradients.forEach((g, i) => {{ [w, ...state] = rule(w, g, i + 1, {{lr: 0.1}}, ...state); }});
      return [w, ...state];
    }})({text}, ...{json.dumps(given)});""")
    theirs = json.loads(matrices.eval("JSON.stringify(walked)"))
    for mine, other in zip([w, *state], theirs, strict=True):
        np.testing.assert_allclose(other, mine, rtol=0, atol=1e-13)  # roundings of 20 steps


def arithmetic(x, y):
    return -(x * y) / 3 - 2 ** (x - y) + (x > y) * abs(y) ** 0.5 + (x == x) * (y <= x)


def sums(x, y):
    rows, columns = x.sum(axis=-1, keepdims=True), y.sum(axis=-2, keepdims=True)
    return rows + columns * x.sum(axis=(-2, -1), keepdims=True)


def shapes(x, y):
    return max(x.shape[-1] / y.shape[-2], 0.1) * (x.mT @ y)


def power(x, y):
    for _ in range(3):
        both = x @ y.mT
        x = both @ x / scale(both)
    return x


def scale(x, fewest=1e-3):
    return at_least(fewest, x.sum(axis=(-2, -1), keepdims=True))


def at_least(a, b):
    return a + (b - a) * (b > a)


@pytest.mark.parametrize("function", [arithmetic, sums, shapes, power])
def test_an_expression_of_matrices_means_the_same(matrices, function):
    x, y = np.random.default_rng(1).uniform(0.5, 2, (2, 3, 2))
    theirs = computed(matrices, function, x, y)
    np.testing.assert_allclose(theirs, function(x, y), rtol=1e-13)  # sums in another order


def test_a_row_a_column_and_a_number_are_repeated(matrices):
    for x, y in (((3, 1), (1, 2)), ((1, 1), (3, 2)), ((3, 2), (3, 1)), ((1, 2), ())):
        x, y = np.random.default_rng(1).uniform(0.5, 2, x), np.full(y, 1.5)
        np.testing.assert_array_equal(computed(matrices, at_least, x, y), at_least(x, y))


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


def repeated(x, y):
    for k in range(3):
        step = k * larger(x, y)
        x = x + step / 8
    return max(x, y) - larger(x, 2 * y)


def larger(x, y=0):
    return x * (x >= y) + y * (y > x)


def closing_over(number):
    def scaled(x, y):
        return number * x + y

    return scaled


@pytest.mark.parametrize(
    "function", [signs, compared, swapped, repeated, closing_over(0.1), closing_over(-3)]
)
def test_an_expression_means_the_same(engine, function):
    for x, y in ((2, 3), (3, 2), (1.5, 1.5), (-2, 2)):
        theirs = engine.eval(f"({javascript(function)})({x}, {y})")
        assert theirs == pytest.approx(function(x, y), rel=1e-14)  # the last digit of a power


def loop(x):
    while x > 1:
        x = x / 2
    return x


def loop_over(x):
    for part in x:
        x = x - part
    return x


def after_the_loop(x):
    for _ in range(3):
        y = 2 * x
    return y


def counted_twice(x):
    for x in range(3):
        x = x + 1
    return x


def choice(x):
    return x if x > 0 else -x


def reads_a_module(x):
    return np.pi * x


def calls(x):
    return min(x, 0)


def calls_with_a_keyword(x):
    return larger(x, y=1)


def calls_what_has_a_keyword(x):
    return scaled(x)


def scaled(x, *, by=2):
    return by * x


def calls_itself(x):
    return calls_itself(x - 1)


def calls_the_unknown(x):
    return larger(x, calls_numpy(x))


def calls_numpy(x):
    return np.sqrt(x)


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
        (loop, "while x > 1"),
        (loop_over, "for part in x"),
        (after_the_loop, ": y$"),
        (counted_twice, "for x in range"),
        (choice, "x if x > 0 else -x"),
        (reads_a_module, r"np\.pi"),
        (calls, r"min\(x, 0\)"),
        (calls_with_a_keyword, r"larger\(x, y=1\)"),
        (calls_what_has_a_keyword, r"scaled\(x\)"),
        (calls_itself, r"calls_itself\(x - 1\)"),
        (calls_the_unknown, r"np\.sqrt\(x\)"),
        (rules.muon, r"x\.shape\[-2\]"),
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


def picks(x):
    return x[0]


def whole_shape(x):
    return x.shape


def counts_rows(x):
    return x.shape[0]


def transposed(x):
    return x.T


def sums_flat(x):
    return x.sum()


def sums_without_its_axis(x):
    return x.sum(axis=-1)


def sums_from_the_front(x):
    return x.sum(axis=0, keepdims=True)


def sums_perhaps(x):
    return x.sum(axis=-1, keepdims=False)


def negated(x):
    return ~x


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (picks, r"x\[0\]"),
        (whole_shape, r"x\.shape"),
        (counts_rows, r"x\.shape\[0\]"),
        (transposed, r"x\.T"),
        (sums_flat, r"x\.sum\(\)"),
        (sums_without_its_axis, r"x\.sum\(axis=-1\)"),
        (sums_from_the_front, r"x\.sum\(axis=0, keepdims=True\)"),
        (sums_perhaps, "keepdims=False"),
        (negated, "~x"),
        (whole, "x // 2"),
        (calls, r"min\(x, 0\)"),
        (chain, "0 < x < 1"),
        (unknown, ": y$"),
        (loop, "while x > 1"),
        (rules.adafactor, r"\.mean\(axis=-2, keepdims=True\)|mean"),
        (rules.soap, "if "),
    ],
)
def test_what_matrices_cannot_do_is_refused_and_named(function, named):
    with pytest.raises(ValueError, match=named):
        javascript(function, matrices=True)

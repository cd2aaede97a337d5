"""Rules composed of four choices: those with a name are the book's, and V8 composes the same."""

import ast
import inspect
import json

import compose
import numpy as np
import playground
import pytest
import slots as extension
from anatomy import slots
from bs4 import BeautifulSoup
from javascript import javascript
from py_mini_racer import MiniRacer

from adamlib import rules
from adamlib.descent import descend
from adamlib.playground import MAPS

START, STEPS = [-1.2, 0.9], 200
GRAD = MAPS["valley κ=10 turned 45°"].surface.grad
ALL = compose.valid()
WRITTEN_OTHERWISE = {"adamax"}  # in the book its correction stands beside the rate
HYPER = {"lr": 0.003, "momentum": 0.8, "weight_decay": 0.3, "eps": 1e-6}


def settings(rule, **changes):
    """The hyperparameters of HYPER that a rule has, and changes of them."""
    own = inspect.signature(rule).parameters
    return {key: value for key, value in (HYPER | changes).items() if key in own}


def walk(rule, **changes):
    """The path of a rule in the valley."""
    return descend(rule, GRAD, START, STEPS, **settings(rule, **changes))


def apart(path, other):
    """How far two paths are apart, over the length of the longest coordinate."""
    return np.abs(path - other).max() / np.abs(path).max()


def parts(function):
    """The arguments of a function and its lines, without its docstring."""
    tree = ast.parse(inspect.getsource(function)).body[0]
    body = [line for line in tree.body if not isinstance(line, ast.Expr)]
    return ast.unparse(tree.args), [ast.unparse(line) for line in body]


@pytest.mark.parametrize("choice", compose.NAMES, ids=compose.NAMES.get)
def test_a_composition_with_a_name_is_that_rule_of_the_book(choice):
    mine, book = compose.compose(choice), getattr(rules, compose.NAMES[choice])
    assert mine.__name__ == book.__name__
    assert apart(walk(book), walk(mine)) < 1e-12  # the same operations, but for AdaMax
    if book.__name__ not in WRITTEN_OTHERWISE:
        (arguments, lines), (theirs, same) = parts(mine), parts(book)
        assert lines == same
        assert arguments.replace("weight_decay=0.01", "weight_decay=0") == theirs.replace(
            "weight_decay=0.01",
            "weight_decay=0",  # Lion's usual decay is none
        )


OTHER = {  # the settings in words, and what they are for the rule of the book
    "lr * (1 - momentum) in place of lr": {"lr": HYPER["lr"] * (1 - HYPER["momentum"])},
    "weight_decay = 0": {"weight_decay": 0},
    "momentum = 0": {"momentum": 0},
    "beta1 = 0": {"betas": (0, 0.999)},
}


@pytest.mark.parametrize("choice", compose.KIN)
def test_a_composition_with_a_relative_walks_as_it_does(choice):
    name, words = compose.KIN[choice]
    relative = walk(getattr(rules, name), **OTHER.get(words, {}))
    assert apart(relative, walk(compose.compose(choice))) < 1e-12  # other roundings, 200 times


@pytest.mark.parametrize("name", ["adam", "momentum", "adamax"])
def test_l2_is_the_rule_on_a_gradient_with_a_share_of_the_weights(name):
    (choice,) = (choice for choice, rule in compose.NAMES.items() if rule == name)
    book = getattr(rules, name)
    path = descend(book, lambda w: GRAD(w) + 0.3 * w, START, STEPS, **settings(book))
    assert apart(path, walk(compose.compose((*choice[:3], "l2")))) < 1e-12  # other roundings


def restless(rule):
    """The path of a rule along gradients that change their signs."""
    noise = iter(np.random.default_rng(0).normal(size=(STEPS, 2)))
    return descend(rule, lambda w: w + next(noise), START, STEPS, **settings(rule))


def test_a_composition_without_a_name_walks_as_no_rule_of_the_book():
    elementwise = [rule for rule in extension.every_rule() if rule.__name__ not in MATRIX]
    paths = {rule.__name__: restless(rule) for rule in elementwise}
    for choice in ALL:
        if choice not in compose.NAMES.keys() | compose.KIN.keys():
            path = restless(compose.compose(choice))
            for name, known in paths.items():
                assert apart(known, path) > 1e-6, (choice, name)


MATRIX = {"adafactor", "soap", "muon"}


def test_what_does_not_go_together_is_refused_with_its_reason():
    for memory, direction in compose.WHY:
        with pytest.raises(ValueError, match=r"direction .* needs"):
            compose.core(memory, direction, "none")
    assert len(ALL) == (5 * 3 - len(compose.WHY)) * 7 * 3


WORDS = {  # what the table says of a choice
    "memory": {
        "none": [],
        "sum": ["fading sum of `g`"],
        "average": ["average of `g`"],
        "corrected": ["average of `g`", "corrected: `m_hat"],
        "slow": ["`slow`: average of `g`", "corrected: `m_hat"],
    },
    "direction": {"plain": [], "ahead": ["look-ahead"], "mix": ["as it was"]},
    "magnitude": {
        "none": ["1: nothing divides"],
        "sign": ["its own size"],
        "sum": ["root of `s`"],
        "average": ["root of `v`"],
        "corrected": ["root of `v_hat`"],
        "maximum": ["root of `v_hat`"],
        "fading": ["`u`"],
    },
    "decay": {"none": ["none"], "l2": ["L2"], "decoupled": ["decoupled, times `lr`"]},
}


@pytest.mark.parametrize("choice", ALL, ids="-".join)
def test_the_table_reads_off_a_composition_what_was_chosen(choice):
    found = slots(compose.compose(choice))
    assert found.unread == []
    for slot, key in zip(WORDS, choice, strict=True):
        text = "; ".join(getattr(found, slot))
        assert all(words in text for words in WORDS[slot][key]), (slot, text)
        others = [
            w for k, words in WORDS[slot].items() if k != key and slot != "memory" for w in words
        ]
        assert not [w for w in others if w in text and w not in WORDS[slot][key]]


@pytest.fixture(scope="module")
def engine():
    """V8 with the script of the page in it, its functions at hand, on a page without a composer."""
    engine = MiniRacer()
    engine.eval("const document = {querySelectorAll: () => []};")
    engine.eval(extension.script().removeprefix("(() => {").rpartition("})();")[0])
    return engine


def called(engine, name, *arguments):
    return json.loads(engine.eval(f"JSON.stringify({name}(...{json.dumps(arguments)}))"))


def test_the_page_composes_the_same_texts(engine):
    for choice in ALL:
        assert called(engine, "composed", choice)["text"] == compose.text(choice)


@pytest.mark.parametrize("choice", ALL, ids="-".join)
def test_the_page_walks_as_python_does(engine, choice):
    rule = compose.compose(choice)
    engine.eval(f"RULES[YOURS].rule = composed({json.dumps(choice)}).run;")
    path = walk(rule)
    theirs = np.array(called(engine, "walk", extension.YOURS, *VALLEY, settings(rule)))
    assert np.abs(path[-1] - path[0]).max() > 0.01  # it went somewhere
    assert apart(path, theirs) < 1e-12  # powers and roots are rounded differently, 200 times
    engine.eval(f"RULES[YOURS].rule = {javascript(rule)};")  # the translation of the whole text
    whole = np.array(called(engine, "walk", extension.YOURS, *VALLEY, settings(rule)))
    np.testing.assert_array_equal(theirs, whole)


VALLEY = "valley κ=10 turned 45°", START, STEPS


DECAYS = {"l2": "L2 in the gradient", "decoupled": "a decoupled decay"}


@pytest.mark.parametrize("choice", ALL, ids="-".join)
def test_what_the_page_calls_a_composition_walks_alike(engine, choice):
    name, words = called(engine, "named", choice) or [None, ""]
    assert (choice in compose.NAMES) == (name is not None and words == "")
    if name is None:
        assert choice not in compose.KIN
        return
    *changes, decay = words.split(", and ") if choice[3] != "none" else [words, ""]
    own = settings(getattr(rules, name), **OTHER.get((*changes, "")[0] or decay, {}))
    added = {"l2": DECAYS["l2"], "decoupled": DECAYS["decoupled"]}.get(choice[3]) == decay

    def rule(w, g, t, *state, **hyper):
        if added and choice[3] == "l2":
            g = g + HYPER["weight_decay"] * w
        if added and choice[3] == "decoupled":
            w = w - HYPER["lr"] * HYPER["weight_decay"] * w
        return getattr(rules, name)(w, g, t, *state, **hyper)

    path = descend(rule, GRAD, START, STEPS, **own)
    assert apart(path, walk(compose.compose(choice))) < 1e-12  # other roundings, 200 times


def test_a_slow_average_moves_the_walk_of_adam_by_a_hundredth():
    preset = extension.PRESET
    given = {"lr": preset["rates"][extension.YOURS]}
    (beta1, beta2), steps = preset["betas"], preset["steps"]
    grad = MAPS[preset["surface"]].surface.grad
    adam = descend(rules.adam, grad, preset["start"], steps, betas=(beta1, beta2), **given)
    betas = (beta1, beta2, 0.9999)
    mixed = descend(rules.ademamix, grad, preset["start"], steps, betas=betas, **given)
    assert 0.005 < np.abs(adam - mixed).max() < 0.015  # the page says: a hundredth


@pytest.fixture(scope="module")
def form():
    """The composer as the page has it, before its script runs."""
    return BeautifulSoup(extension.composer(), "html.parser")


def test_the_page_offers_every_choice_and_begins_with_adam(form):
    for slot, options in compose.CHOICES.items():
        inputs = form.select(f"fieldset input[name={slot}]")
        assert [x["value"] for x in inputs] == list(options)
    chosen = tuple(x["value"] for x in form.select("fieldset input[checked]"))
    assert chosen == extension.FIRST and compose.NAMES[chosen] == "adam"
    assert form.select_one("pre").text == compose.text(chosen)


def test_the_page_begins_with_two_rows(form):
    rows = form.select("tr[data-rule]")
    assert [row["data-rule"] for row in rows] == [extension.YOURS, *extension.RIVALS]
    assert [row["data-rule"] for row in rows if not row.has_attr("hidden")] == [
        extension.YOURS,
        "gradient descent",
    ]


def test_the_page_is_light():
    """Beside the playground that it has in it: 12 kB."""
    own = len(extension.script().encode()) + len(extension.style().encode())
    assert own - len(playground.script("playground").encode()) <= 12_000

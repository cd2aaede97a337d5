"""The slots of a rule, read off its text: what is recognized, and that nothing is made up."""

import ast
import inspect

import pytest
import slots as extension
from anatomy import slots
from building import ROOT
from compose import NAMES
from patterns import code, holes_of

from adamlib import rules
from adamlib.mutants import DECAY, MUTANTS, edited, mutant

NONE, FREE, GIVEN = "none", "1: nothing divides", "decoupled, times `lr`: `lr * weight_decay * w`"
M = "`m`: average of `g`, share of the past `beta1`; corrected: `m_hat = m / (1 - beta1**t)`"
V = "`v`: average of `g**2`, share of the past `beta2`; corrected: `v_hat = v / (1 - beta2**t)`"
B = "`b`: fading sum of `g`, share of the past `momentum`"
MEAN = "`b`: average of `g`, share of the past `momentum`"
RULER, SIGN = "root of `v_hat`, plus `eps`", "its own size: the sign is left"
#: What a reader of the rules would write, in the order memory, direction, magnitude, decay.
BY_HAND = {
    "gradient_descent": ([NONE], ["`g`"], [FREE], [NONE]),
    "momentum": ([B], ["`b`"], [FREE], [NONE]),
    "nesterov": ([B], ["`g + momentum * b`, a look-ahead mix"], [FREE], [NONE]),
    "adagrad": (["`s`: sum of every `g**2` so far"], ["`g`"], ["root of `s`, plus `eps`"], [NONE]),
    "adam": ([M, V], ["`m_hat`"], [RULER], [NONE]),
    "adamw": ([M, V], ["`m_hat`"], [RULER], [GIVEN]),
    "adamax": (
        [
            M.replace("m_hat = ", ""),
            "`u`: fading maximum of `abs(g) + eps`, share of the past `beta2`",
        ],
        ["`m`"],
        ["`u`"],
        [NONE],
    ),
    "sign_momentum": ([MEAN], ["`b`"], [SIGN], [NONE]),
    "lion": (
        ["`m`: average of `g`, share of the past `beta2`"],
        ["`beta1 * m + (1 - beta1) * g`, a mix with the memory as it was"],
        [SIGN],
        [GIVEN],
    ),
    "adafactor": (
        [
            "`row`: average of `(g**2).mean(axis=-1, keepdims=True)`, share of the new one `new`",
            "`col`: average of `(g**2).mean(axis=-2, keepdims=True)`, share of the new one `new`",
        ],
        ["`g`"],
        [
            "times the RMS of the weights, at least `eps[1]`",
            "the rate is `smaller(lr, t**-0.5)`",
            "root of `v = row @ col / larger(eps[0], row.mean(axis=-2, keepdims=True))`, "
            "at least `eps[0] ** 2` inside",
            "RMS of `u = g / larger(eps[0] ** 2, v) ** 0.5` over `d`, where that is above 1",
        ],
        [GIVEN],
    ),
    "muon": (
        [MEAN],
        ["`momentum * b + (1 - momentum) * g`, a look-ahead mix, orthogonalized"],
        [
            "times `max(1, w.shape[-2] / w.shape[-1]) ** 0.5`",
            "its singular values: all come near to 1",
        ],
        [GIVEN],
    ),
}
#: Not all of a rule is in its slots: neither the order of lines nor which number is which.
UNSEEN = {"decay after the step", "betas swapped"}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_slots_are_those_that_a_reader_finds(name):
    assert slots(getattr(rules, name))[:4] == BY_HAND[name]


def test_every_line_of_every_rule_has_words_but_for_the_points_of_schedule_free():
    unread = {rule.__name__: slots(rule).unread for rule in extension.every_rule()}
    free = unread.pop("schedule_free")
    assert len(unread) == 17 and not any(unread.values())
    assert free == ["x = w - (1 - beta1) * s", "z = w + beta1 * s", *free[2:]] and len(free) == 4


def test_every_buffer_of_every_rule_is_in_its_memory():
    for rule in extension.every_rule():
        _, _, _, *buffers = [argument.arg for argument in tree(rule).args.args]
        for buffer in buffers:
            assert any(f"`{buffer}" in words for words in slots(rule).memory), (rule, buffer)


def tree(rule):
    return ast.parse(inspect.getsource(rule)).body[0]


@pytest.mark.parametrize(
    ("rule", "old", "new", "slot", "before", "after"),
    [
        ("amsgrad", "v_max = v * (v > v_max) + v_max * (v <= v_max)", "v_max = v", 0, "maximum", 0),
        ("rmsprop", "* g**2", "* g", 0, "average of `g**2`", "average of `g`"),
        ("adam", "m_hat = m / (1 - beta1**t)", "m_hat = m", 0, M, M.partition(";")[0]),
        ("nesterov", "(g + momentum * b)", "b", 1, "look-ahead", 0),
        ("lion", " / (abs(c) + (c == 0))", "", 2, SIGN, FREE),
        ("adamw", DECAY, "", 3, "decoupled", NONE),
        ("adamw", "lr * weight_decay * w", "weight_decay * w", 3, "d, times", "d, not times `lr`"),
        ("sign_momentum", "(abs(b) +", "(abs(g) +", 2, SIGN, "not read"),
        ("adagrad", "s = s + g**2", "s = s + (g**2 - s)", 0, "sum", "`s = s + (g**2 - s)`"),
    ],
)
def test_another_text_has_another_entry(rule, old, new, slot, before, after):
    original = getattr(rules, rule)
    changed = slots(edited(original, ((old, new),), f"{new} in place of {old}"))
    assert before in " ".join(slots(original)[slot])
    assert before not in " ".join(changed[slot])
    assert not after or after in " ".join(changed[slot])


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_adam_has_other_slots_unless_it_is_a_matter_of_order(name):
    assert (slots(mutant(name)) == slots(MUTANTS[name][0])) == (name in UNSEEN)


def turned(w, g, t, *, lr=1):
    w = w - lr * g
    for _ in range(3):
        w = w * 0.5
    return (w,)


def added(w, g, t, b=0, *, lr=1):
    b += g
    w = w - lr * b
    return w, b


def shrinks(w, g, t, *, lr=1, weight_decay=0):
    w = (1 - lr * weight_decay) * w - lr * g
    return (w,)


def answers(w, g, t, *, lr=1):
    return (w - lr * g,)


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        (turned, "for _ in range(3):"),
        (added, "b += g"),
        (shrinks, "w = (1 - lr * weight_decay) * w - lr * g"),
        (answers, "return (w - lr * g,)"),
    ],
)
def test_what_no_pattern_fits_stands_there_as_it_is(rule, line):
    found = slots(rule)
    assert len(found.unread) == 1 and found.unread[0].startswith(line)
    assert any(line in words for slot in found[:4] for words in slot)
    assert NONE not in found.decay and FREE not in found.magnitude


def test_a_letter_stands_for_one_thing_only():
    assert holes_of("A * A", ast.parse("x[0] * x[0]").body[0].value).keys() == {"A"}
    assert holes_of("A * A", ast.parse("x[0] * x[1]").body[0].value) is None
    assert holes_of("A * B", ast.parse("x + y").body[0].value) is None
    assert holes_of("f(A)", ast.parse("f(x, y)").body[0].value) is None


def test_code_is_written_as_in_the_book():
    for text in ("beta1**t", "(v + 1) ** 0.5", "v**0.5", "1 - beta1 ** (t + 1)", "t**-0.5"):
        assert code(ast.parse(text).body[0]) == f"`{text}`"


def test_the_table_has_a_row_for_every_rule_and_a_header_for_every_cell():
    html = extension.table()
    assert html.count('scope="row"') == 18 and html.count('scope="col"') == 5
    assert html.count("<td ") == 18 * 4 and "`" not in html
    assert "<div>average" not in html  # a memory has its buffer's name before it


def test_the_page_counts_right():
    page = (ROOT / "chapters/slots.md").read_text(encoding="utf-8")
    every, seen = len(extension.every_rule()), len(MUTANTS) - len(UNSEEN)
    assert f"this book's {every} rules" in page and f"slots of {every} rules" in page
    assert f"other {seen} broken" in page
    assert len(NAMES) == 12 and "Twelve of" in page  # what the composer can compose

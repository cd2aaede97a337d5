"""The list of the census: its words, its rows, and the record that it is made from."""

import json
import re
from collections import Counter

import census
import pytest
from bs4 import BeautifulSoup

from adamlib import files

ROWS = files.record("census")["rows"]
GUESSES, REMARKS = (
    json.loads(path.read_text(encoding="utf-8")) for path in (census.GUESSES, census.REMARKS)
)


def row(**properties):
    """Return a row with a card of these properties."""
    card = {"verdict": "AdamW, but no eps. And more.", "faults": ["one"], "properties": properties}
    return {"package": "torch", "version": "2", "name": "W", "made": "torch:W", "card": card}


def test_a_card_becomes_short_words():
    words = census.short(
        row(
            corrected="both means",
            eps="outside the root, before the correction",
            **{"weight decay": "past the gradient, times lr"},
            **{"a run resumed from a file, float32,": "is off by 1 lr after ten steps"},
        )
    )
    assert list(words.values()) == [
        *("W", "torch 2", "AdamW", "both", "outside, early", "past, × lr", "no", 1)
    ]
    assert set(words) == {key for key, *_ in census.COLUMNS}


def test_what_is_not_told_is_a_dash():
    words = census.short(
        row(eps="unknown: why", corrected="nothing", **{"weight decay": "unknown"})
    )
    assert (words["eps"], words["decay"], words["resumes"]) == ("–", "its own", "–")
    tied = {"a step depends on": ["the other entries of its tensor"]}
    assert census.short(row(corrected="both means", **tied))["corrected"] == "–"


def test_a_guess_is_shown_where_the_measurement_differs():
    mine = row(corrected="nothing", eps="outside the root", **{"weight decay": "in the gradient"})
    guesses = {"torch W": {"corrected": "both", "decay": "in g", "eps": "outside, early"}}
    assert census.otherwise(mine, census.short(mine), guesses) == {"corrected": "both"}


@pytest.fixture(scope="module")
def page():
    """The list as the book has it."""
    html = census.page(ROWS, GUESSES, {**REMARKS, "torch Adam": "a <b> `c` at a.py:1"})
    return BeautifulSoup(html, "html.parser")


def test_remarks_are_text_with_code(page):
    assert "a &lt;b&gt; <code>c</code> at a.py:1" in str(page)


def test_every_row_opens_its_card(page):
    items = page.select("[data-census] > ul > li > details")
    assert len(items) == len(ROWS)
    for item, one in zip(items, ROWS, strict=True):
        assert len(item.select("summary > span[data-key]")) == len(census.COLUMNS)
        assert one["card"]["verdict"] in item.text and all(
            x in item.text for x in one["card"]["faults"]
        )


def test_the_record_is_whole_and_of_one_make():
    assert len(ROWS) >= 70 and len({row["package"] for row in ROWS}) >= 25
    assert len({row["diagnose"] for row in ROWS}) == 1  # all by the same text of adamlib.diagnose
    assert max(Counter((row["package"], row["made"]) for row in ROWS).values()) == 1
    assert all(row["card"]["verdict"] and row["date"] and row["seconds"] for row in ROWS)


def test_remarks_belong_to_rows_and_name_a_line():
    names = {f"{row['package']} {row['name']}" for row in ROWS}
    assert set(REMARKS) <= names and len(GUESSES.keys() & names) > 60
    for name, remark in REMARKS.items():
        assert re.search(r"\w+\.py:\d+", remark) and len(remark.split()) <= 60, name

"""A Greek letter has one meaning in the book: that of the notation page."""

import re
import unicodedata

import nbformat
import pytest
from building import ROOT

CHAPTERS = sorted((ROOT / "chapters").glob("[0-9]*.ipynb"))
NAMES = "alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi rho sigma tau phi chi"
WRITTEN = re.compile(rf"\\(?:var)?({NAMES.replace(' ', '|')}|psi|omega)(?![a-z])")


def letters(text):
    """The names of the small Greek letters in a text, in LaTeX or as characters, without pi."""
    names = [unicodedata.name(letter).split()[-1] for letter in re.findall("[α-ω]", text)]
    return {*WRITTEN.findall(text), *(n.lower().replace("lamda", "lambda") for n in names)} - {"pi"}


def explained():
    """The letters in the first column of the notation page's first table."""
    page = (ROOT / "chapters" / "notation.md").read_text(encoding="utf-8")
    table = page.partition("## The same thing elsewhere")[0]
    return letters("".join(row.split("|")[1] for row in table.splitlines() if row[:1] == "|"))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem[:2])
def test_a_chapter_uses_no_greek_letter_that_the_notation_page_does_not_explain(path):
    cells = nbformat.read(path, 4).cells
    used = letters("".join(f"{cell.source} {cell.metadata}" for cell in cells))
    assert used <= explained()


def test_the_notation_page_explains_no_greek_letter_that_no_chapter_uses():
    used = set().union(*(letters(path.read_text(encoding="utf-8")) for path in CHAPTERS))
    assert explained() <= used

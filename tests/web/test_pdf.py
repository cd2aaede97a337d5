"""The book as one PDF and its figures as slides, or an error where paper would lose something."""

import re

import browse_site
import pdf
import pytest

NO_BROWSER = browse_site.no_browser()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(NO_BROWSER), reason=str(NO_BROWSER))]
PAGE = """<!doctype html><title>T</title><article class="bd-article"><h1>1. {0}<a></a></h1>
<p id="x"><a href="{1}">to</a></p>{2}</article>"""
FIGURE = '<figure><img src="a.svg" loading="lazy"><figcaption>A dot.</figcaption></figure>'
DOT = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle r="9"/></svg>'
FAULTS = {
    "does not load": FIGURE.replace("a.svg", "b.svg"),
    "is cut": f"<pre>{'x' * 200}</pre>",
    "leads nowhere": '<p><a href="#y">to</a></p>',
}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of two pages that pdf takes for the book."""
    for name, other in (("01_a", "02_b"), ("02_b", "01_a")):
        text = PAGE.format(name, f"{other}.html#x", FIGURE)
        (tmp_path / f"{name}.html").write_text(text, encoding="utf-8")
    (tmp_path / "a.svg").write_text(DOT, encoding="utf-8")
    monkeypatch.setattr(pdf, "SITE", tmp_path)
    monkeypatch.setattr(pdf, "OUT", tmp_path / "pdf")
    monkeypatch.setattr(pdf, "contents", lambda: [("Part", "01_a"), ("Part", "02_b")])
    return tmp_path


def pages(path):
    """How many pages a PDF has."""
    return len(re.findall(rb"/Type /Page\b", path.read_bytes()))


def test_the_book_has_a_cover_and_all_pages_and_a_chapter_a_slide_a_figure(site):
    pdf.main(["book"])
    pdf.main(["slides", "02"])
    assert [path.name for path in sorted((site / "pdf").iterdir())] == ["02_b.pdf", "book.pdf"]
    assert pages(site / "pdf/book.pdf") == 3 and pages(site / "pdf/02_b.pdf") == 1
    assert b"/Outlines" in (site / "pdf/book.pdf").read_bytes()


@pytest.mark.parametrize("fault", FAULTS)
def test_what_paper_would_lose_is_an_error(fault, site):
    text = PAGE.format("02_b", "01_a.html#x", FAULTS[fault])
    (site / "02_b.html").write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit, match=fault):
        pdf.main(["book"])

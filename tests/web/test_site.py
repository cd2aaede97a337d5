"""The site: what tools/check_site.py catches, and what the book's own extension does."""

import re

import check_site
import pytest

CLEAN = """<html><head><link rel="stylesheet" href="style.css">
<link rel="canonical" href="https://example.org/a.html"><script src="code.js?v=1"></script></head>
<body><article id="top"><a href="b.html#part">b</a> <a href="#top">up</a>
<a href="https://example.org">out</a> <a href="mailto:a@b.c">write</a> <code>{raw}`code`</code>
<span class="math">\\(x\\)</span> <a class="xref" href="b.html"><span class="xref std">b</span></a>
<img src="a%20b.svg" alt="A curve"></article></body></html>"""


@pytest.fixture
def site(tmp_path):
    """A folder with a clean site of two pages."""
    (tmp_path / "a.html").write_text(CLEAN)
    (tmp_path / "b.html").write_text('<h1 id="part">b</h1><img src="a%20b.svg" alt="">')
    (tmp_path / "style.css").write_text("a { background: url('a b.svg') } b { c: url(data:x) }")
    for name in ("code.js", "a b.svg"):
        (tmp_path / name).touch()
    return tmp_path


def test_a_clean_site_passes(site, capsys):
    assert check_site.main([str(site)]) == 0
    assert capsys.readouterr().out == "2 pages, 0 problems\n"


def test_nothing_to_check_is_not_a_pass(tmp_path):
    assert check_site.main([str(tmp_path)]) == 2
    assert check_site.main([]) == 2


@pytest.mark.parametrize(
    ("added", "problem"),
    [
        ('<div class="output traceback">ValueError: boom</div>', "traceback in an output: .*boom"),
        ('<div class="output stderr">UserWarning</div>', "stderr in an output: UserWarning"),
        ('<a href="c.html">c</a>', "broken link: c.html"),
        ('<a href="_sources/c.ipynb">c</a>', "broken link: _sources/c.ipynb"),
        ('<a href="b.html#no">b</a>', "missing anchor: b.html#no"),
        ('<a href="#no">here</a>', "missing anchor: #no"),
        ('<img src="no.svg" alt="x">', "missing file: no.svg"),
        ('<script src="no.js"></script>', "missing file: no.js"),
        ('<link rel="stylesheet" href="no.css">', "missing file: no.css"),
        ('<script src="https://x.org/a.js"></script>', "asks another host: https://x.org/a.js"),
        ('<link rel="stylesheet" href="//x.org/a.css">', "asks another host: //x.org/a.css"),
        ('<img src="http://x.org/a.png" alt="x">', "asks another host"),
        ("<style>p { b: url(https://x.org/a.woff) }</style>", "asks another host"),
        ('<p style="background: url(no.png)">x</p>', "missing file: no.png"),
        ('<img src="a%20b.svg">', "no alt text"),
        ('<article><img src="a%20b.svg" alt=""></article>', "no alt text"),
        ('<img src="a%20b.svg" alt="../a%20b.svg">', "alt text is a file name"),
        ('<p id="top">twice</p>', "id used 2 times: top"),
        ('<span class="problematic">*</span>', r"unresolved: \*"),
        ('<code class="xref std">fig-no</code>', "unresolved: fig-no"),
        ('<span class="bibtex-citation">[]</span>', "unresolved: a citation"),
        ("<p>{cite:p}`kingma2015adam`</p>", "raw markup: .*{cite:p}`kingma"),
        ("<p>:::{note}</p>", "raw markup"),
        ("<p>so $x^2$ is</p>", "raw markup"),
    ],
)
def test_a_problem_is_reported_with_its_page(site, capsys, added, problem):
    page = site / "a.html"
    page.write_text(page.read_text().replace("</body>", added + "</body>"))
    assert check_site.main([str(site)]) == 1
    first, last = capsys.readouterr().out.splitlines()
    assert re.match(f"a.html: {problem}", first)
    assert last == "2 pages, 1 problems"


@pytest.mark.parametrize(
    ("css", "problem"),
    [
        ("@import 'https://x.org/a.css';", "asks another host: https://x.org/a.css"),
        ("@font-face { src: url(no.woff2) }", "missing file: no.woff2"),
    ],
)
def test_a_style_sheet_is_searched(site, capsys, css, problem):
    (site / "style.css").write_text(css)
    assert check_site.main([str(site)]) == 1
    assert capsys.readouterr().out.splitlines()[0] == f"style.css: {problem}"


TOC = """root: chapters/index
parts:
- chapters:
  - file: chapters/a_b
    sections: [{file: chapters/c}]
"""


@pytest.fixture
def book(tmp_path):
    """A table of contents beside the site of a book with a page for each entry."""
    (tmp_path / "_config.yml").write_text("title: The Road")
    (tmp_path / "_toc.yml").write_text(TOC)
    (tmp_path / "html/chapters").mkdir(parents=True)
    for name, heading in {"index": "The Road", "a-b": "Walk", "c": "Rest"}.items():
        (tmp_path / f"html/chapters/{name}.html").write_text(f"<h1>{heading}</h1>")
    return tmp_path


def test_a_whole_book_passes(book):
    assert check_site.main([str(book / "html"), str(book / "_toc.yml")]) == 0


@pytest.mark.parametrize(
    ("page", "text", "problem"),
    [
        ("a-b", None, "no page with a heading for chapters/a_b in _toc.yml"),
        ("c", "", "no page with a heading for chapters/c in _toc.yml"),
        ("index", None, "no page with a heading for chapters/index in _toc.yml"),
        ("index", "<h1>Welcome</h1>", "the book is not 'The Road': Welcome"),
    ],
)
def test_an_empty_or_wrong_book_is_a_problem(book, capsys, page, text, problem):
    file = book / f"html/chapters/{page}.html"
    file.unlink() if text is None else file.write_text(text)
    assert check_site.main([str(book / "html"), str(book / "_toc.yml")]) == 1
    first, last = capsys.readouterr().out.splitlines()
    assert first.replace("\\", "/") == f"chapters/{page}.html: {problem}"
    assert last.endswith("pages, 1 problems")

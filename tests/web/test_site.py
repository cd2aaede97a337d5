"""The site: what tools/check_site.py catches, and what the book's own extension does."""

import re
import shutil

import check_site
import nbformat
import pytest
from building import ROOT, build, furnish
from fontTools.ttLib import TTFont
from nbformat import v4

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


TEXT = """# 3. Momentum

A <claim> with $x$. See {numref}`fig-a` and {cite:t}`polyak1964some`.

$$ y $$ (eq-a)

It is {eq}`eq-a`."""
FIGURE = {"figure": {"name": "fig-a", "caption": "A dot."}}


def chapter_notebook():
    """A notebook with a formula, a citation and a numbered figure whose code is folded."""
    dot = {"image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg"/>'}
    cell = v4.new_code_cell("plt.show()", metadata={"tags": ["hide-input"], "mystnb": FIGURE})
    drawn = {"image/svg+xml": {"alt": "A dot at 3 < 4"}}  # as plots.show leaves it
    cell.outputs = [v4.new_output("display_data", dot, metadata=drawn)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [v4.new_markdown_cell(TEXT), cell]
    return v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def small(folder, public_url=None):
    """The folder of the pages of a two-chapter book."""
    furnish(folder)
    if public_url:
        config = (folder / "_config.yml").read_text(encoding="utf-8")
        config = re.sub("# public_url: .*", f"public_url: {public_url}", config)
        (folder / "_config.yml").write_text(config, encoding="utf-8")
    (folder / "_toc.yml").write_text(
        "format: jb-book\nroot: chapters/index\nchapters:\n"
        "- file: chapters/03_momentum\n- file: chapters/bibliography\n"
    )
    (folder / "chapters/index.md").write_text("# Welcome\n\nHello.\n")
    shutil.copy(ROOT / "chapters/bibliography.md", folder / "chapters")
    nbformat.write(chapter_notebook(), folder / "chapters/03_momentum.ipynb")
    return build(folder)


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The folder of a small book's pages."""
    return small(tmp_path_factory.mktemp("book"))


@pytest.fixture(scope="module")
def chapter(book):
    """The text of a chapter's page."""
    return (book / "chapters/03_momentum.html").read_text(encoding="utf-8")


def test_a_small_book_has_no_problem(book):
    assert check_site.site_problems(book)[0] == []


def test_figures_and_equations_carry_the_number_of_the_chapter(chapter):
    assert '<span class="std std-numref">Figure 3.1</span>' in chapter
    assert '<span class="caption-number">Figure 3.1 </span>' in chapter
    assert 'href="#equation-eq-a">(3.1)</a>' in chapter


def test_the_text_that_a_cell_computed_is_its_figures_alternative(chapter):
    assert re.search(r'<img alt="A dot at 3 &lt; 4" [^>]*src="[^"]*\.svg"', chapter)


def test_mathematics_comes_from_the_book_itself(book, chapter):
    scripts = re.findall(r'src="([^"]*mathjax[^"?]*)', chapter)
    assert len(scripts) == 1  # loaded twice, it breaks
    assert (book / "chapters" / scripts[0]).is_file()
    assert (book / "_vendor/mathjax/LICENSE").is_file()


def test_every_repair_is_done(book, chapter, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "_ext")
    from book import REPAIRS

    pages = chapter + (book / "chapters/bibliography.html").read_text(encoding="utf-8")
    assert not [pattern for pattern, _ in REPAIRS if re.search(pattern, pages)]
    assert '<div id="pst-primary-sidebar" role="complementary"' in pages
    assert re.search(r'<div class="citation" id="\w+" role="listitem"', pages)
    assert "fontawesome.js" not in pages and not list(book.rglob("fontawesome.js"))
    assert not list(book.rglob("*.map"))


def test_the_icon_font_holds_every_icon_of_the_pages_and_little_else(book):
    theme = book / "_static/styles/pydata-sphinx-theme.css"
    css, font = theme.read_text(), book / "_static/vendor/fontawesome/webfonts/fa-solid-900.woff"
    assert "fa-solid-900.woff)" in css and "fa-solid-900.woff2)" not in css
    held = {chr(code) for code in TTFont(font).getBestCmap()}
    pages = "".join(page.read_text() for page in book.rglob("*.html"))
    for name in set(re.findall(r"fa-solid (fa-[a-z-]+)", pages)):
        code = re.search(rf'\.{name}:before[^{{]*{{content:"\\([0-9a-f]+)"', css)[1]
        assert chr(int(code, 16)) in held, name
    whole = {chr(code) for code in TTFont(font.with_suffix(".ttf")).getBestCmap()}
    drawn_by_css = set(re.findall("[\ue000-\uf8ff]", css)) & whole  # the rest are other fonts'
    assert drawn_by_css <= held and len(held) < 60


def test_the_description_is_the_first_paragraph(chapter):
    assert '<meta name="description" content="A &lt;claim&gt; with x. See Figure 3.1' in chapter


def test_without_a_public_address_no_button_leads_to_one(book, chapter):
    assert "colab" not in chapter and "github.com" not in chapter
    assert 'rel="canonical"' not in chapter and not (book / "sitemap.txt").exists()


def test_a_public_address_gives_buttons_canonical_links_and_a_sitemap(tmp_path):
    pages = small(tmp_path, "https://github.com/ada/road-to-adam")
    text = (pages / "chapters/03_momentum.html").read_text(encoding="utf-8")
    notebook = "github.com/ada/road-to-adam/blob/main/chapters/03_momentum.ipynb"
    assert f"https://colab.research.google.com/github/{notebook[11:]}" in text
    assert 'href="https://github.com/ada/road-to-adam"' in text
    assert "github.com/ada/road-to-adam/edit/main/chapters/03_momentum.ipynb" in text
    address = "https://ada.github.io/road-to-adam/chapters/03_momentum.html"
    assert f'<link rel="canonical" href="{address}"' in text
    assert address in (pages / "sitemap.txt").read_text().splitlines()
    assert check_site.site_problems(pages)[0] == []


def test_an_address_of_another_form_is_refused(tmp_path):
    with pytest.raises(AssertionError, match=r"'github\.com/ada' is not of the form"):
        small(tmp_path, "github.com/ada")

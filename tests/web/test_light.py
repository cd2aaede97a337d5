"""What makes the pages light takes nothing away that they use."""

import re
from pathlib import Path

import light
import numpy as np
import pydata_sphinx_theme
import pytest
from building import ROOT
from formulas import typeset
from matplotlib.colors import to_rgb
from sphinx.errors import ExtensionError

from adamlib import plots

SVG = '<?xml version="1.0"?><svg xmlns:x="y" width="72pt" height="36.5pt" viewBox="0 0 1 1"/>'
PAGE = """<script src="../_static/documentation_options.js?v=1"></script>
<script src="../_static/doctools.js?v=1"></script>
<script src="../_static/searchtools.js"></script>
<script src="../_static/language_data.js"></script>
<script src="../searchindex.js"></script>
<img alt="A" class="a" src="../_images/a.svg"/><img alt="B" height="9" src="../_images/a.svg"/>"""


@pytest.mark.parametrize(
    ("css", "thin"),
    [
        (".used{a:b}.no{a:b}#used p.no{a:b}p{a:b}", ".used{a:b}p{a:b}"),
        (".no,.used > #main:hover,h1{a:b}", ".used > #main:hover,h1{a:b}"),
        ("@media print{.no{a:b}.used{a:b}}@media all{.no{a:b}}", "@media print{.used{a:b}}"),
        ('@charset "utf-8";.no{a:b}.used{a:b}', ".used{a:b}"),
        ("@font-face{src:url(a.woff)}@keyframes no{to{a:b}}", None),
        (".used:not(.no,.no .no){a:b}.used:is(.no,h1){a:b}", None),
        ('[data-x=".no"] .used{width:.5em}.w\\:1{a:b}', None),
        ("/* .no{ */.used{a:url(x.no#no)}", ".used{a:url(x.no#no)}"),
    ],
)
def test_a_rule_stays_when_all_that_it_names_is_there(css, thin):
    assert light.thin_style(css, {"used", "main"}) == (css if thin is None else thin)


@pytest.fixture
def page(tmp_path):
    """A page beside the folder of its picture."""
    for folder in ("_images", "chapters"):
        (tmp_path / folder).mkdir()
    (tmp_path / "_images/a.svg").write_text(SVG)
    return tmp_path / "chapters/a.html"


def test_scripts_hold_nothing_up_and_the_index_waits_for_the_search(page):
    head = light.light_page(PAGE, page, "const SETTINGS = 1;").partition("<img")[0]
    assert head == (
        "<script>const SETTINGS = 1;</script>\n"
        '<script defer src="../_static/doctools.js?v=1"></script>\n'
    )
    assert "searchindex.js" in light.light_page(PAGE, page.with_name("search.html"), "")


def test_the_first_paint_waits_for_no_chain_and_knows_the_theme(page):
    html = f'<script>{light.THEME}</script><link href="../_static/styles/theme.css?digest=1a2b">'
    html = light.light_page(html, page, "")
    assert "prefers-color-scheme" in html and '<link href="../_static/basic.css">' in html


def test_what_is_changed_in_the_theme_is_there_to_be_changed():
    theme = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme"
    script = (theme / "static/scripts/pydata-sphinx-theme.js").read_text(encoding="utf-8")
    assert len(re.findall(light.MEASURES, script)) == 1
    layout = (theme / "layout.html").read_text(encoding="utf-8")
    assert light.THEME.replace("auto", "{{ default_mode }}") in layout


def test_a_figure_knows_its_size_before_it_is_there_and_whether_it_is_lines(page):
    html = light.light_page(PAGE, page, "")
    assert '<img data-lines width="96" height="49" loading="lazy" alt="A" class="a"' in html
    assert '<img alt="B" height="9" src' in html
    (page.parents[1] / "_images/a.svg").write_text(SVG.replace("/>", "><image/></svg>"))
    assert '<img width="96" height="49"' in light.light_page(PAGE, page, "")


def test_a_formula_is_heard_as_mathml_and_seen_as_spans():
    html = typeset(r"w_1 < \tfrac12", display=True)
    assert "<math" in html and 'class="katex-html" aria-hidden="true"' in html
    assert "annotation" not in html and "&lt;" in html


@pytest.mark.parametrize("tex", [r"\frac{1}", r"\nonsense x", r"x_1_2", "größe"])
def test_a_formula_that_cannot_be_set_ends_the_build_and_is_named(tex):
    with pytest.raises(ExtensionError, match="cannot be set: ") as caught:
        typeset(tex)
    assert repr(tex) in str(caught.value)


# hue-rotate(180deg) of the CSS filter effects, as a matrix on red, green and blue
HALF_TURN = np.array([[-0.574, 1.43, 0.144], [0.426, 0.43, 0.144], [0.426, 1.43, -0.856]])


def luminance(color):
    """The relative luminance of WCAG 2 of a color between 0 and 1."""
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


@pytest.mark.parametrize("name", plots.STYLES)
def test_a_line_stands_out_in_both_themes(name):
    css = (ROOT / "_static/book.css").read_text(encoding="utf-8")
    assert "filter: invert(1) hue-rotate(180deg);\n    mix-blend-mode: screen;" in css
    grounds = [to_rgb(color) for color in re.findall(r"--pst-color-background: (#\w+)", css)]
    light_ground, dark_ground = map(np.array, grounds)
    color = np.array(to_rgb(plots.STYLES[name]["color"]))
    turned = (HALF_TURN @ (1 - color)).clip(0, 1)
    seen = 1 - (1 - turned) * (1 - dark_ground)  # screen
    for line, ground in ((color, light_ground), (seen, dark_ground)):
        dark, bright = sorted(map(luminance, (line, ground)))
        assert (bright + 0.05) / (dark + 0.05) >= 3  # WCAG 1.4.11 for graphics

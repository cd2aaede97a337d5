"""Formulas, set when the book is built: a page needs no script for them (a Sphinx extension).

KaTeX 0.19.1 (MIT License) lies in katex/. It writes every formula twice: as spans with a style,
to be seen, and as MathML, to be heard. The site gets the letters of its fonts that are used.
"""

import logging
import re
import shutil
from functools import cache
from pathlib import Path

from docutils import nodes
from fontTools import subset
from py_mini_racer import JSEvalException, MiniRacer
from sphinx.errors import ExtensionError
from sphinx.util.math import get_node_equation_number

KATEX = Path(__file__).parent / "katex"
OPTIONS = {"throwOnError": True, "strict": "error"}
logging.getLogger("fontTools").setLevel(logging.ERROR)  # KaTeX's fonts tell no date, and no harm


@cache
def katex():
    """A JavaScript engine that has read KaTeX."""
    engine = MiniRacer()
    engine.eval((KATEX / "katex.min.js").read_text(encoding="utf-8"))
    return engine


@cache
def typeset(tex, display=False):
    """The HTML of a formula in TeX, in a line of text or on display."""
    try:
        html = katex().call("katex.renderToString", tex, OPTIONS | {"displayMode": display})
    except JSEvalException as error:
        reason = str(error).split("\n")[0]
        raise ExtensionError(f"the formula {tex!r} cannot be set: {reason}") from error
    return re.sub("<annotation.*?</annotation>", "", html, flags=re.DOTALL)


def visit_math(self, node):
    """None; writes a formula that stands in a line."""
    self.body.append(typeset(node.astext()))
    raise nodes.SkipNode


def visit_math_block(self, node):
    """None; writes a formula on display, after its number."""
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append(typeset(node.astext(), display=True) + "</div>\n")
    raise nodes.SkipNode


def write_style(app):
    """None; writes the style sheet of the formulas among the book's static files."""
    folder = Path(app.outdir, "_static/katex")
    folder.mkdir(parents=True, exist_ok=True)
    css = (KATEX / "katex.min.css").read_text(encoding="utf-8")
    css = re.sub(r"src:[^;}]*(url\(fonts/[\w-]+\.woff\) format\(\"woff\"\))[^;}]*", r"src:\1", css)
    (folder / "katex.css").write_text(css, encoding="utf-8")
    shutil.copy(KATEX / "LICENSE", folder)


def add_style(app, pagename, templatename, context, doctree):
    """None; links the style sheet on a page that has a formula, and on no other."""
    if doctree and any(
        True for kind in (nodes.math, nodes.math_block) for _ in doctree.findall(kind)
    ):
        app.add_css_file("katex/katex.css")


def thin_fonts(app, error):
    """None; writes the fonts of the formulas with the letters that the pages have in them."""
    if error or app.builder.name != "html":
        return
    pages = (page.read_text(encoding="utf-8") for page in Path(app.outdir).rglob("*.html"))
    seen = {letter for page in pages if 'class="katex"' in page for letter in page}
    codes = f"--unicodes={','.join(f'{ord(letter):x}' for letter in seen)}"
    folder = Path(app.outdir, "_static/katex/fonts")
    folder.mkdir(exist_ok=True)
    for font in (KATEX / "fonts").glob("*.woff"):
        subset.main([str(font), codes, "--flavor=woff", f"--output-file={folder / font.name}"])


def setup(app):
    """The extension's metadata, for Sphinx."""
    app.add_html_math_renderer("katex", (visit_math, None), (visit_math_block, None))
    app.connect("builder-inited", write_style)
    app.connect("html-page-context", add_style)
    app.connect("build-finished", thin_fonts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

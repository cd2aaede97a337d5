"""What the book's site needs beyond the settings in _config.yml (a Sphinx extension)."""

import json
import re
from pathlib import Path

# What the theme writes into every page, what stands there instead, and why.
REPAIRS = [
    # 527 kB gzipped of script: the theme's CSS already draws every icon.
    (r'<script defer src="[^"]*fontawesome\.js[^"]*"></script>', ""),
    # The name of a control contains the words on it (WCAG 2.5.3): the words alone are the name.
    (r'<summary aria-label="Toggle hidden content">', "<summary>"),
    (r'(<button class="btn search-button-field[^>]*) aria-label="Search"', r"\1"),
    # What is offered to take along is taken, under its name, and opens no window.
    (r'<a href="([^"]*?([\w-]+\.(?:ipynb|md)))" target="_blank"', r'<a href="\1" download="\2"'),
    (r'(<a href="[^"]*#to-cite-this-book") target="_blank"', r"\1"),
    (r"<title>(.*?) &#8212; \1</title>", r"<title>\1</title>"),
    # All of a page stands in a landmark.
    (r'(<div id="pst-primary-sidebar")(?! role)', r'\1 role="complementary"'),
    # A citation list is a list of plain list items, not of unnamed notes.
    (r'(<div class="citation" id="[^"]*") role="doc-biblioentry"', r'\1 role="listitem"'),
]


def number_figures_by_chapter(app, env):
    """An empty list; Figure 3.1 is the first of chapters/03_...: Sphinx would count through."""
    for page, kinds in env.toc_fignumbers.items():
        chapter = re.match(r"chapters/(\d+)_", page)
        prefix = (int(chapter[1]),) if chapter else ()
        for kind, labels in kinds.items():
            kinds[kind] = {label: (*prefix, k) for k, label in enumerate(labels, 1)}
    return []


def read_markdown(app, what, name, obj, options, lines):
    """None; docstrings write `code` and a lone * as Markdown does, Sphinx reads them otherwise."""
    text = re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", "\n".join(lines))
    lone_star = r"(``.*?``|(?<![\w*])\*\w[^*\n]*\w\*(?![\w*]))|(\*)"
    lines[:] = re.sub(lone_star, lambda m: m[1] or r"\*", text, flags=re.DOTALL).split("\n")


def describe_figures(app, docname, source):
    """None; `plots.show` left what a figure shows beside it: there it becomes the alt text."""
    if app.env.doc2path(docname).endswith(".ipynb"):
        notebook = json.loads(source[0])
        for cell in notebook["cells"]:
            for output in cell.get("outputs", ()):
                if alt := output.get("metadata", {}).get("image/svg+xml", {}).get("alt"):
                    settings = cell["metadata"].setdefault("mystnb", {})
                    settings["image"] = settings.get("image", {}) | {"alt": alt}
        source[0] = json.dumps(notebook)


def repair_pages(app, error):
    """None; writes REPAIRS into the built pages and drops the source maps, 3.4 MB."""
    if error or app.builder.name != "html":
        return
    out = Path(app.outdir)
    for page in out.rglob("*.html"):
        html = repaired = page.read_text(encoding="utf-8")
        for pattern, replacement in REPAIRS:
            repaired = re.sub(pattern, replacement, repaired)
        if repaired != html:
            page.write_text(repaired, encoding="utf-8")
    for useless in {*out.rglob("*.map"), *out.rglob("fontawesome.js*")}:
        useless.unlink()


def setup(app):
    """The extension's metadata, for Sphinx."""
    app.add_config_value("comments_config", None, "")  # Jupyter Book sets it, and -W would object
    app.connect("env-get-updated", number_figures_by_chapter, priority=900)  # after Sphinx's
    app.connect("autodoc-process-docstring", read_markdown)
    app.connect("source-read", describe_figures)
    app.connect("build-finished", repair_pages, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Makes the built pages light: no rule of style, no script and no icon that they do not use."""

import re
from pathlib import Path

from fontTools import subset

SHEETS = ["styles/pydata-sphinx-theme.css", "styles/sphinx-book-theme.css", "mystnb.*.css"]
SHEETS += ["basic.css", "katex/katex.css"]
PSEUDO = re.compile(r":(?:not|is|where|has)\((?:[^()]|\([^()]*\))*\)")
ICONS = re.compile(r'((?:\.fa-[\w-]+:before,?)+)\{content:"\\([0-9a-f]+)"\}')
SEARCH = r'\s*<script src="[^"]*(?:searchtools|language_data|searchindex)\.js"></script>'
SETTINGS = r'<script src="[^"]*documentation_options\.js[^"]*"></script>'
THEME = 'document.documentElement.dataset.theme = localStorage.getItem("theme") || "auto";'
# A sheet that does no more than ask for another: a round trip before the first paint.
IMPORT = re.compile(r"styles/theme\.css\?digest=\w+")
# The theme asks the system for light or dark after the first paint, and all is painted again.
EARLY = """const { dataset } = document.documentElement;
    dataset.theme = dataset.mode !== "auto" ? dataset.mode
      : matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";"""
# On load the theme measures every box, laid out or not; book.js waits until it is.
MEASURES = r'"complete"===document\.readyState\?(\w)\(\):window\.addEventListener\("load",\1\)'
FIGURE = re.compile(r'<img (?![^>]*\b(?:width|height)=)([^>]*src="([^"]*_images/[^"]+\.svg)")')


def rules(css):
    """Yield the rules of a style sheet, or of a group in it, as pairs (selectors, body)."""
    depth = start = 0
    for mark in re.finditer("[{}]", css):
        depth += 1 if mark[0] == "{" else -1
        if depth == 1 and mark[0] == "{":
            brace = mark.start()
        elif depth == 0:
            yield css[start:brace], css[brace + 1 : mark.start()]
            start = mark.end()


def thin_style(css, names):
    """The style sheet without the selectors of classes and ids that are not among names."""
    kept = []
    for head, body in rules(re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)):
        statements, _, head = head.rpartition(";")  # such as @charset "utf-8"
        if head.lstrip().startswith(("@media", "@supports", "@layer", "@container")):
            body = thin_style(body, names)
        elif not head.lstrip().startswith("@"):
            parts = re.split(r",(?![^()]*\))", head)
            head = ",".join(part for part in parts if is_used(part, names))
        if head.strip() and body.strip():
            kept.append(f"{statements + ';' if statements else ''}{head}{{{body}}}")
    return "".join(kept)


def is_used(selector, names):
    """Whether all classes and ids that a selector needs are among names, as far as one can see."""
    return "\\" in selector or names.issuperset(
        re.findall(r"[.#](-?[A-Za-z_][\w-]*)", re.sub(r"\[[^]]*\]", "", PSEUDO.sub("", selector)))
    )


def thin_icons(css, names, folder):
    """The style sheet with fonts of icons that hold what the pages draw: 5 kB instead of 300."""
    found = ICONS.findall(css)
    codes = [code for icons, code in found if names & set(re.findall(r"fa-[\w-]+", icons))]
    text = "".join(re.findall("[\ue000-\uf8ff]", css))  # those that the style draws by itself
    options = ["--flavor=woff", f"--unicodes={','.join(codes)}", f"--text={text}"]
    for font in folder.glob("*.ttf"):
        subset.main([str(font), f"--output-file={font.with_suffix('.woff')}", *options])
    return re.sub(r'(fa-\w+-\d+)\.woff2\) format\("woff2"\)', r'\1.woff) format("woff")', css)


def light_page(html, page, settings):
    """The text of a page whose scripts hold nothing up and whose figures say what they are."""
    html = IMPORT.sub("basic.css", html.replace(THEME, EARLY))
    if page.name != "search.html":
        html = re.sub(SEARCH, "", html)
        html = re.sub(SETTINGS, lambda _: f"<script>{settings}</script>", html)
        html = html.replace("<script src=", "<script defer src=")
    return FIGURE.sub(lambda match: f"<img {attributes(page.parent / match[2])}{match[1]}", html)


def attributes(svg):
    """The attributes of a figure: how large it is before it is there, and whether it is lines.

    Lines may change their colors with the theme; a map keeps its own, as its scale has an order.
    """
    text = svg.read_text(encoding="utf-8")
    sides = re.search(r'<svg [^>]*?width="([\d.]+)pt" height="([\d.]+)pt"', text[:2000])
    if not sides:
        return ""
    width, height = (round(float(side) * 4 / 3) for side in sides.groups())
    kind = "" if "<image" in text else "data-lines "
    return f'{kind}width="{width}" height="{height}" loading="lazy" '


def lighten(app, error):
    """None; makes every page and the style sheets of the theme light."""
    if error or app.builder.name != "html":
        return
    static, seen = Path(app.outdir, "_static"), set()
    settings = (static / "documentation_options.js").read_text(encoding="utf-8")
    for page in Path(app.outdir).rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        for names in re.findall(r'\b(?:class|id)="([^"]*)"', html):
            seen.update(names.split())
        if html != (lighter := light_page(html, page, settings)):
            page.write_text(lighter, encoding="utf-8")
    script = static / "scripts/pydata-sphinx-theme.js"
    text = script.read_text(encoding="utf-8")
    script.write_text(re.sub(MEASURES, "0", text), encoding="utf-8")
    for script in static.rglob("*.js"):  # a script may give any name that it says
        seen.update(re.findall(r"[\w-]+", script.read_text(encoding="utf-8")))
    for sheet in (file for name in SHEETS for file in static.glob(name)):
        css = thin_style(sheet.read_text(encoding="utf-8"), seen)
        if "fa-solid-900" in css:
            css = thin_icons(css, seen, static / "vendor/fontawesome/webfonts")
        sheet.write_text(css, encoding="utf-8")


def setup(app):
    """The extension's metadata, for Sphinx."""
    app.connect("build-finished", lighten, priority=901)  # after the repairs
    return {"parallel_read_safe": True, "parallel_write_safe": True}

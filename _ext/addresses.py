"""Where the pages of the book are found: their addresses, and the buttons of a public book."""

import re
from html import escape, unescape
from pathlib import Path
from textwrap import shorten

from check_site import address
from docutils import nodes
from markupsafe import Markup
from notebook_form import repository
from sphinx.builders.html import StandaloneHTMLBuilder, js_index

#: The figure on the card of a page that has none, and what it shows.
BOOK = (
    "_static/bias_correction.svg",
    "Two heatmaps of the training loss over learning rate and β₂",
)
DESCRIBES = re.compile(
    r'<meta (?:name="description"|property="og:|name="twitter:)[^>]*>|<link rel="canonical"[^>]*>'
)
PARENTHESES = str.maketrans("{}", "()")  # of TeX
CARD = """<svg xmlns="http://www.w3.org/2000/svg" width="1200" height="630">
<rect width="1200" height="630" fill="white"/>{}</svg>"""


class SearchIndex(type(js_index)):
    """Names the pages by their addresses in the file, by their sources to Sphinx."""

    def dump(self, data, f):
        super().dump(data | {"docnames": [address(page) for page in data["docnames"]]}, f)

    def load(self, f):
        data = super().load(f)
        return data | {"docnames": [name.rpartition(".")[0] for name in data["filenames"]]}


class Pages(StandaloneHTMLBuilder):
    """Sphinx's own builder with hyphens in the addresses of the chapters."""

    indexer_format = SearchIndex()

    def get_target_uri(self, docname, typ=None):
        return super().get_target_uri(address(docname), typ)

    def get_outfilename(self, pagename):
        return super().get_outfilename(address(pagename))


def use_public_url(app, config):
    """None; turns `public_url`, a GitHub repository, into buttons and canonical addresses."""
    if not config.public_url:
        return
    owner, name = repository(config.public_url)
    host = f"{owner.lower()}.github.io"
    config.html_baseurl = f"https://{host}/" + f"{name}/" * (name.lower() != host)
    config.html_theme_options |= {
        "repository_url": config.public_url,
        "repository_branch": "main",
        "use_repository_button": True,
        "use_edit_page_button": True,
        "launch_buttons": {
            "colab_url": "https://colab.research.google.com",
            "binderhub_url": "https://mybinder.org",
            "notebook_interface": "jupyterlab",
        },
    }


def describe_page(app, pagename, templatename, context, doctree):
    """None; gives a page its description and, in a public book, its address and its card."""
    url = context["pageurl"] and app.config.html_baseurl + app.builder.get_target_uri(pagename)
    context["pageurl"] = url
    if doctree:
        tags = {"description": description(doctree)}
        if url:
            title = Markup(context["title"]).striptags()
            tags |= {"og:title": title, "og:description": tags["description"], "og:url": url}
            tags |= {"og:type": "article", "og:site_name": app.config.project}
            tags |= picture(app, pagename, doctree) | {"twitter:card": "summary_large_image"}
        for name, text in tags.items():
            kind = "property" if name.startswith("og:") else "name"
            context["metatags"] += f'<meta {kind}="{name}" content="{escape(text)}">\n'


def description(doctree):
    """The first paragraph of a page, for search engines: no TeX, at most 300 letters."""
    paragraph = next(doctree.findall(nodes.paragraph), nodes.paragraph())
    text = re.sub(r"\\([a-z]+)", r"&\1;", paragraph.astext().removeprefix("The claim. "))
    return shorten(unescape(text).translate(PARENTHESES), 300, placeholder=" …")


def picture(app, pagename, doctree):
    """The tags of a page's card, which is written beside it: its first figure, or the book's."""
    images = [image for image in doctree.findall(nodes.image) if "*" in image["candidates"]]
    figures = [(image["candidates"]["*"], image.get("alt", "")) for image in images]
    path, alt = next((figure for figure in figures if figure[0].endswith(".svg")), BOOK)
    file = Path(app.builder.get_outfilename(pagename)).with_suffix(".png")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(card(Path(app.srcdir, path).read_text(encoding="utf-8")))
    url = app.config.html_baseurl + file.relative_to(app.outdir).as_posix()
    return {"og:image": url, "og:image:alt": alt}


def card(svg):
    """A figure in the middle of a white card, as PNG: those who show a link take no SVG."""
    import resvg_py  # only a public book needs it

    place = r'<svg x="40" y="35" width="1120" height="560" \1'
    figure = re.sub(r'<svg ([^>]*?)width="[^"]*" height="[^"]*"', place, svg, count=1)
    figure = figure[figure.index("<svg") :]
    return resvg_py.svg_to_bytes(svg_string=CARD.format(figure), skip_system_fonts=True)


def describe_root(app, error):
    """None; the address of the book itself, which leads to its first page, is described as that."""
    root = Path(app.outdir, "index.html")
    if not error and app.builder.name == "html" and root.is_file():
        first = Path(app.builder.get_outfilename(app.config.root_doc)).read_text(encoding="utf-8")
        tags = "\n".join(DESCRIBES.findall(first))
        html = root.read_text(encoding="utf-8")
        if tags not in html:
            root.write_text(html.replace("</head>", f"{tags}\n</head>"), encoding="utf-8")


def write_sitemap(app, error):
    """None; lists the address of every page in sitemap.txt when the book has a public address."""
    if not error and app.config.html_baseurl:
        pages = map(app.builder.get_target_uri, sorted(app.env.found_docs))
        text = "".join(f"{app.config.html_baseurl}{page}\n" for page in pages)
        Path(app.outdir, "sitemap.txt").write_text(text, encoding="utf-8")


def setup(app):
    """The extension's metadata, for Sphinx."""
    app.add_builder(Pages, override=True)
    app.add_config_value("public_url", None, "html")
    app.connect("config-inited", use_public_url)
    app.connect("html-page-context", describe_page)
    app.connect("build-finished", describe_root)
    app.connect("build-finished", write_sitemap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Where the pages of the book are found: their addresses, and the buttons of a public book."""

import re
from pathlib import Path

from sphinx.builders.html import StandaloneHTMLBuilder, js_index


def address(page):
    """The path of a page on the site: chapters/05_adam is read at chapters/05-adam."""
    return page.replace("_", "-") if page.startswith("chapters/") else page


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
    match = re.fullmatch(r"https://github\.com/([\w.-]+)/([\w.-]+)", config.public_url)
    if not match:
        raise ValueError(
            f"public_url: {config.public_url!r} is not of the form https://github.com/OWNER/NAME"
        )
    config.html_baseurl = f"https://{match[1]}.github.io/{match[2]}/"
    config.html_theme_options |= {
        "repository_url": config.public_url,
        "repository_branch": "main",
        "use_repository_button": True,
        "use_edit_page_button": True,
        "launch_buttons": {"colab_url": "https://colab.research.google.com"},
    }


def name_page(app, pagename, templatename, context, doctree):
    """None; gives the page its public address, if the book has one."""
    if context["pageurl"]:
        context["pageurl"] = app.config.html_baseurl + app.builder.get_target_uri(pagename)


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
    app.connect("html-page-context", name_page)
    app.connect("build-finished", write_sitemap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

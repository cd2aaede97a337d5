"""What a reader takes along: a page as notebook and as Markdown, and how to cite the book."""

import re
from pathlib import Path, PurePosixPath

import yaml
from as_markdown import markdown
from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

ENTRY = """@misc{{{key},
  title        = {{{{{title}}}}},
  author       = {{{author}}},
  year         = {{{year}}},
  note         = {{Version {version}}}{more}
}}"""


def citation(app):
    """What CITATION.cff says, as a dict."""
    return yaml.safe_load(Path(app.confdir, "CITATION.cff").read_text(encoding="utf-8"))


def bibtex(cff, copyright, url=None):
    """The book's BibTeX entry; before a release its year is that of the copyright.

    url: where the book is read, for a CITATION.cff without an address.
    """
    names = [  # of a group, or of a person
        f"{{{who['name']}}}" if "name" in who else f"{who['family-names']}, {who['given-names']}"
        for who in cff["authors"]
    ]
    fields = {"doi": cff.get("doi"), "url": cff.get("url") or cff.get("repository-code") or url}
    more = "".join(f",\n  {name:<12} = {{{text}}}" for name, text in fields.items() if text)
    return ENTRY.format(
        key=cff["title"].lower().replace(" ", "_"),
        title=cff["title"],
        author=" and ".join(names),
        year=str(cff.get("date-released", copyright))[:4],
        version=cff["version"],
        more=more,
    )


class CiteTheBook(SphinxDirective):
    """The entry of the book, which has a button to copy it; takes nothing."""

    def run(self):
        """The entry as a block of text."""
        self.env.note_dependency(str(Path(self.env.app.confdir, "CITATION.cff")))
        entry = bibtex(citation(self.env.app), self.config.copyright, self.config.html_baseurl)
        return [nodes.literal_block(entry, entry, language="bibtex")]


def write_markdown(app, pagename, templatename, context, doctree):
    """None; writes the page as Markdown beside it, and says in its header what there is."""
    if doctree:
        page = Path(app.builder.get_outfilename(pagename)).with_suffix(".md")
        page.parent.mkdir(parents=True, exist_ok=True)
        images = f"{app.config.html_baseurl or '../' * pagename.count('/')}_images/"
        numbers = app.env.toc_fignumbers.get(pagename, {})
        text = markdown(doctree, numbers, images, context["pageurl"] or "")
        book = f"From *{app.config.project}*, version {citation(app)['version']}"
        where = f": {context['pageurl']}" if context["pageurl"] else "."
        page.write_text(f"{text}\n---\n\n{book}{where}\n", encoding="utf-8")
        groups = {group["label"]: group for group in context["header_buttons"]}
        menu = groups["download-buttons"]
        cite = app.builder.get_relative_uri(pagename, "chapters/bibliography")
        menu["buttons"][:-1] = [
            offer("markdown", "Markdown (.md)", "fas fa-file", page.name),
            offer("cite", "Cite (BibTeX)", "fas fa-quote-right", f"{cite}#to-cite-this-book"),
        ]
        menu["buttons"][-1]["text"] = "Print"
        if context["sourcename"].endswith(".ipynb"):
            notebook = context["pathto"](f"_sources/{context['sourcename']}", True)
            item = offer("notebook", "Notebook (.ipynb)", "fas fa-code", notebook)
            menu["buttons"].insert(0, item)


def offer(name, text, icon, url):
    """A line of the header's menu."""
    return {"type": "link", "label": f"{name}-button", "text": text, "icon": icon, "url": url}


def write_llms(app, error):
    """None; lists the Markdown of all pages in llms.txt, with what each of them claims."""
    if error or app.builder.name != "html":
        return
    cff = citation(app)
    lines = [f"# {cff['title']}", f"> {cff['abstract'].strip()}"]
    lines.append("Most pages are notebooks, with their code and what it printed.")
    root = app.env.get_doctree(app.config.root_doc)
    for part in root.findall(addnodes.toctree):
        lines.append(f"## {part['caption'] or 'Chapters'}")
        lines.append("\n".join(entry(app, page) for page in part["includefiles"]))
    Path(app.outdir, "llms.txt").write_text("\n\n".join(lines) + "\n", encoding="utf-8")


def entry(app, page):
    """The line of a page: its title, its address and its first paragraph."""
    path = PurePosixPath(app.builder.get_target_uri(page)).with_suffix(".md")
    title, *texts = Path(app.outdir, path).read_text(encoding="utf-8").split("\n\n")
    text = next(text for text in texts if text[0] not in "#`").removeprefix("**The claim.** ")
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)  # its links start elsewhere
    return f"- [{title.removeprefix('# ')}]({app.config.html_baseurl or ''}{path}): {text}"


def setup(app):
    """The extension's metadata, for Sphinx."""
    app.add_directive("cite-the-book", CiteTheBook)
    app.connect("html-page-context", write_markdown, priority=900)  # after the theme's buttons
    app.connect("build-finished", write_llms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

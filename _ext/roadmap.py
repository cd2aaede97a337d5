"""The map of the book, on its first page, read from the pages themselves (a Sphinx extension).

The parts and their order are the table of contents; of each page the map has the first sentence
of its claim, the chapters that it builds on, and how long it takes.
"""

import re
from itertools import pairwise

from docutils import nodes
from sphinx.addnodes import pending_xref, toctree

MAP = "the-map-of-the-book"


def read_opening(app, doctree):
    """None; keeps what a page says first: its claim, the chapters it needs, and the minutes."""
    facts = {"claim": [], "needs": [], "minutes": None}
    app.env.metadata[app.env.docname]["opening"] = facts
    for paragraph in doctree.findall(nodes.paragraph):
        inline = [node for node in paragraph if node.astext()]
        first = inline[0].astext() if inline else ""
        if first == "The claim." or not facts["claim"]:
            facts["claim"] = first_sentence(inline[first == "The claim." :])
        if first == "Before you start:":
            facts["needs"] = needed(inline)
            minutes = re.search(r"About (\d+ minutes)", " ".join(paragraph.astext().split()))
            facts["minutes"] = minutes and minutes[1]
            return


def first_sentence(inline):
    """Copies of the nodes of a first sentence; one of a single word takes the next with it."""
    found, said = [], ""
    for node in inline:
        if isinstance(node, nodes.Text) and not found:
            node = nodes.Text(node.lstrip())
        for end in re.finditer(
            r"[.?!](?=\s+[A-Z]|$)", node if isinstance(node, nodes.Text) else ""
        ):
            if len((said + node[: end.end()]).split()) > 1:
                return [*found, nodes.Text(node[: end.end()])]
        found.append(node.deepcopy())
        said += node.astext()
    return found


def needed(inline):
    """The numbers of the chapters that a paragraph's nodes link to, up to the first semicolon."""
    found = []
    for before, node in pairwise(inline):
        if isinstance(node, nodes.Text) and ";" in node:
            break
        if isinstance(node, pending_xref) and (
            chapter := re.search(r"\b(\d+)_", node["reftarget"])
        ):
            first = found[-1] + 1 if before == " to " else int(chapter[1])
            found += range(first, int(chapter[1]) + 1)
    return found


def draw_map(app, doctree, docname):
    """None; writes the map of the book into the section of the first page that has its name."""
    if docname != app.config.root_doc:
        return
    for section in [node for node in doctree.findall(nodes.section) if MAP in node["ids"]]:
        section["classes"].append("map")
        for part in app.env.get_doctree(docname).findall(toctree):
            title, name = nodes.title("", part["caption"]), nodes.make_id(part["caption"])
            pages = nodes.bullet_list("", *(entry(app, page) for _, page in part["entries"]))
            section += nodes.section("", title, pages, ids=[name])


def entry(app, page):
    """The map's entry of a page: its title, its claim, and what to read before."""
    facts = app.env.metadata[page]["opening"]
    address = app.builder.get_relative_uri(app.config.root_doc, page)
    title = app.env.titles[page].deepcopy().children
    link = nodes.reference("", "", *title, refuri=address, internal=True)
    line = nodes.paragraph("", "", nodes.strong("", "", link), nodes.Text(" "), *facts["claim"])
    needs = ", ".join(map(str, sorted(facts["needs"])))
    road = [f"after chapter{'s' * (', ' in needs)} {needs}"] if needs else []
    road += [facts["minutes"]] if facts["minutes"] else []
    small = nodes.paragraph("", " · ".join(road), classes=["map-road"])
    return nodes.list_item("", line, *([small] if road else []))


def setup(app):
    """The extension's metadata, for Sphinx."""
    # The first page shows what others say: it is made anew each time.
    app.connect("env-get-outdated", lambda app, *_: [app.config.root_doc])
    app.connect("doctree-read", read_opening)
    app.connect("doctree-resolved", draw_map)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

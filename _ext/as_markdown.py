"""A page as Markdown, from its resolved doctree: for a reader's notes, or for a chat model."""

import re
from posixpath import basename
from textwrap import indent
from urllib.parse import urljoin

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx import addnodes

SIGNS = re.compile(r"([\\`*<$|]|\b_|_\b)")  # Markdown would read them
KEPT = re.compile(r"</?details|<br")
LIVE = "*(Here the page has something to try, in a browser.)*"
FOLDED = "<details><summary>{}</summary>\n\n{}\n\n</details>"


def words(node):
    """The text of a node that stands in a line."""
    match node:
        case nodes.Text():
            return SIGNS.sub(r"\\\1", node.astext()).replace("\n", " ")
        case nodes.literal():
            ticks = "``" if "`" in node.astext() else "`"
            return ticks + node.astext() + ticks
        case nodes.math():
            return f"${node.astext()}$"
        case nodes.raw():
            return node.astext()
        case nodes.image():
            return blocks(node)
        case nodes.reference():
            return link(node, "".join(map(words, node.children)))
        case nodes.emphasis():
            return f"*{''.join(map(words, node.children))}*"
        case nodes.strong():
            return f"**{''.join(map(words, node.children))}**"
    return "".join(map(words, node.children))


def link(node, text):
    """The text of a reference: to the Markdown of another page, or to another host."""
    url = node.get("refuri", "")
    if node.get("internal"):  # a source it knows already, and the code has no Markdown
        known = not url or re.search(r"_modules/|bibliography\.html#", url)
        url = "" if known else re.sub(r"\.html(#.*)?$", ".md", url)
    return f"[{text}]({url})" if url else text


def blocks(node):
    """The text of a node that stands for itself."""
    match node:
        case nodes.title():
            depth = sum(isinstance(box, nodes.section) for box in ancestors(node))
            return f"{'#' * depth} {words(node)}" if node.children else ""
        case nodes.math_block():
            return f"$$\n{node.astext().strip()}{node.get('tag', '')}\n$$"
        case nodes.literal_block():
            language = node.get("language", "text").replace("myst-ansi", "text")
            return f"```{language}\n{node.astext().rstrip()}\n```"
        case nodes.image():
            alt = re.sub(r"([][])", r"\\\1", " ".join(node["alt"].split()))
            return f"![{alt}]({node['url']})"
        case nodes.caption():
            return f"**{node.parent.get('number', '')}** {words(node)}".removeprefix("**** ")
        case nodes.raw():
            return node.astext().strip() if KEPT.match(node.astext()) else LIVE
        case nodes.bullet_list() | nodes.enumerated_list():
            return items(node)
        case nodes.table():
            return rows(node)
        case nodes.sidebar() | nodes.block_quote():
            return indent(inside(node), "> ", lambda _: True)
        case addnodes.desc_signature():
            return f"**`{node.astext().removesuffix('[source]').strip()}`**"
        case HideCodeCellNode():
            return FOLDED.format(node["prompt_show"], inside(node))
        case nodes.citation():
            return f"- {blocks(node.children[-1])}"
        case addnodes.toctree() | addnodes.index() | nodes.comment():
            return ""
        case nodes.TextElement():
            return words(node)
    return inside(node)


def ancestors(node):
    """Yield what a node is in, from the inside."""
    while node := node.parent:
        yield node


def inside(node):
    """The texts of what is in a node, with a line between."""
    return "\n\n".join(filter(None, map(blocks, node.children)))


def items(node):
    """The text of a list."""
    lines = []
    for k, item in enumerate(node.children, start=1):
        mark = f"{k}. " if isinstance(node, nodes.enumerated_list) else "- "
        lines.append(mark + indent(inside(item), " " * len(mark)).strip())
    return "\n".join(lines)


def rows(node):
    """The text of a table."""
    lines = []
    for row in node.findall(nodes.row):
        cells = [" ".join(inside(entry).split()) for entry in row.children]
        lines.append(f"| {' | '.join(cells)} |")
    lines.insert(1, "|" + " --- |" * len(row.children))
    return "\n".join(lines)


def markdown(doctree, numbers, images, url=""):
    """The text of a page; its figures and formulas have numbers, and its images are at `images`.

    url: where the page is read, if that is known: its links then lead there from anywhere.
    """
    for figure in doctree.findall(nodes.figure):
        number = next(filter(None, map(numbers.get("figure", {}).get, figure["ids"])), ())
        figure["number"] = f"Figure {'.'.join(map(str, number))}." if number else ""
    for formula in doctree.findall(nodes.math_block):
        number = numbers.get("displaymath", {}).get(f"equation-{formula.get('label')}", ())
        formula["tag"] = f" \\tag{{{'.'.join(map(str, number))}}}" if number else ""
    for image in doctree.findall(nodes.image):
        image["url"] = f"{images}{basename(image['uri'])}"
    for reference in doctree.findall(nodes.reference):
        if "refuri" in reference:
            reference["refuri"] = urljoin(url, reference["refuri"])
    return blocks(doctree) + "\n"

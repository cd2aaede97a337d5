"""The one form in which a notebook is stored, and what it must not hold.

Of two runs with equal results it makes equal bytes, so a change in a notebook's file is a change
in what the book says.
"""

import itertools
import re
from pathlib import Path

import nbformat
import yaml

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL_METADATA = ("jupyter", "mystnb", "tags")
FOLDED = {"hide-cell", "hide-input"}
IMAGES = {"image/png", "image/svg+xml"}
MAX_LINES = 20
SETUP = "install"  # the id of the cell that installs adamlib where it is missing
INSTALL = """\
# Installs adamlib where it is missing, as on Colab, and leaves your PyTorch as it is.
from importlib.util import find_spec

if not find_spec("adamlib"):
    %pip install --quiet {source}"""
ADDRESS = re.compile(r"\bat 0x[0-9a-f]+|\b0x[0-9a-f]{9,}")
ABSOLUTE_PATH = re.compile(r"(?<![\w.:/)\]}<])/(?:[\w.-]+/)+[\w.-]+")


def repository(url):
    """(owner, name) of the GitHub repository that public_url names; ValueError for another text."""
    match = re.fullmatch(r"https://github\.com/([\w.-]+)/([\w.-]+)(?<!\.git)", str(url))
    if not match:
        raise ValueError(f"public_url: {url!r} is not of the form https://github.com/OWNER/NAME")
    return match.groups()


def install_cell():
    """The second cell of every notebook, which the book leaves out; nobody counts it.

    It installs from `public_url` in _config.yml; without one, the folder above the notebook's.
    """
    config = Path(__file__).resolve().parent.parent / "_config.yml"
    url = yaml.safe_load(config.read_text(encoding="utf-8"))["sphinx"]["config"].get("public_url")
    source = INSTALL.format(source=f"git+{url}" if url and repository(url) else "..")
    metadata = {"jupyter": {"source_hidden": True}, "tags": ["remove-cell"]}
    return nbformat.v4.new_code_cell(source, id=SETUP, metadata=metadata)


def cell_ids(cells):
    """One id per cell: its own, or cell-N where it has none or shares it with a cell before."""
    taken = {cell.get("id") for cell in cells}
    ids = []
    for number, cell in enumerate(cells, 1):
        own = cell.get("id")
        if not own or own in ids:
            own = next(i for n in itertools.count(number) if (i := f"cell-{n}") not in taken)
            taken.add(own)
        ids.append(own)
    return ids


def canonical_outputs(outputs, count):
    """The outputs without stderr (the progress bar), with neighboring pieces of stdout joined."""
    kept = []
    for output in outputs:
        if output.output_type == "execute_result":
            kept.append(output | {"execution_count": count})
        elif output.output_type != "stream":
            kept.append(output)
        elif output.name == "stdout" and kept and kept[-1]["output_type"] == "stream":
            kept[-1] = kept[-1] | {"text": kept[-1]["text"] + output.text}
        elif output.name == "stdout":
            kept.append(output)
    return kept


def canonical_cell(cell, cell_id, count):
    """The cell under its id, with no metadata but what the book and its readers use."""
    metadata = {key: cell.metadata[key] for key in CELL_METADATA if key in cell.metadata}
    if FOLDED & set(metadata.get("tags", ())):
        metadata["jupyter"] = metadata.get("jupyter", {}) | {"source_hidden": True}
    form = cell | {"id": cell_id, "metadata": metadata}
    if cell.cell_type == "code":
        form |= {"execution_count": count, "outputs": canonical_outputs(cell.outputs, count)}
    return form


def canonical(notebook):
    """The notebook in the form in which it is stored, counted as in one run from the top.

    nbval needs the counts: it takes a cell without one for a cell that never ran.
    """
    counts = itertools.count(1)
    install = install_cell()
    own = [cell for cell in notebook.cells if cell.get("id") != install.id]
    cells = [
        canonical_cell(cell, cell_id, next(counts) if is_run(cell) else None)
        for cell, cell_id in zip(own, cell_ids(own), strict=True)
    ]
    cells.insert(1, install)
    form = {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    return nbformat.from_dict(form)


def is_run(cell):
    """Whether a kernel gets the cell: empty ones are passed over."""
    return cell.cell_type == "code" and bool(cell.source.strip())


def output_faults(output):
    """What must not be stored in an output, in words."""
    if output.output_type == "error":
        yield f"it stores the error {output.ename}: {output.evalue}"
    for kind, data in output.get("data", {"text/plain": output.get("text", "")}).items():
        if kind in IMAGES and not output.metadata.get(kind, {}).get("alt"):
            yield "its figure has no alternative text; end the cell with plots.show(text)"
        if kind.endswith("text/html") or ("image/" in kind and kind not in IMAGES):
            yield f"it stores {kind}; allowed are text, Markdown, SVG and PNG"
        elif kind not in IMAGES:
            for name, pattern in (("a memory address", ADDRESS), ("a path", ABSOLUTE_PATH)):
                if found := pattern.search(str(data)):
                    yield f"its output holds {name}, {found[0]!r}, that differs elsewhere"


def faults(notebook):
    """What is wrong in a notebook in canonical form, in words, cell by cell."""
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "code":
            place = f"cell {number} ({cell.id})"
            if (lines := len(cell.source.splitlines())) > MAX_LINES:
                yield f"{place}: it has {lines} lines, at most {MAX_LINES} are allowed"
            for output in cell.outputs:
                yield from (f"{place}: {fault}" for fault in output_faults(output))

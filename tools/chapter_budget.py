"""How large a chapter may be, and whether the reading time that it prints is honest.

python tools/chapter_budget.py [CHAPTER]   prints the sizes of the chapters
"""

import re
import statistics
import sys
from pathlib import Path

import nbformat
from notebook_form import SETUP

CHAPTERS = Path(__file__).resolve().parent.parent / "chapters"
LIMITS = {  # of a chapter; a word is what stands between white space, a line may be blank
    "words of Markdown": 4200,
    "lines of code": 320,
    "cells of code": 45,
    "lines in the median cell": 6,
    "figures": 9,
    "figures in a row": 2,
}
EXCEPTIONS = {}  # chapter: ({what: limit}, the reason); one at most
PROSE, CODE = 200, 60  # words a minute
FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$]+\$", re.S)
TIME = re.compile(r"\bAbout (\d+) minutes\b")


def is_figure(cell):
    """Whether a cell shows a picture."""
    kinds = {kind for output in cell.get("outputs", ()) for kind in output.get("data", ())}
    return any(kind.startswith("image/") for kind in kinds)


def figures_in_a_row(cells):
    """The most figures that follow each other with no text between."""
    longest = row = 0
    for cell in cells:
        row = 0 if cell.cell_type == "markdown" else row + is_figure(cell)
        longest = max(longest, row)
    return longest


def sizes(notebook):
    """What LIMITS limits, of a notebook."""
    code = [c for c in notebook.cells if c.cell_type == "code" and c.source.strip()]
    texts = [c.source for c in notebook.cells if c.cell_type == "markdown"]
    lines = [len(cell.source.splitlines()) for cell in code if cell.id != SETUP]  # no page has it
    counts = (sum(len(text.split()) for text in texts), sum(lines), len(code))
    median = statistics.median(lines or [0])
    rest = (median, sum(map(is_figure, code)), figures_in_a_row(notebook.cells))
    return dict(zip(LIMITS, (*counts, *rest), strict=True))


def minutes(notebook):
    """Minutes to read a notebook: its prose, and its formulas and open code, to the next five."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    formulas = len(" ".join(FORMULA.findall(text)).split())
    shown = [c for c in notebook.cells if c.cell_type == "code" and not c.metadata.get("jupyter")]
    code = sum(len(cell.source.split()) for cell in shown)
    return 5 * round(((len(text.split()) - formulas) / PROSE + (formulas + code) / CODE) / 5)


def over_budget(name, notebook):
    """What is too large in the chapter of that name, and a time it does not take, in words."""
    allowed = LIMITS | EXCEPTIONS.get(name, ({}, ""))[0]
    for what, size in sizes(notebook).items():
        if size > allowed[what]:
            yield f"{size:g} {what}, at most {allowed[what]} are allowed"
    said, due = TIME.search(notebook.cells[0].source), minutes(notebook)
    if not said or int(said[1]) != due:
        yield f"its first cell must say 'About {due} minutes'"


def main():
    for path in sorted(CHAPTERS.glob("[0-9]*.ipynb")):
        if not path.name.startswith("".join(sys.argv[1:])):
            continue
        notebook = nbformat.read(path, 4)
        found = ", ".join(f"{size:g} {what}" for what, size in sizes(notebook).items())
        print(f"{path.stem}: {found}; {minutes(notebook)} minutes")
        print(*(f"  {fault}" for fault in over_budget(path.stem, notebook)), sep="\n")


if __name__ == "__main__":
    main()

"""Runs the notebooks of the chapters and keeps them in one form.

python tools/notebooks.py run [CHAPTER]   runs and stores those whose name starts with CHAPTER
python tools/notebooks.py form [CHAPTER]  stores them in the form, as they ran the last time
python tools/notebooks.py check           names what `form` would not have stored as it is
"""

import argparse
import sys
import time
from pathlib import Path

import nbformat
from chapter_budget import over_budget
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal
from notebook_form import canonical, faults

from adamlib.files import write

CHAPTERS = Path(__file__).resolve().parent.parent / "chapters"
CELL_SECONDS = 600
QUIET = ["--log-level=40"]  # ipykernel warns of its own sockets at each start


def read(path):
    """The notebook at path in canonical form; RuntimeError where path holds none."""
    try:
        # Not nbformat.read: that gives a cell without an id another one each time.
        notebook = canonical(nbformat.v4.reads(path.read_text(encoding="utf-8")))
        nbformat.validate(notebook)
    except (AttributeError, KeyError, ValueError, nbformat.ValidationError) as error:
        raise RuntimeError(f"not a notebook of format 4: {error}") from error
    return notebook


def text_of(notebook):
    """The text under which a notebook is stored: indent 1, sorted keys, a newline at the end."""
    return nbformat.v4.writes(notebook) + "\n"


def execute(path):
    """The notebook at path with new outputs; RuntimeError where a cell raises or warns."""
    notebook = read(path)
    place = "before its first cell"

    def note(cell, cell_index):
        nonlocal place
        place = f"cell {cell_index + 1} ({cell.id})"

    resources = {"metadata": {"path": path.parent}}
    settings = {"timeout": CELL_SECONDS, "extra_arguments": QUIET, "on_cell_start": note}
    try:
        NotebookClient(notebook, resources=resources, **settings).execute()
    except (CellControlSignal, RuntimeError) as error:
        raise RuntimeError(f"{place}: {error}") from error
    for number, cell in enumerate(notebook.cells, 1):
        for output in cell.get("outputs", ()):
            words = output.get("text", "") if output.get("name") == "stderr" else ""
            if output.output_type == "error" or "warning" in words.lower():
                words = words or "\n".join(output.traceback)
                raise RuntimeError(f"cell {number} ({cell.id}) warns or fails to show:\n{words}")
    return canonical(notebook)


def run(path):
    """What is wrong with the notebook at path, which is stored as it comes from a whole run."""
    notebook = execute(path)
    write(path, text_of(notebook))
    return list(faults(notebook))


def form(path):
    """What is wrong with the notebook at path, which is stored in canonical form."""
    notebook = read(path)
    write(path, text_of(notebook))
    return list(faults(notebook))


def check(path):
    """What is wrong with the notebook at path, the form in which it is stored included."""
    notebook = read(path)
    problem = "it is not in canonical form; `python tools/notebooks.py form` stores it so"
    changed = text_of(notebook).encode() != path.read_bytes()
    large = over_budget(path.stem, notebook) if path.name[0].isdigit() else ()
    return [*faults(notebook), *large, *([problem] if changed else [])]


def judge(path, action):
    """Whether action finds nothing wrong with the notebook at path; else it is printed."""
    start = time.monotonic()
    try:
        problems = action(path)
    except RuntimeError as error:
        problems = [str(error)]
    if problems or action is run:
        print(f"{path.name}: {time.monotonic() - start:.1f} s", *problems, sep="\n  ", flush=True)
    return not problems


def main():
    """Nothing; the exit status is 1 where a notebook is at fault, 2 where none has the name."""
    parser = argparse.ArgumentParser(usage=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("run", "form"):
        commands.add_parser(name).add_argument("chapter", nargs="?", default="")
    commands.add_parser("check").set_defaults(chapter="")
    arguments = parser.parse_args()
    paths = sorted(CHAPTERS.glob("*.ipynb"))
    chosen = [path for path in paths if path.name.startswith(arguments.chapter)]
    if arguments.chapter and not chosen:
        names = " ".join(path.stem for path in paths) or "none"
        parser.error(f"no chapter starts with {arguments.chapter!r}; there are: {names}")
    action = {"run": run, "form": form, "check": check}[arguments.command]
    good = sum([judge(path, action) for path in chosen])
    print(f"{good} of {len(chosen)} notebooks in form")
    sys.exit(good < len(chosen))


if __name__ == "__main__":
    main()

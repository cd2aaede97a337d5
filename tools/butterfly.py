"""Does a chapter say the same from a hair's breadth beside its start? python tools/butterfly.py 05

Runs it again and again, the initial weights of its networks moved by a relative 1e-6, as another
processor's rounding would move them soon. Names every printed line that changes and every cell
that fails; both mean that the page tells of this machine and not of the method. The verdict is
stored for the status page.
"""

import argparse
import re
import sys
import threading
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from nbclient import NotebookClient
from nbformat.v4 import new_code_cell
from notebooks import CELL_SECONDS, CHAPTERS, QUIET, read
from status import fingerprint, record
from tqdm import tqdm

NUDGE = """
def nudged(draw, run={run}, size={size}):
    def drawn(*arguments, **options):
        tensors = draw(*arguments, **options)
        for w in [tensors] if torch.is_tensor(tensors) else tensors:
            with torch.no_grad():  # by its value: equal weights stay equal
                w.mul_(1 + size * torch.sin(1e6 * run * w.double()).to(w.dtype))
        return tensors
    return drawn

import torch
from adamlib import paper
from adamlib.model import MLPStack
for name in [name for name in dir(torch.nn.init) if name.endswith("_") and name[0] != "_"]:
    setattr(torch.nn.init, name, nudged(getattr(torch.nn.init, name)))
MLPStack._layer = staticmethod(nudged(MLPStack._layer))
paper.initial = nudged(paper.initial)
del nudged, name, paper, torch, MLPStack
"""
SIZE = 1e-6  # of the move, relative; verdicts on others are not stored
STARTING = threading.Lock()


class Client(NotebookClient):
    """Starts one kernel at a time: two at once may pick the same ports."""

    async def async_start_new_kernel(self, **options):
        with STARTING:
            await super().async_start_new_kernel(**options)


def said(cell):
    """Return the lines that the outputs of a cell print, figures and the progress bar left out."""
    outputs = [output for output in cell.get("outputs", ()) if output.get("name") != "stderr"]
    texts = [output.get("text") or output.get("data", {}).get("text/plain") for output in outputs]
    return [line for text in texts if text and "<Figure" not in text for line in text.splitlines()]


def failure(cell):
    """Return the error of a cell, "" if there is none."""
    errors = [output for output in cell.get("outputs", ()) if output.output_type == "error"]
    text = "".join(f"{error.ename}: {error.evalue}" for error in errors)
    trace = "\n".join(line for error in errors for line in error.traceback)
    (where,) = re.findall(r"-+> *\d+ (.*)", re.sub(r"\x1b\[[\d;]*m", "", trace))[:1] or [""]
    return f"{text.splitlines()[0]} at `{where.strip()}`" if text else ""


def flight(path, size, run):
    """Return [(lines, failure)] of the code cells after a run from weights nudged by `size`."""
    notebook = read(path)
    notebook.cells.insert(0, new_code_cell(NUDGE.format(run=run, size=size)))
    resources = {"metadata": {"path": path.parent}}
    settings = {"timeout": CELL_SECONDS, "extra_arguments": QUIET}
    settings |= {"allow_errors": True, "coalesce_streams": True}  # a print may come in two parts
    Client(notebook, resources=resources, **settings).execute()
    return [(said(cell), failure(cell)) for cell in notebook.cells[1:] if cell.cell_type == "code"]


def differences(stored, flights):
    """Return {(cell, what): in how many flights}: lines that changed, and failures."""
    found = Counter()
    examples = defaultdict(str)
    for cells in flights:
        for cell, (lines, error) in zip(stored, cells, strict=True):
            if error:
                found[cell.id, error] += 1
            for old, new in zip(said(cell), lines, strict=False):
                if old != new:
                    found[cell.id, f"`{old}`"] += 1
                    examples[cell.id, f"`{old}`"] = f", as to `{new}`"
            if not error and len(lines) != len(said(cell)):
                found[cell.id, f"{len(said(cell))} lines become {len(lines)}"] += 1
    return {(cell, what + examples[cell, what]): n for (cell, what), n in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapter", help="how the notebook's name starts, as 05")
    parser.add_argument("--runs", type=int, default=20, help="from other weights each")
    parser.add_argument("--size", type=float, default=SIZE, help="of the move, relative")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    options = parser.parse_args()
    paths = [path for path in CHAPTERS.glob("*.ipynb") if path.name.startswith(options.chapter)]
    if len(paths) != 1:
        parser.error(f"chapter must name one notebook, got {options.chapter!r} for {len(paths)}")
    code = fingerprint(paths[0])
    stored = [cell for cell in read(paths[0]).cells if cell.cell_type == "code"]
    with ThreadPoolExecutor(options.jobs) as pool:
        runs = pool.map(partial(flight, paths[0], options.size), range(1, options.runs + 1))
        flights = list(tqdm(runs, desc=paths[0].stem, total=options.runs, unit="run"))
    found = differences(stored, flights)
    lines = [f"cell {cell}: {n} of {options.runs}: {what}" for (cell, what), n in found.items()]
    print(*(f"{paths[0].name}, {line}\n" for line in lines), sep="", end="")
    if options.size == SIZE:
        record("butterfly", paths[0], code, runs=options.runs, size=options.size, differs=lines)
    print(f"{paths[0].name}: {len(found)} lines or assertions do not survive {options.runs} runs")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()

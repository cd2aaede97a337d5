"""What is proven of each notebook, and a page that says it (a Sphinx extension).

The tests leave a file for each notebook in _build/proofs; tools/butterfly.py and tools/portable.py
write their verdicts into a record that is committed.
"""

import hashlib
import importlib.metadata
import json
import platform
import time
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from notebook_form import SETUP
from sphinx.util.docutils import SphinxDirective

from adamlib.files import RESULTS, write

ROOT = Path(__file__).resolve().parent.parent
PROOFS = ROOT / "_build/proofs"
VERDICTS = RESULTS / "verdicts.json"
HEAD = ["Notebook", "Tests", "Butterfly", "Portable"]


def fingerprint(path):
    """A hash of what the code cells of the notebook at path say, but for the set-up's."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code" and cell.get("id") != SETUP]
    text = json.dumps(["".join(cell["source"]) for cell in code])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def proof(path, **found):
    """What was found of the notebook at path: with the day, the machine and the code."""
    from adamlib.bench.report import device_name  # needs torch, which the page does not

    python = f"Python {platform.python_version()}"
    packages = {"PyTorch": "torch", "NumPy": "numpy"}
    versions = [f"{name} {importlib.metadata.version(packages[name])}" for name in packages]
    machine = ", ".join([python, *versions, device_name("cpu")])
    return found | {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine,
        "code": fingerprint(path),
    }


def record(kind, path, code, **found):
    """None; stores a verdict on the notebook at path, whose code had this hash at the start."""
    if fingerprint(path) != code:
        print(f"{path.name} was changed meanwhile: no verdict is stored")
        return
    verdicts = read(VERDICTS)
    verdicts[path.stem] = verdicts.get(path.stem, {}) | {kind: proof(path, **found)}
    write(VERDICTS, json.dumps(verdicts, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read(path):
    """What the JSON file at path holds, {} where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def tested(found):
    """What the tests found, in words."""
    cells = found["passed"] + found["failed"]
    failed = f", **{found['failed']} failed**" if found["failed"] else ""
    return f"{found['passed']} of {cells} cells pass{failed}, {found['seconds']:.0f} s"


def flown(found):
    """What butterfly found, in words."""
    count = len(found["differs"])
    return f"{found['runs']} runs: " + (f"**{count} lines differ**" if count else "all the same")


def carried(found):
    """What portable found, in words: {setting: the cells that differ}."""
    different = [f"**{len(x)} differ under {name}**" for name, x in found["differs"].items() if x]
    return ", ".join(different) or f"the same under {', '.join(found['differs'])}"


def told(words, found, code, machines, nothing="not yet"):
    """A field of the table; machines are those met so far, by letter."""
    if not found:
        return nothing
    letter = machines.setdefault(found["machine"], chr(ord("A") + len(machines)))
    earlier = "" if found["code"] == code else " *of an earlier version*,"
    day = found["date"].replace("-", "\N{NON-BREAKING HYPHEN}")
    return f"{words(found)},{earlier} {day}, on {letter}"


def page(paths, proofs=PROOFS, verdicts=VERDICTS):
    """The lines of the page in Markdown: a table of the notebooks, then the machines."""
    known, machines, rows = read(verdicts), {}, [HEAD, ["---"] * len(HEAD)]
    for path in paths:
        code, verdict = fingerprint(path), known.get(path.stem, {})
        test = read(proofs / f"{path.stem}.json")
        row = [f"[]({path.name})", told(tested, test, code, machines, "not run here yet")]
        row += [told(flown, verdict.get("butterfly"), code, machines)]
        rows.append([*row, told(carried, verdict.get("portable"), code, machines)])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return [*lines, "", *(f"- {letter}: {name}" for name, letter in machines.items())]


class Status(SphinxDirective):
    """The table of the notebooks beside the page; takes nothing."""

    def run(self):
        """The table, and what it is made of as what the page depends on."""
        paths = sorted(Path(self.env.srcdir, self.env.docname).parent.glob("*.ipynb"))
        proofs = [PROOFS / f"{path.stem}.json" for path in paths]  # a missing one is looked for
        for path in (VERDICTS, Path(__file__), *paths, *proofs):
            self.env.note_dependency(str(path))
        box = nodes.container(classes=["status"])
        self.state.nested_parse(StringList(page(paths), source=__file__), 0, box)
        return [box]


def setup(app):
    """The extension's metadata, for Sphinx."""
    app.add_directive("status", Status)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

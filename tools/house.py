"""The rooms of the package, who imports whom, and the tree in the README: python tools/house.py"""

import ast
import re
import textwrap
from graphlib import TopologicalSorter
from pathlib import Path

from adamlib.files import write

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "adamlib"
FRONT = "rules surfaces descent show plots playground data model optim train stack schedules"
FRONT = f"{FRONT} convert mutants paper files".split()  # at the root, as the book needs them
FOLDERS = ("check", "diagnose", "engine", "runs", "sweep", "bench", "sources")
INDENT = {"initial_indent": " " * 4, "subsequent_indent": " " * 4}
BLOCK = re.compile(r"(?<=<!-- tree -->\n```text\n).*?(?=```\n)", re.DOTALL)


def imports(path):
    """Yield the full names of what a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


def storeys(folder, depth):
    """Return lists of names, the lowest first: what a name imports stands in a list before its own.

    depth 1: the rooms of the package, its root files and its folders; depth 2: the files of one
    folder. Raises graphlib.CycleError where imports go round in a circle.
    """
    graph = {}
    for path in folder.rglob("*.py"):
        name = path.relative_to(folder).parts[0].removesuffix(".py")
        targets = (full.split(".") for full in imports(path) if full.startswith("adamlib."))
        inside = [x for x in targets if len(x) > depth and x[1:depth] in ([], [folder.name])]
        graph.setdefault(name, set()).update(parts[depth] for parts in inside)
    sorter = TopologicalSorter({name: found - {name} for name, found in graph.items()})
    sorter.prepare()
    found = []
    while sorter.is_active():
        found.append(sorted(sorter.get_ready()))
        sorter.done(*found[-1])
    return found


def line(path, indent):
    """Return the line of a file or folder: its name, and the first line of its docstring."""
    text = (path / "__init__.py" if path.is_dir() else path).read_text(encoding="utf-8")
    name = " " * indent + re.sub(r"\d+", "NN", path.name) + "/" * path.is_dir()
    first = ast.get_docstring(ast.parse(text)).splitlines()[0]
    return f"{name:<20} {re.sub(r'chapter [0-9]+', 'chapter NN', first)}\n"


def tree():
    """Return the tree of the package, a line for each file; those of one kind share one."""
    lines = ["adamlib/\n"]
    lines += [line(PACKAGE / f"{name}.py", 2) for name in FRONT]
    for folder in (PACKAGE / name for name in FOLDERS):
        lines.append(line(folder, 2))
        names = [name for storey in storeys(folder, 2) for name in storey if name[0] != "_"]
        names = [name for name in names if (folder / f"{name}.py").exists()]
        if folder.name in ("check", "diagnose"):  # a chapter each, an experiment each
            names = dict.fromkeys(re.sub(r"chapter_[0-9]+", "chapter_NN", name) for name in names)
            lines.append(textwrap.fill(" ".join(names), 96, **INDENT) + "\n")
            continue
        lines += [line(folder / f"{name}.py", 4) for name in names]
    return "".join(dict.fromkeys(lines))


if __name__ == "__main__":
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    write(ROOT / "README.md", BLOCK.sub(lambda _: tree(), readme))

"""The code exercises of a chapter for nbgrader: python tools/assignment.py 05 FOLDER

Writes FOLDER/NAME.ipynb: of each exercise its text, its solution between the marks that nbgrader
blanks, and a locked test worth one point, which its checker decides. The chapter itself cannot be
one: a folded cell there holds a solution, slips and a measurement that wants the whole chapter.
"""

import argparse
import ast
import inspect
import re
import symtable
from pathlib import Path

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from notebook_form import METADATA, SETUP
from notebooks import CHAPTERS, read, text_of

from adamlib import rules
from adamlib.files import write

HEADING = re.compile(r"### Exercise ([\d.]+) ")
CALL = re.compile(r"`check\.(\w+)\((.*?)\)`")
SOLUTION = r"<details><summary>Solution</summary>.*?</details>|(?-s:.*folded cell.*)"
SOLUTION = re.compile(rf"\n\n(?:{SOLUTION})", re.DOTALL)
ROLE = re.compile(r"\{(eq|numref|cite:[tp])\}`(([a-z]+)(\d*)[^`]*)`")
ABOUT = "# {}: the code exercises\n\nWhere a text says *this page*, it means the chapter."
HANDED_IN = """check.{}({})
assert verdict.GIVEN[-1]["right"] and not verdict.GIVEN[-1]["own"]"""
FIRST = ("from adamlib import check", "from adamlib.check import verdict")


def parts(cells):
    """{name: text} of what code cells import and define at their top level, the last of a name."""
    found = {}
    for cell in cells:
        for node in ast.parse(cell.source).body:
            for alias in getattr(node, "names", ()):
                node.names = [alias]
                found[alias.asname or alias.name] = ast.unparse(node)
            names = [x.id for x in getattr(node, "targets", ()) if isinstance(x, ast.Name)]
            names += [node.name] if isinstance(node, ast.FunctionDef) else []
            found |= dict.fromkeys(names, ast.get_source_segment(cell.source, node))
    return found


def asked(table):
    """Yield the names that a text takes from outside, the built-in ones included."""
    for symbol in table.get_symbols():
        if symbol.is_global() or (table.get_type() == "module" and symbol.is_referenced()):
            yield symbol.get_name()
    for child in table.get_children():
        yield from asked(child)


def needed(text, known):
    """The known texts without which `text` does not run, each after those that it needs itself."""
    order = []
    for name in asked(symtable.symtable(text, "cell", "exec")):
        if (part := known.get(name)) and part != text:
            left = {key: value for key, value in known.items() if value != part}
            order += [*needed(part, left), part]
    return list(dict.fromkeys(order))


def only_code(cells):
    """Those of the cells that hold code, but for the set-up, which may hold a shell's."""
    return [cell for cell in cells if cell.cell_type == "code" and cell.id != SETUP]


def answer(cells, checker):
    """The text of what the solution in these cells hands to the checker first."""
    for tree in (ast.parse(cell.source) for cell in cells):
        nodes = list(ast.walk(tree))
        lists = {ast.unparse(x.target): x.iter for x in nodes if isinstance(x, ast.For)}
        for node in nodes:
            if isinstance(node, ast.Call) and ast.unparse(node.func) == f"check.{checker}":
                given = ast.unparse(node.args[0])
                return ast.unparse(lists[given].elts[0]) if given in lists else given
    raise ValueError(f"no folded cell calls check.{checker}")


def resolved(role):
    """What a role of the book's says outside of it: a label in the chapter, or a source."""
    kind, label, author, year = role.groups()
    if kind.startswith("cite"):
        return f"{author.title()} ({year})"
    return f"{'figure ' * (kind == 'numref')}`{label}` of the chapter"


def marked(source, name, **marks):
    """A code cell with the marks by which nbgrader knows it; its id holds no dot."""
    usual = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
    return new_code_cell(source, metadata={"nbgrader": usual | marks | {"grade_id": name}})


def exercise(cells, start):
    """(imports, cells) of the exercise whose text is cells[start]: text, solution, test."""
    text = cells[start].source
    checker, wanted = CALL.search(text).groups()
    name = f"exercise-{HEADING.match(text)[1].replace('.', '-')}"
    end = next((k for k in range(start + 1, len(cells)) if cells[k].source[:1] == "#"), len(cells))
    given = answer(only_code(cells[start:end]), checker)
    lines = needed(given, parts(only_code(cells[:end])))
    if given == f"rules.{wanted}":  # the package's own function is no answer, its text is one
        lines = [inspect.getsource(getattr(rules, wanted)).rstrip()]
    elif given != wanted:
        lines.append(f"{wanted} = {given}")
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    solution = [line for line in lines if line not in imports]
    solution = "\n\n\n".join(["### BEGIN SOLUTION", *solution, "### END SOLUTION"])
    test = HANDED_IN.format(checker, wanted)
    return imports, [
        new_markdown_cell(ROLE.sub(resolved, SOLUTION.sub("", text))),
        marked(solution, name, solution=True),
        marked(test, f"{name}-test", grade=True, locked=True, points=1),
    ]


def assignment(path):
    """The notebook of those exercises of the chapter at path that have a checker."""
    cells = read(path).cells
    starts = [k for k, x in enumerate(cells) if HEADING.match(x.source) and CALL.search(x.source)]
    found = [exercise(cells, k) for k in starts]
    imports = dict.fromkeys([*FIRST, *(line for lines, _ in found for line in lines)])
    about = new_markdown_cell(ABOUT.format(cells[0].source.splitlines()[0].removeprefix("# ")))
    cells = [about, new_code_cell("\n".join(imports))]
    cells += [cell for _, each in found for cell in each]
    for number, cell in enumerate(cells, 1):
        cell.id = f"cell-{number}"
    return new_notebook(cells=cells, metadata=METADATA)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapter", help="how the notebook's name starts, as 05")
    parser.add_argument("folder", type=Path, help="nbgrader's: COURSE/source/ASSIGNMENT")
    options = parser.parse_args()
    paths = [path for path in CHAPTERS.glob("*.ipynb") if path.name.startswith(options.chapter)]
    if len(paths) != 1 or not paths[0].name[0].isdigit():
        parser.error(f"chapter must name one chapter, got {options.chapter!r}")
    options.folder.mkdir(parents=True, exist_ok=True)
    write(options.folder / paths[0].name, text_of(assignment(paths[0])))


if __name__ == "__main__":
    main()

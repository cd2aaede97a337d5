"""python -m adamlib.check --grade NOTEBOOK: runs a reader's notebook and scores its answers.

The notebook is a copy of a chapter or one of the reader's own. An exercise is a checker that it
mentions, as `check.NAME`, or that --expect names, and counts 1 point. The answer is what the last
call of the checker was given in a cell that is not folded (tag hide-cell): folded cells are the
book's own solutions. A function of adamlib itself is no answer.
"""

import argparse
import json
import os
import re
import sys
import tempfile
from pathlib import Path

from tqdm import tqdm

from adamlib import check, files
from adamlib.check.verdict import FILE

NAMES = [name for name, value in vars(check).items() if callable(value)]
OURS = "no answer found: only the book's own (a folded cell, a function of adamlib) was checked"
EXPECT = f"exercises that count even where it does not mention them: {', '.join(NAMES)}"
QUIET = ["--log-level=40"]


def mentioned(source):
    """Return the names of the checkers that a cell mentions."""
    return [name for name in re.findall(r"\bcheck\.(\w+)", source) if name in NAMES]


class Found:
    """What each checker was given last, as cell after cell is run: {name: (points, reason)}."""

    def __init__(self, file, bar):
        self.file, self.bar, self.seen, self.answers, self.before = file, bar, 0, {}, ""

    def note(self, cell, cell_index, execute_reply):
        """Take the verdicts, or the error, of a cell that was run."""
        self.bar.update()
        lines = self.file.read_text(encoding="utf-8").splitlines()
        verdicts, self.seen = [json.loads(line) for line in lines[self.seen :]], len(lines)
        folded = "hide-cell" in cell.metadata.get("tags", ())
        if not folded and (reply := execute_reply["content"])["status"] == "error":
            reason = f"cell {cell_index + 1} raised {reply['ename']}: {reply['evalue']}"
            cause = self.before * (reply["ename"] == "NameError")  # of what was not defined
            left = {*mentioned(cell.source)} - {verdict["checker"] for verdict in verdicts}
            self.answers |= dict.fromkeys(left, (0, reason + cause))
            self.before = f"; before it {reason}"
        for verdict in verdicts:
            if folded or verdict["own"]:
                self.answers.setdefault(verdict["checker"], (0, OURS))
            else:
                reason = f"cell {cell_index + 1}: {verdict['words']}"
                self.answers[verdict["checker"]] = int(verdict["right"]), reason


def grade(notebook, folder, seconds, expected=()):
    """Return [{exercise, points, reason}] of a notebook, run in its folder.

    A cell that takes longer than `seconds` is interrupted; the next ones are run.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import DeadKernelError

    late = {"ename": "TimeoutError", "evalue": f"longer than {seconds} s", "traceback": []}
    settings = {"allow_errors": True, "interrupt_on_timeout": True, "error_on_timeout": late}
    settings |= {"timeout": seconds, "kernel_name": "python3", "extra_arguments": QUIET}
    names = [*expected, *(name for cell in notebook.cells for name in mentioned(cell.source))]
    missing = "no answer found"
    count = sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in notebook.cells)
    with tempfile.TemporaryDirectory() as temporary, tqdm(total=count, unit="cell") as bar:
        found = Found(Path(temporary, "verdicts"), bar)
        found.file.touch()
        os.environ[FILE] = str(found.file)  # the kernel inherits it
        settings["resources"] = {"metadata": {"path": str(folder)}}
        client = NotebookClient(notebook, on_cell_executed=found.note, **settings)
        try:
            client.execute()
        except DeadKernelError:
            missing = f"no answer found: Python died in code cell {client.code_cells_executed}"
    answers = dict.fromkeys(names, (0, missing)) | found.answers
    return [{"exercise": name, "points": p, "reason": why} for name, (p, why) in answers.items()]


def opened(path):
    """Return the notebook at path; ValueError where there is none, or no package to run it."""
    try:
        import ipykernel  # noqa: F401, its Python runs the cells
        import nbclient  # noqa: F401
        import nbformat
    except ImportError as error:
        raise ValueError(f"{error.name} is missing: pip install nbclient ipykernel") from None
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError, KeyError, AttributeError, nbformat.ValidationError) as error:
        raise ValueError(f"--grade must name a notebook, got {str(path)!r}: {error}") from None


def main():
    epilog = "Exit status: 0 all points, 1 not all, 2 not graded.\nA notebook is a program, and it"
    epilog += " is run, with your rights: grade only those whose authors you trust."
    form = {"formatter_class": argparse.RawDescriptionHelpFormatter, "epilog": epilog}
    parser = argparse.ArgumentParser("python -m adamlib.check", description=__doc__, **form)
    add = parser.add_argument
    add("--grade", required=True, type=files.path_of, metavar="NOTEBOOK", help="what to run")
    add("--expect", nargs="+", choices=NAMES, default=[], metavar="NAME", help=EXPECT)
    add("--json", metavar="FILE", help="store the scores as JSON; - prints it, and nothing else")
    add("--seconds", type=int, default=600, help="time limit of each cell (%(default)s)")
    options = parser.parse_args()
    if options.seconds < 1:
        parser.error(f"--seconds must be at least 1, got {options.seconds}")
    try:
        if options.json and not files.path_of(options.json).parent.is_dir():
            raise ValueError(f"--json must name a file in a folder, got {options.json!r}")
        notebook = opened(options.grade)
    except ValueError as error:
        parser.error(str(error))
    rows = grade(notebook, options.grade.resolve().parent, options.seconds, options.expect)
    points = sum(row["points"] for row in rows)
    record = {"notebook": str(options.grade), "points": points, "of": len(rows), "exercises": rows}
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    if options.json and options.json != "-":
        files.write(files.path_of(options.json), text)
    lines = [f"{row['points']}  {row['exercise']:<14}  {row['reason']}" for row in rows]
    print(text if options.json == "-" else "\n".join([*lines, f"{points} of {len(rows)} points"]))
    sys.exit(points < len(rows) if rows else 2)


if __name__ == "__main__":
    main()

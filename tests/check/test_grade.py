"""A reader's notebook is run and scored, each exercise with a reason."""

import json
import subprocess
import sys

import pytest
from building import ROOT
from nbformat import v4

CELLS = [
    "from adamlib import check, rules",
    "def best_lr(smallest, largest): return 2 / (smallest + largest)",
    "check.best_lr(lambda smallest, largest: 1)\ncheck.best_lr(best_lr)",
    "check.signum(lambda w, g, t, m=0, *, lr, beta: (w, m))",
    "def clipped(gradients, max_norm): return 1 / 0\n\ncheck.clipped(clipped)",
    "def polar(x, low, steps) return x",
    "check.polar(polar)",
    "check.adam_rule(rules.adam)\nassert False",
    "while True: check.edge",
    "check.best_lr",
]
DUE = {
    "best_lr": (1, "cell 3: both ends of the spectrum shrink equally fast"),
    "signum": (0, "cell 4: "),
    "clipped": (0, "raised ZeroDivisionError: division by zero"),
    "polar": (
        0,
        "cell 7 raised NameError: name 'polar' is not defined; before it cell 6 raised S",
    ),
    "adam_rule": (0, "no answer found: only the book's own"),
    "edge": (0, "cell 9 raised TimeoutError: longer than 10 s"),
    "rounded": (0, "no answer found: only the book's own"),
    "cautious": (0, "no answer found"),
}


def graded(path, *options):
    """(exit status, what is printed) of the grading of the notebook at path."""
    command = [sys.executable, "-m", "adamlib.check", "--grade", path, *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout


@pytest.mark.slow
def test_right_wrong_missing_and_raising_answers_get_their_points_and_reasons(tmp_path):
    cells = [v4.new_code_cell(source) for source in CELLS]
    solution = "check.rounded(lambda x, u: x)\ncheck.best_lr(lambda smallest, largest: 0)"
    cells += [v4.new_code_cell(solution, metadata={"tags": ["hide-cell"]})]
    path = tmp_path / "answers.ipynb"
    path.write_text(v4.writes(v4.new_notebook(cells=cells)), encoding="utf-8")
    status, text = graded(path, "--json", "-", "--seconds", "10", "--expect", "cautious")
    found = json.loads(text)
    assert status == 1 and (found["points"], found["of"]) == (1, len(DUE))
    rows = {row["exercise"]: (row["points"], row["reason"]) for row in found["exercises"]}
    for name, (points, reason) in DUE.items():
        assert rows[name][0] == points and reason in rows[name][1], name


def test_what_is_no_notebook_is_refused(tmp_path):
    assert graded(tmp_path / "none.ipynb") == (2, "")
    (tmp_path / "empty.ipynb").write_text(v4.writes(v4.new_notebook()), encoding="utf-8")
    assert graded(tmp_path / "empty.ipynb") == (2, "0 of 0 points\n")


def test_a_file_that_cannot_be_written_is_refused_before_the_notebook_runs(tmp_path):
    path = tmp_path / "a.ipynb"
    cells = [v4.new_code_cell("open('ran', 'w')  # check.polar")]
    path.write_text(v4.writes(v4.new_notebook(cells=cells)), encoding="utf-8")
    assert graded(path, "--json", tmp_path / "no/scores.json") == (2, "")
    assert not (tmp_path / "ran").exists()

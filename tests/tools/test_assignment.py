"""A chapter's code exercises become an assignment whose own solutions pass its tests."""

import re

import assignment
import notebooks
import pytest

from adamlib import rules

CHAPTERS = sorted(notebooks.CHAPTERS.glob("[01]*.ipynb"))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_solutions_of_an_assignment_pass_and_are_marked(path):
    cells = assignment.assignment(path).cells
    world = {}
    for cell in cells:
        if cell.cell_type == "code":
            exec(cell.source, world)
    marks = [cell.metadata.get("nbgrader") for cell in cells]
    solutions, tests = (
        [m["grade_id"] for m in marks if m and m[key]] for key in ("solution", "grade")
    )
    assert solutions and tests == [f"{number}-test" for number in solutions]
    for cell in cells:
        assert cell.cell_type == "code" or not re.search(r"Solution|\{\w+(:\w)?\}`", cell.source)


@pytest.mark.parametrize("answer", [lambda *_, **hyper: None, rules.adam])
def test_a_wrong_answer_and_the_package_s_own_get_no_point(answer):
    test = assignment.assignment(CHAPTERS[4]).cells[-1].source
    with pytest.raises(AssertionError):
        exec("\n".join([*assignment.FIRST, test]), {"adam": answer})

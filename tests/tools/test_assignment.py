"""A chapter's code exercises become an assignment whose own solutions pass its tests."""

import assignment
import notebooks
import pytest

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
        assert cell.cell_type == "code" or "Solution" not in cell.source

"""The order of the house: what stands at the root, how large a room is, who may import whom."""

import json
import re
import subprocess
import sys

import house
import pytest

#: The most lines of a folder: a new one has to earn its place, or another has to go.
BUDGETS = {
    "check": 843,
    "diagnose": 2300,
    "engine": 2060,
    "runs": 944,
    "sweep": 351,
    "bench": 817,
    "sources": 512,
}
LONGEST = 150  # lines of a module


def test_the_root_holds_what_chapters_and_users_import():
    names = {path.stem for path in house.PACKAGE.glob("*.py")} - {"__init__"}
    assert names == set(house.FRONT) and len(names) <= 16


def test_imports_point_down_and_the_house_has_five_storeys_at_most():
    assert len(house.storeys(house.PACKAGE, 1)) <= 5


@pytest.mark.parametrize("folder", house.FOLDERS)
def test_a_folder_keeps_its_budget(folder):
    files = (house.PACKAGE / folder).glob("*.py")
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert sum(lines.values()) <= BUDGETS[folder] and max(lines.values()) <= LONGEST


def test_every_folder_is_in_the_tree():
    assert {path.parent.name for path in house.PACKAGE.glob("*/__init__.py")} == set(house.FOLDERS)


def test_chapters_import_from_the_root():
    """Chapters 16 and 17 and the appendix are about the machinery and may look inside."""
    for path in (house.ROOT / "chapters").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        rooms = set(re.findall(r"^ *from adamlib\.(\w+)", text, re.M))
        inside = path.name[:2] in ("16", "17") or path.stem == "how_adamlib_works"
        assert inside or rooms <= {*house.FRONT, "check", "diagnose", "sweep"}, path.name


def test_the_readme_shows_the_tree():
    (shown,) = house.BLOCK.findall((house.ROOT / "README.md").read_text(encoding="utf-8"))
    assert shown == house.tree(), "call `python tools/house.py`"
    assert shown.count("\n") <= 70  # one screen


NUMPY = "rules surfaces descent plots show schedules playground convert files check engine.kernels"
NUMPY += " runs.scaling sources.digits sources.download sources.npz"


def test_the_numpy_half_never_imports_torch():
    names = ", ".join(f"adamlib.{name}" for name in NUMPY.split())
    command = [sys.executable, "-c", f"import sys, {names}; print(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "torch" not in done.stdout.split()

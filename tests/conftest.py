"""`pytest --fast`: without the slow tests, but with those of the files that a change touches."""

import subprocess
from functools import cache

import house


def pytest_addoption(parser):
    parser.addoption("--fast", action="store_true", help="slow tests only of what was changed")
    words = "how many random programs to run"
    parser.addoption("--programs", type=int, default=200, metavar="N", help=words)


def pytest_collection_modifyitems(config, items):
    if config.getoption("--fast"):
        left_out = [x for x in items if x.get_closest_marker("slow") and not touched(x.path)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@cache
def touched(path):
    """Whether a test file, or a module that it imports, differs from the last commit."""
    name = path.relative_to(house.ROOT).as_posix()
    modules = {each.removesuffix(".py").replace("/", ".") for each in changed()}
    return name in changed() or not modules.isdisjoint(
        part for full in house.imports(path) for part in (full, full.rpartition(".")[0])
    )


@cache
def changed():
    """The paths of the files that differ from the last commit, as git names them."""
    command = ["git", "status", "--porcelain", "--no-renames", "--untracked-files=all"]
    done = subprocess.run(command, cwd=house.ROOT, capture_output=True, text=True)
    return {line[3:] for line in done.stdout.splitlines()}

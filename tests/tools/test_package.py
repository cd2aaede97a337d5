"""What is installed, and what its signatures say to a type checker."""

import shutil
import subprocess
import sys
import zipfile
from inspect import getmembers, isclass, isfunction, signature
from typing import get_type_hints

import pytest
from building import ROOT

from adamlib import convert, data, descent, diagnose, files, model, optim, schedules, stack, sweep
from adamlib import train as training
from adamlib.diagnose import adapters


@pytest.mark.slow
def test_the_wheel_holds_the_package_with_its_data_and_asks_for_no_version(tmp_path):
    kept = ["adamlib", "pyproject.toml", "LICENSE"]
    listed = subprocess.run(["git", "ls-files", *kept], cwd=ROOT, capture_output=True, text=True)
    names = listed.stdout.split()
    if not names:
        pytest.skip("no git here to say which files are the package's")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    how = ["--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", tmp_path]
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", *how, tmp_path]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("road_to_adam-*.whl")
    with zipfile.ZipFile(wheel) as file:
        held = [name for name in file.namelist() if name.startswith("adamlib/")]
        (about,) = (file.read(name) for name in file.namelist() if name.endswith("/METADATA"))
    assert sorted(held) == sorted(name for name in names if name.startswith("adamlib/"))
    needs = [line for line in about.decode().splitlines() if line.startswith("Requires-Dist")]
    assert all(len(line.split()) == 2 for line in needs if "extra" not in line)
    assert "Requires-Dist: torch" in needs  # any version: a reader's own stays


def public(*modules):
    """Yield the functions, and the constructors of classes, that were written in these modules."""
    for module in modules:
        for name, each in getmembers(module, lambda x: isfunction(x) or isclass(x)):
            if name[0] != "_" and each.__module__ == module.__name__ and each is not data.Data:
                yield each.__init__ if isclass(each) else each


CALLED = [*public(data, descent, model, optim, schedules), convert.to_torch, diagnose.diagnose]
CALLED += [adapters.of_keras, adapters.of_optax, adapters.of_rule, files.record, stack.train_stack]
CALLED += [stack.stack_loss, sweep.drawn, sweep.read, sweep.run, training.evaluate, training.train]


@pytest.mark.parametrize("function", CALLED, ids=lambda f: f"{f.__module__}.{f.__qualname__}")
def test_what_programs_call_says_its_types(function):
    hints = get_type_hints(function)
    assert {*signature(function).parameters} - {"self"} | {"return"} <= hints.keys()

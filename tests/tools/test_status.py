"""The status page tells what was found of each notebook, and of which code."""

import json
import os
import subprocess
import sys

import pytest
import status
from building import ROOT
from nbformat import v4

FILES = [("chapters", "conftest.py"), ("tools", "status.py"), ("tools", "notebook_form.py")]


def notebook(path, source, *before):
    """path, with a notebook in it whose last code cell says source."""
    cells = [*before, v4.new_markdown_cell("# A"), v4.new_code_cell(source)]
    path.write_text(v4.writes(v4.new_notebook(cells=cells)), encoding="utf-8")
    return path


def test_the_hash_follows_the_code_and_neither_the_set_up_nor_what_is_printed(tmp_path):
    path = tmp_path / "01_a.ipynb"
    first = status.fingerprint(notebook(path, "x = 1"))
    set_up, printed = v4.new_code_cell("import adamlib", id="install"), v4.new_markdown_cell("b")
    assert status.fingerprint(notebook(path, "x = 1", set_up, printed)) == first
    assert status.fingerprint(notebook(path, "x = 2")) != first


def test_a_verdict_on_other_code_is_called_one_of_an_earlier_version(tmp_path, monkeypatch):
    path = notebook(tmp_path / "01_a.ipynb", "x = 1")
    monkeypatch.setattr(status, "VERDICTS", tmp_path / "verdicts.json")
    code = status.fingerprint(path)
    status.record("butterfly", path, code, runs=20, size=1e-6, differs=[])
    status.record("portable", path, code, differs={"avx2": ["Cell 1"], "threads": []})
    row = status.page([path], tmp_path, status.VERDICTS)[2].split("|")
    assert row[1:3] == [" [](01_a.ipynb) ", " not run here yet "]
    assert row[3].startswith(" 20 runs: all the same,") and "earlier" not in row[3]
    assert row[4].startswith(" **1 differ under avx2**,") and row[4].endswith(", on A ")
    notebook(path, "x = 2")
    assert "earlier version" in status.page([path], tmp_path, status.VERDICTS)[2].split("|")[3]


@pytest.mark.slow
def test_a_run_in_another_process_leaves_what_it_found_of_a_notebook(tmp_path):
    for folder, name in FILES:
        (tmp_path / folder).mkdir(exist_ok=True)
        text = (ROOT / folder / name).read_text(encoding="utf-8")
        (tmp_path / folder / name).write_text(text, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = tools\n")
    stored = v4.new_code_cell("print(1)", execution_count=1)
    stored.outputs = [v4.new_output("stream", name="stdout", text="2\n")]
    notebook(tmp_path / "chapters/a.ipynb", "x = 1", stored)
    options = ["-n", "1", "--dist", "loadfile", "--nbval", "--nbval-current-env", "chapters"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PROOFS": ""}
    command = [sys.executable, "-m", "pytest", *options]
    some = [*command[:-1], "chapters/a.ipynb::Cell 0"]
    subprocess.run(some, cwd=tmp_path, env=environment, capture_output=True)
    assert not (tmp_path / "_build/proofs/a.json").exists()  # one cell proves no notebook
    subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True)
    found = json.loads((tmp_path / "_build/proofs/a.json").read_text(encoding="utf-8"))
    assert found["passed"] == found["failed"] == 1 and found["seconds"] > 0
    assert "PyTorch" in found["machine"] and found["code"]
    (tmp_path / "_build").rename(tmp_path / "kept")
    (tmp_path / "_build").touch()  # nothing can be written there, as in a read-only checkout
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "1 failed, 1 passed" in done.stdout and "Traceback" not in done.stderr


def test_a_notebook_that_changed_during_its_run_gets_no_verdict(tmp_path, monkeypatch, capsys):
    path = notebook(tmp_path / "01_a.ipynb", "x = 1")
    monkeypatch.setattr(status, "VERDICTS", tmp_path / "verdicts.json")
    status.record("portable", path, "another", differs={})
    assert not status.VERDICTS.exists() and "01_a.ipynb was changed" in capsys.readouterr().out

"""The notebooks' one form, what must not be stored, and what nbval compares."""

import os
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import chapter_budget
import notebook_form
import notebooks
import pytest
from building import ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_form import canonical, faults

CONFTEST = ROOT / "chapters" / "conftest.py"


def stream(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def display(**data):
    return new_output("display_data", data={k.replace("_", "/"): v for k, v in data.items()})


def faults_of(source="", *outputs):
    """The faults of a notebook that has one code cell, joined."""
    cell = new_code_cell(source, outputs=list(outputs))
    return " ".join(faults(canonical(new_notebook(cells=[cell]))))


def stored(path, *cells):
    """path, with a notebook of these cells in it, in canonical form."""
    path.write_text(notebooks.text_of(canonical(new_notebook(cells=list(cells)))), encoding="utf-8")
    return path


def test_the_form_of_a_form_is_itself():
    cells = [new_markdown_cell("a"), new_code_cell("b", execution_count=3, outputs=[stream("c")])]
    once = canonical(new_notebook(cells=cells, metadata={"widgets": {}}))
    assert canonical(once) == once
    assert "widgets" not in once.metadata


def test_cells_are_counted_as_in_one_run_from_the_top():
    result = new_output("execute_result", data={}, execution_count=7)
    cells = [new_code_cell("a", execution_count=7, outputs=[result]), new_code_cell(" ")]
    cells += [new_markdown_cell("b"), new_code_cell("c")]
    form = canonical(new_notebook(cells=cells)).cells
    assert [cell.get("execution_count") for cell in form] == [1, None, None, None, 2]
    assert form[1].id == "install"  # which runs and is not counted
    assert form[0].outputs[0].execution_count == 1


def test_ids_are_kept_and_a_missing_or_second_one_is_replaced():
    notebook = new_notebook()
    notebook.cells = [new_markdown_cell("", id=name) for name in ("a", "a", "cell-4", "d")]
    del notebook.cells[3]["id"]
    ids = [cell.id for cell in canonical(notebook).cells]
    assert ids == ["a", "install", "cell-2", "cell-4", "cell-5"]


@pytest.mark.parametrize(
    ("url", "source"),
    [(None, ".."), ("https://github.com/ada/walks", "git+https://github.com/ada/walks")],
)
def test_every_notebook_can_install_the_package_and_the_form_says_from_where(
    url, source, tmp_path, monkeypatch
):
    path = stored(tmp_path / "a.ipynb", new_markdown_cell("a"), new_code_cell("b", id="own"))
    config = {"sphinx": {"config": {"public_url": url}}}
    monkeypatch.setattr(notebook_form.yaml, "safe_load", lambda text: config)
    assert bool(notebooks.check(path)) == bool(url)  # it was stored without a public address
    assert notebooks.form(path) == notebooks.check(path) == []
    cells = notebooks.read(path).cells
    assert [cell.id for cell in cells][1:] == ["install", "own"]
    assert cells[1].source.splitlines()[-1] == f"    %pip install --quiet {source}"


def test_only_metadata_that_the_book_uses_is_kept():
    metadata = {"collapsed": True, "name": "x", "tags": ["a"], "mystnb": {"image": {}}}
    cell = canonical(new_notebook(cells=[new_code_cell("", metadata=metadata)])).cells[0]
    assert cell.metadata == {"tags": ["a"], "mystnb": {"image": {}}}


@pytest.mark.parametrize("tag", ["hide-cell", "hide-input"])
def test_a_hidden_cell_is_folded_in_jupyterlab(tag):
    cell = canonical(new_notebook(cells=[new_code_cell("", metadata={"tags": [tag]})])).cells[0]
    assert cell.metadata.jupyter == {"source_hidden": True}


def test_stdout_is_one_output_and_stderr_none():
    outputs = [stream("a"), stream("10%", "stderr"), stream("b"), display(text_plain="c")]
    cell = canonical(new_notebook(cells=[new_code_cell("", outputs=outputs)])).cells[0]
    assert [output.get("text") for output in cell.outputs] == ["ab", None]


def test_a_cell_has_at_most_twenty_lines():
    assert not faults_of("x\n" * 20)
    assert "21 lines" in faults_of("x\n" * 21)


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        (stream("<object at 0x7f58eb9a7210>"), "a memory address"),
        (display(text_plain="read /home/me/data.csv"), "a path, '/home/me/data.csv'"),
        (display(text_html="<table>"), "text/html"),
        (display(image_jpeg="abc"), "image/jpeg"),
        (new_output("display_data", data={"image/svg+xml": "<svg/>"}), "no alternative text"),
        (new_output("error", ename="KeyError", evalue="'a'", traceback=[]), "KeyError"),
    ],
)
def test_what_differs_elsewhere_or_breaks_the_page_is_a_fault(output, fault):
    assert fault in faults_of("", output)


def test_numbers_units_and_figures_are_no_fault():
    drawn, text = {"image/svg+xml": "<svg/>", "image/png": "a/b/c0x"}, {"alt": "A line."}
    figure = new_output("display_data", data=drawn, metadata=dict.fromkeys(drawn, text))
    assert not faults_of("", stream("3 GB/s, 0x3f800000, 1/2/3, a/b"), figure)


def test_a_run_stores_the_outputs_in_a_form_that_passes_the_check(tmp_path):
    cell = new_code_cell("import os\nprint(os.path.basename(os.getcwd()))")
    path = stored(tmp_path / "a.ipynb", cell)
    assert notebooks.run(path) == []
    assert notebooks.check(path) == []
    assert notebooks.read(path).cells[0].outputs[0].text == f"{tmp_path.name}\n"


@pytest.mark.slow
@pytest.mark.parametrize("source", ["1 / 0", "import warnings\nwarnings.warn('no')"])
def test_a_run_that_raises_or_warns_names_the_cell_and_stores_nothing(tmp_path, source):
    path = stored(tmp_path / "01_a.ipynb", new_markdown_cell("a"), new_code_cell(source, id="bad"))
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match=r"^cell 3 \(bad\)"):
        notebooks.run(path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_the_check_sees_a_form_that_differs_in_one_byte(tmp_path):
    path = stored(tmp_path / "a.ipynb", new_code_cell("1"))
    path.write_bytes(path.read_bytes() + b"\n")
    assert "canonical form" in notebooks.check(path)[0]


def test_what_is_no_notebook_is_named(tmp_path, capsys):
    path = tmp_path / "01_a.ipynb"
    path.write_text('{"cells": ', encoding="utf-8")
    assert not notebooks.judge(path, notebooks.check)
    assert "01_a.ipynb" in capsys.readouterr().out


def test_an_unknown_chapter_lists_those_there_are(tmp_path, monkeypatch, capsys):
    stored(tmp_path / "05_adam.ipynb")
    monkeypatch.setattr(notebooks, "CHAPTERS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["notebooks.py", "run", "06"])
    with pytest.raises(SystemExit, match="2"):
        notebooks.main()
    assert "there are: 05_adam" in capsys.readouterr().err


@pytest.mark.slow
def test_nbval_compares_text_but_neither_svg_nor_stderr(tmp_path):
    svg = "from IPython.display import SVG\nSVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')"
    bar = "import sys\nprint('50 %', file=sys.stderr)"
    markdown = {"text/markdown": "then", "text/plain": "<IPython.core.display.Markdown object>"}
    drawn = {"image/svg+xml": "<svg>then</svg>", "text/plain": "<IPython.core.display.SVG object>"}
    cells = [
        new_code_cell("print('same')", outputs=[stream("same\n")]),
        new_code_cell("print('now')", outputs=[stream("then\n")]),
        new_code_cell(
            "from IPython.display import Markdown\nMarkdown('now')",
            outputs=[new_output("execute_result", data=markdown)],
        ),
        new_code_cell(svg, outputs=[new_output("execute_result", data=drawn)]),
        new_code_cell(bar),
        new_code_cell("print('new')"),
    ]
    path = stored(tmp_path / "01_a.ipynb", *cells)
    shutil.copy(CONFTEST, tmp_path)
    report = tmp_path / "report.xml"
    options = ["--nbval", "--nbval-current-env", f"--rootdir={tmp_path}", f"--junitxml={report}"]
    command = [sys.executable, "-m", "pytest", *options, path]
    subprocess.run(command, capture_output=True, env={**os.environ, "PROOFS": "none"})
    cases = ElementTree.parse(report).iter("testcase")
    passed = [case.find("failure") is None for case in cases]
    assert passed == [True, True, False, False, True, True, False]  # the second one installs


FULL = {  # cells, and what is too much in a chapter that has them and no more
    "4201 words of Markdown": [new_markdown_cell("word " * 4198)],
    "321 lines of code": [new_code_cell("x\n" * 3) for _ in range(107)],
    "46 cells of code": [new_code_cell("x") for _ in range(45)],  # and the one that installs
    "7 lines in the median cell": [new_code_cell("x\n" * 7)],
    "3 figures in a row": [new_code_cell("x", outputs=[display(image_png="")]) for _ in range(3)],
}


@pytest.mark.parametrize("fault", FULL)
def test_a_chapter_over_budget_is_at_fault_and_another_page_is_not(fault, tmp_path):
    cells = [new_markdown_cell("About 0 minutes"), *FULL[fault]]
    problems = notebooks.check(stored(tmp_path / "01_x.ipynb", *cells))
    assert any(problem.startswith(fault) for problem in problems)
    assert not any("at most" in x for x in notebooks.check(stored(tmp_path / "x.ipynb", *cells)))


def test_a_chapter_says_how_long_it_takes_and_is_believed_to_five_minutes():
    """2,000 words are ten minutes, 60 of code or formulas one; folded code is not read."""
    text = [new_markdown_cell("About 15 minutes " + "word " * 1997)]
    code = new_code_cell("x " * 240)
    folded = new_code_cell("x " * 6000, metadata={"tags": ["hide-input"]})
    formula = new_markdown_cell(f"$${'x ' * 60}$$")
    cells = [*text, code, folded, formula]
    assert chapter_budget.minutes(canonical(new_notebook(cells=cells))) == 15
    assert not list(chapter_budget.over_budget("01", canonical(new_notebook(cells=[*text, code]))))

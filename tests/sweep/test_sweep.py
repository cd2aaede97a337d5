"""The sweep: its settings, its records, and that a kill neither loses nor repeats a trial."""

import math
import os
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from adamlib import sweep
from adamlib.runs.checkpoints import held
from adamlib.sweep import __main__ as shell
from adamlib.sweep import tasks

DYING = Path(__file__).with_name("dying.py")
SPACE = {"lr": ("log", 1e-4, 1), "beta2": ("log1m", 0.9, 0.9999), "eps": ("choice", [0, 1e-8])}
LINE = {"x": ("linear", 0, 1)}
quiet = partial(sweep.run, progress=False)


def test_a_trial_has_the_settings_it_has_on_every_machine():
    found = {"lr": 0.672071457, "beta2": 0.999876036, "eps": 0}
    assert sweep.drawn(SPACE, 0, 3) == found


def test_settings_hang_on_no_other_name_and_on_no_number_of_trials(tmp_path):
    few = quiet(lambda settings: 0, SPACE, 2, tmp_path / "few")
    many = quiet(lambda settings: 0, {"more": ("linear", 0, 1), **SPACE}, 5, tmp_path / "many")
    for one, other in zip(few, many, strict=False):
        assert one["settings"].items() <= other["settings"].items()
    assert sweep.drawn(SPACE, 1, 0) != sweep.drawn(SPACE, 0, 0) != sweep.drawn(SPACE, 0, 1)


@pytest.mark.parametrize(
    "parts, even",
    [
        (("linear", -2, 3), lambda x: (x + 2) / 5),
        (("log", 1e-4, 10), lambda x: (np.log10(x) + 4) / 5),
        (("log1m", 0, 0.9999), lambda x: -np.log10(1 - x) / 4),
        (("choice", [0, 0.25, 0.5, 0.75]), lambda x: x + 0.125),
    ],
)
def test_values_lie_evenly_on_their_scale(parts, even):
    shares = even(np.array([sweep.drawn({"x": parts}, 0, i)["x"] for i in range(2000)]))
    assert shares.min() >= 0 and shares.max() <= 1
    quarters = np.histogram(shares, 4, (0, 1))[0] / 2000
    assert np.allclose(quarters, 0.25, atol=0.04)  # four standard deviations of 2,000 draws


WRONG = [
    ("lr", TypeError, "space must be a dict"),
    ({}, TypeError, "space must be a dict of at least one name"),
    ({"lr": ("log", 0, 1)}, ValueError, r"space\['lr'\] must be .*low > 0.*got \('log', 0, 1\)"),
    ({"lr": ("log", 1, 0.1)}, ValueError, "must be"),
    ({"lr": ("log", 1e-4)}, ValueError, "must be"),
    ({"lr": ("lin", 0, 1)}, ValueError, "'linear'"),
    ({"lr": ("linear", 0, math.inf)}, ValueError, "must be"),
    ({"lr": ("linear", math.nan, 1)}, ValueError, "must be"),
    ({"lr": ("linear", "0", "1")}, ValueError, "must be"),
    ({"b": ("log1m", 0.9, 1)}, ValueError, "high < 1"),
    ({"b": ("choice", [])}, ValueError, "list"),
    ({"b": ("choice", "ab")}, ValueError, "list"),
    ({"b": ("choice", [print])}, ValueError, "list"),
    ({"b": 0.9}, ValueError, "must be"),
]


@pytest.mark.parametrize("space, kind, words", WRONG, ids=[str(case[0]) for case in WRONG])
def test_a_wrong_space_raises_before_anything_runs(tmp_path, space, kind, words):
    with pytest.raises(kind, match=words):
        quiet(lambda settings: pytest.fail("it ran"), space, 3, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "wrong", [{"trials": 0}, {"trials": 2.5}, {"seed": "a"}, {"stack": 0}, {"jobs": 0}]
)
def test_a_wrong_count_is_named(tmp_path, wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name} must be a whole number"):
        quiet(**{"task": len, "space": LINE, "trials": 3, "path": tmp_path / "new", **wrong})
    with pytest.raises(TypeError, match="task must be a function"):
        quiet("len", LINE, 3, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_sweep_goes_on_where_it_was_stopped_and_when_more_is_asked(tmp_path):
    calls = []

    def task(settings):
        calls.append(settings["x"])
        if len(calls) == 4:
            raise KeyboardInterrupt
        return settings["x"]

    with pytest.raises(KeyboardInterrupt):
        quiet(task, LINE, 6, tmp_path)
    assert len(sweep.read(tmp_path)) == 3
    records = quiet(task, LINE, 6, tmp_path)
    assert len(calls) == 7 and set(Counter(calls).values()) == {1, 2}  # the one that was stopped
    assert [x["result"] for x in records] == [x["settings"]["x"] for x in records]
    assert [x["trial"] for x in quiet(task, LINE, 9, tmp_path)] == list(range(9))
    assert len(quiet(task, LINE, 5, tmp_path)) == 5 and len(calls) == 10


def test_a_trial_that_raises_is_recorded_and_run_again_only_when_asked(tmp_path):
    calls = []

    def task(settings):
        calls.append(settings)
        if len(calls) == 2:
            raise ZeroDivisionError("by chance")
        return 1.0

    errors = [x["error"] for x in quiet(task, LINE, 3, tmp_path)]
    assert errors == [None, "ZeroDivisionError: by chance", None]
    assert quiet(task, LINE, 3, tmp_path)[1]["error"] and len(calls) == 3
    mended = quiet(task, LINE, 3, tmp_path, retry=True)
    assert not any(x["error"] for x in mended) and calls[3:] == [calls[1]]


def test_what_diverged_is_a_result_and_a_task_without_a_return_an_error(tmp_path):
    def task(settings):
        return {"loss": np.float32("nan"), "path": [1.0, math.inf], "steps": np.arange(2)}

    (record,) = quiet(task, LINE, 1, tmp_path / "a")
    assert record["error"] is None
    assert record["result"] == {"loss": None, "path": [1.0, None], "steps": [0, 1]}
    (record,) = quiet(lambda settings: None, LINE, 1, tmp_path / "b")
    assert record["error"].startswith("TypeError: a task must return a number")


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"space": {"x": ("linear", 0, 2)}}, {"task": partial(max, key=abs)}]
)
def test_the_folder_of_another_sweep_is_refused_and_left_alone(tmp_path, other):
    how = {"task": partial(max, key=len), "space": LINE, "trials": 2, "path": tmp_path}
    before = quiet(**how)
    with pytest.raises(ValueError, match=r"holds another sweep: trial 0 has .* and not "):
        quiet(**{**how, "trials": 5, **other})
    assert sweep.read(tmp_path) == before


def test_two_at_once_in_one_folder_are_refused(tmp_path):
    with held(tmp_path), pytest.raises(OSError, match="in use by another run"):
        quiet(lambda settings: pytest.fail("it ran"), LINE, 2, tmp_path)


def test_files_of_another_kind_are_named(tmp_path):
    (tmp_path / "000000.json").write_text("{")
    with pytest.raises(ValueError, match="must hold the records of a sweep"):
        sweep.read(tmp_path)
    with pytest.raises(OSError, match="nowhere"):
        sweep.read(tmp_path / "nowhere")


def test_a_stack_is_one_call_that_does_not_hang_on_where_a_sweep_was_stopped(tmp_path):
    sizes = []

    def task(settings):
        sizes.append(len(settings))
        return [each["x"] for each in settings]

    quiet(task, LINE, 5, tmp_path, stack=4)
    records = quiet(task, LINE, 9, tmp_path, stack=4)
    assert sizes == [4, 1, 3, 1] and [x["stack"] for x in records] == [4] * 4 + [1] + [3] * 3 + [1]
    assert all(x["result"] == x["settings"]["x"] for x in records)
    wrong = quiet(lambda settings: [1.0], LINE, 3, tmp_path / "wrong", stack=3)
    assert {x["error"] for x in wrong} == {"ValueError: results must be 3, one per trial, got 1"}


def test_a_record_says_where_it_comes_from(tmp_path):
    (record,) = quiet(partial(max, key=len), LINE, 1, tmp_path, seed=7)
    assert record["task"] == 'max(key="len")' and record["seed"] == 7 and record["seconds"] > 0
    assert {"torch", "python", "commit", "date", "device", "threads"} <= record["about"].keys()


def test_networks_in_a_stack_end_as_each_of_them_does_alone(tmp_path):
    space = {"lr": ("log", 1e-3, 1e-1), "beta2": ("log1m", 0.9, 0.9999)}
    task = partial(tasks.mlp, rule="adam", epochs=1)
    records = quiet(task, space, 3, tmp_path, stack=3)
    for record in records:
        (alone,) = task([record["settings"]])
        assert record["result"] == pytest.approx(alone, rel=1e-4)  # float32, 11 steps
    assert len({record["result"]["train_loss"] for record in records}) == 3


@pytest.mark.slow  # the first optimizer of a process imports half of torch
def test_a_convnet_that_diverges_is_a_result(monkeypatch):
    def train(*arguments, **options):
        raise FloatingPointError

    monkeypatch.setattr(tasks, "train", train)
    result = tasks.convnet({"lr": 1e9}, rule="momentum")
    assert result.keys() == set(tasks.RESULTS) and all(map(math.isnan, result.values()))


def test_the_shell_prints_the_best_first_and_keeps_the_trials(tmp_path, capsys):
    words = ["adam", "lr=log:1e-4:1", "beta2=choice:0.9:0.99", "--trials", "6", "--epochs", "1"]
    shell.main([*words, "--output", str(tmp_path)])
    printed = capsys.readouterr().out.splitlines()
    records = sweep.read(tmp_path)
    order = sorted(records, key=lambda x: x["result"]["train_loss"])
    assert printed[0].startswith("6 trials, 0 diverged, 0 failed") and order != records
    assert [line.split()[1] for line in printed[2:]] == [str(x["trial"]) for x in order]


@pytest.mark.parametrize(
    "words, message",
    [
        ("adam lr=log:0:1", "low > 0"),
        ("adam lr=log:a:1", "NAME=SCALE"),
        ("adam momentum=log:1:2", "adam has the settings lr, eps, beta1, beta2, got momentum"),
        ("sgd", "gradient_descent"),
        ("adam --trials 0", "trials must be"),
        ("adam --epochs 0", "epochs must be"),
    ],
)
def test_the_shell_says_what_is_wrong(words, message, capsys):
    with pytest.raises(SystemExit) as raised:
        shell.main(words.split())
    assert raised.value.code == 2 and message in capsys.readouterr().err


def swept(folder, jobs, dies=""):
    """The exit status of dying.py, its log counted, and its records."""
    environment = {**os.environ, "DIES": dies, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(DYING), str(folder), str(jobs)]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=120)
    log = Path(f"{folder}.log").read_text().splitlines()
    return done.returncode, Counter(line.split()[0] for line in log), sweep.read(folder)


@pytest.mark.slow
@pytest.mark.parametrize("dies", ["task", "write"])
def test_a_killed_sweep_goes_on_without_losing_or_repeating_a_trial(tmp_path, dies):
    status, count, records = swept(tmp_path / "a", 0, dies)
    assert status == 9 and count["start"] == 5 and len(records) == 4
    status, count, records = swept(tmp_path / "a", 0)
    assert status == 0 and count["start"] == 13  # the one that was cut off
    assert [x["result"] for x in records] == [x["settings"]["x"] + 1 for x in records]
    assert len(records) == 12 and not list((tmp_path / "a").glob("*.part"))


@pytest.mark.slow
def test_a_sweep_by_joblib_survives_the_death_of_a_worker(tmp_path):
    pytest.importorskip("joblib")
    status, count, records = swept(tmp_path / "a", 2, "task")
    assert status == 1 and 0 < len(records) < 12 and count["end"] - len(records) <= 1
    status, count, records = swept(tmp_path / "a", 2)
    assert status == 0 and [x["trial"] for x in records] == list(range(12))
    assert count["end"] <= 13  # one may have ended in the other worker, not yet recorded

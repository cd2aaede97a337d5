"""The trials: run one by one, as stacks or by many processes, a file for each."""

import json
import time
from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from itertools import groupby
from numbers import Integral
from os import PathLike
from typing import Any

import torch
from tqdm import tqdm

from adamlib import files
from adamlib.bench import report
from adamlib.runs.checkpoints import held
from adamlib.sweep.space import Space, drawn

about = cache(report.about)


def run(
    task: Callable[..., Any], space: Space, trials: int, path: str | PathLike[str], *,
    seed: int = 0, stack: int | None = None, jobs: int | None = None,
    retry: bool = False, progress: bool = True,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the records of trials 0 to trials - 1, as `read` does; run those that are missing.

    task: a function of the settings of a trial, see `drawn`, that returns a number, or a list or
    dict of numbers; with `stack`, of a list of at most so many settings, that returns a list of
    results. What functools.partial tells it is recorded. path: a folder for this sweep alone, into
    which results go as they come; called again, after a kill or with more trials, `run` goes on. A
    task that raises is recorded as failed, and tried again only by `retry=True`; nan is a result.
    jobs: so many processes of joblib (-1: one per core), or the back end of its parallel_config;
    workers on other machines must share the folder.

    Raises TypeError or ValueError, before anything runs, for bad arguments and for the folder of
    another sweep, OSError while another process has it, ImportError for `jobs` without joblib.
    """
    size = 1 if stack is None else stack
    check(task, trials=trials, stack=size, seed=seed, jobs=1 if jobs is None else jobs)
    settings = [drawn(space, seed, i) for i in range(trials)]
    path, told = files.path_of(path).resolve(), {"task": called(task), "seed": int(seed)}
    with held(path):
        done = stored(path, space, told, retry)
        pending = [(i, settings[i]) for i in range(trials) if i not in done]
        units = [list(unit) for _, unit in groupby(pending, lambda pair: pair[0] // size)]
        calls = [partial(attempt, task, unit, stack, path, told) for unit in units]
        how = {"desc": told["task"].partition("(")[0], "unit": "trial", "disable": not progress}
        with tqdm(total=trials, initial=trials - len(pending), **how) as bar:
            for count in outcomes(calls, jobs):
                bar.update(count)
        return [record for record in read(path) if record["trial"] < trials]


def read(path: str | PathLike[str]) -> list[dict[str, Any]]:
    """Return the records of the sweep in a folder: a dict for each trial, in their order.

    "trial", "settings", "result", with None for a number that was not finite; "error": None, or
    what the task raised instead of a result; "seconds": its own, or its share of those of its
    stack of "stack" trials; "task", "seed"; "about": device, versions, commit, date. Raises
    OSError where there is no folder, ValueError for files of another kind.
    """
    found = sorted(each for each in files.path_of(path).iterdir() if each.suffix == ".json")
    try:
        return [json.loads(each.read_text(encoding="utf-8")) for each in found]
    except ValueError as error:
        raise ValueError(f"{path} must hold the records of a sweep, got {error}") from None


def stored(path, space, told, retry):
    """Return the trials in a folder of this sweep, but the failed ones if they are to run again."""
    for part in path.glob("*.part"):  # half written by a process that was killed
        part.unlink()
    records = read(path)
    for record in records:
        here = {**told, "settings": plain(drawn(space, told["seed"], record["trial"]))}
        if differ := [key for key in here if record[key] != here[key]]:
            words = ", ".join(f"{key} {record[key]} and not {here[key]}" for key in differ)
            raise ValueError(f"{path} holds another sweep: trial {record['trial']} has {words}")
    for record in records:
        if retry and record["error"]:
            place(path, record["trial"]).unlink()
    return {record["trial"] for record in records if not (retry and record["error"])}


def check(task, **counts):
    """Raise TypeError or ValueError for a task or a count that `run` cannot take."""
    if not callable(task):
        raise TypeError(f"task must be a function of the settings, got {task!r}")
    for name, value in counts.items():
        low = {"seed": 0, "jobs": -1}.get(name, 1)
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        if not whole or value < low or (name, value) == ("jobs", 0):
            raise ValueError(f"{name} must be a whole number >= {low}, got {value!r}")


def outcomes(calls, jobs):
    """Return an iterator over what the calls return, each as soon as it is there."""
    if jobs is None:
        return (call() for call in calls)
    joblib = import_module("joblib")
    how = dict(batch_size=1, pre_dispatch="n_jobs", return_as="generator_unordered")
    return joblib.Parallel(jobs, **how)(joblib.delayed(call)() for call in calls)


def attempt(task, unit, stack, path, told):
    """Run and record some trials, a list of (number, settings), at once; return how many."""
    if all(place(path, i).exists() for i, _ in unit):  # by a worker that then died
        return len(unit)
    origin, began = about("cpu", torch.get_num_threads(), told["task"]), time.perf_counter()
    error, settings = None, [dict(each) for _, each in unit]
    try:
        results = [plain(x) for x in (task(settings) if stack else map(task, settings))]
        if len(results) != len(unit):
            raise ValueError(f"results must be {len(unit)}, one per trial, got {len(results)}")
    except Exception as raised:  # of anybody's task
        results, error = [None] * len(unit), f"{type(raised).__name__}: {raised}"
    rest = {"error": error, "seconds": (time.perf_counter() - began) / len(unit), **told}
    device = report.device_name("cuda" if torch.cuda.is_initialized() else "cpu")
    rest |= {"stack": len(unit), "about": {**origin, "device": device}}
    for (i, each), result in zip(unit, results, strict=True):
        record = {"trial": i, "settings": plain(each), "result": result, **rest}
        files.write(place(path, i), files.as_json(record))
    return len(unit)


def place(path, trial):
    """Return the file of a trial."""
    return path / f"{trial:06}.json"


def plain(value):
    """Return a value as JSON has it; raise TypeError for None, which is a task without a return."""
    if value is None:
        raise TypeError("a task must return a number, or a list or dict of numbers, got None")
    return json.loads(json.dumps(value, default=lambda x: x.tolist()))  # of arrays and tensors


def called(task):
    """Return the name of a task and what functools.partial has told it, as text."""
    if not isinstance(task, partial):
        return getattr(task, "__name__", type(task).__name__)
    pairs = [("", x) for x in task.args] + sorted(task.keywords.items())
    told = (f"{name}={json.dumps(x, default=called)}".lstrip("=") for name, x in pairs)
    return f"{called(task.func)}({', '.join(told)})"

"""The fair race of nine rules on four tasks, by the rules of race_rules.json: an hour.

`python -m experiments race` searches, runs the finalists and stores what came out. Trials lie in
_build/race, so that it goes on after a kill; `python -m experiments.race TASK RULE ...` does a
part of the work there, and two such processes share it.
"""

import sys
from functools import partial
from pathlib import Path

import torch

from adamlib import files, sweep
from experiments import race_tasks as tasks

RACE = files.record("race_rules")
FOLDER = Path(__file__).parents[1] / "_build" / "race"
BUDGETS, SEEDS = (5, 25), RACE["seeds"]["finalists"]
CONVNET, ALONE = "ConvNet", "lr alone"


def spaces(task):
    """Yield (name, rule, space) of every search on a task."""
    others = RACE["other spaces"]
    for rule, space in RACE["spaces"].items():
        yield "whole", rule, space
    for rule, space in RACE["spaces"].items():
        if len(space) > 1 and (task != CONVNET or rule == "adam"):
            yield ALONE, rule, {"lr": space["lr"]}
    if task != CONVNET:
        yield "eps 1e-8", "adam", others["adam, eps 1e-8"]
        large = {name: others["adam, eps 10"][name] for name in ("lr", "beta1")}
        yield "eps 10", "adam", {**large, "eps": ["choice", [10.0]]}


def searched(task, name, rule, space, trials, seed):
    """Return the records of a sweep, which is run as far as it is not there."""
    about = RACE["tasks"][task]
    told = {key: about[key] for key in ("epochs", "batch_size")}
    one = task == CONVNET
    function = tasks.convnet if one else tasks.stack
    function = partial(function, task=task, rule=rule, seed=seed, **told)
    folder = FOLDER / task / name / rule
    folder.mkdir(parents=True, exist_ok=True)
    size = None if one else trials
    records = sweep.run(function, space, trials, folder, seed=seed, stack=size, progress=one)
    if errors := {each["error"] for each in records} - {None}:
        raise RuntimeError(f"{folder}: {min(errors)}")
    return records


def scores(records, epoch=-1):
    """Return the held-out losses of trials after an epoch; inf where one is not finite."""
    losses = [each["result"]["held_out"][epoch] for each in records]
    return [float("inf") if loss is None else loss for loss in losses]


def kept(records, epochs):
    """Return what is stored of the trials of a space: a list for each number."""
    at = {"first": 0, "before": round(epochs * (1 - tasks.DECAY)) - 1, "after": -1}
    columns = {name: [x["result"]["held_out"][k] for x in records] for name, k in at.items()}
    return columns | {"error": [x["result"]["error"] for x in records]}


def finalists(task, rule, records):
    """Return {budget: the best trial, and what it does with other seeds}."""
    found, runs = {}, {}
    for budget in BUDGETS:
        losses = scores(records[:budget])
        best = losses.index(min(losses))
        if best not in runs:
            space = {name: ["choice", [x]] for name, x in records[best]["settings"].items()}
            names = [(f"finalist {best}, seed {seed}", seed) for seed in SEEDS]
            done = [searched(task, name, rule, space, 1, seed)[0] for name, seed in names]
            runs[best] = {key: [x["result"][key] for x in done] for key in done[0]["result"]}
        found[str(budget)] = {"trial": best, "settings": records[best]["settings"], **runs[best]}
    return found


def raced(task, chosen=()):
    """Return the record of a task; only some rules where they are named."""
    about, record = RACE["tasks"][task], {"spaces": {}, "finalists": {}}
    for name, rule, space in spaces(task):
        if chosen and rule not in chosen:
            continue
        print(f"{task}, {rule}, {name}", file=sys.stderr)
        records = searched(task, name, rule, space, about["trials"], 0)
        record["spaces"].setdefault(name, {})[rule] = kept(records, about["epochs"])
        if name == "whole":
            record["finalists"][rule] = finalists(task, rule, records)
    return record


def spent():
    """Return the seconds, by the clock, that all trials in the folder have taken."""
    folders = {path.parent for path in FOLDER.rglob("*.json")}
    return sum(each["seconds"] for folder in folders for each in sweep.read(folder))


def timed(rounds=5, steps=4):
    """Return for each rule the seconds of a step on the ConvNet, the median of rounds in turn."""
    digits, taken = tasks.images(CONVNET, 0), {rule: [] for rule in RACE["spaces"]}
    size = 128 * steps
    few = digits._replace(x_train=digits.x_train[:size], y_train=digits.y_train[:size])
    for _ in range(rounds):
        for rule, those in taken.items():
            those.append(tasks.step_seconds(rule, few, steps))
    return {rule: tasks.short(sorted(those)[rounds // 2]) for rule, those in taken.items()}


def measured(digits):
    """Return the record of the race; verdicts are drawn from it on the page."""
    torch.set_num_threads(1)
    record = {task: raced(task) for task in RACE["tasks"]}
    clock = timed()
    return {"seconds": round(spent()), "step_seconds": clock, "tasks": record}


if __name__ == "__main__":
    torch.set_num_threads(1)
    raced(sys.argv[1], sys.argv[2:])

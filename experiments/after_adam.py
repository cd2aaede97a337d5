"""The race of the rules after Adam and what predicts it, for the claims of after_adam_claims.json.

`python -m experiments after_adam` takes about twenty minutes of one core. Trials lie in
_build/after_adam, so that it goes on after a kill. The claims and the rules of their verdicts are
older than the first run.
"""

import json
import sys
import time
from functools import partial
from pathlib import Path

import torch

from adamlib import files, rules, sweep
from adamlib.sweep.tasks import hyperparameters
from experiments import after_adam_convnet as convnet
from experiments import after_adam_networks as networks
from experiments import after_adam_steps as some_steps
from experiments import after_adam_verdicts as judge
from experiments import after_adam_widths as widths
from experiments import race_tasks

PLAN = files.record("after_adam_claims")
FOLDER = Path(__file__).parents[1] / "_build" / "after_adam"
BUDGETS, SEEDS = (5, 25), PLAN["seeds"]["finalists"]
CONSTANT, HEAD = "adam, constant", "muon, Adam head"


def bias_of_muon(hyper):
    """Return what Adam is told for a bias beside `rules.muon`."""
    return {"lr": hyper["lr"] / 8}


def headless(w, g, t, *state, **hyper):
    """Return a step of Muon of all weights but the last layer's, whose ten outputs go by Adam."""
    if w.shape[-2] == 10:
        return rules.adam(w, g, t, *state, **bias_of_muon(hyper))
    return rules.muon(w, g, t, *state, **hyper)


#: Rules that are not taken from adamlib as they are.
OWN = {
    "soap": networks.with_adam(partial(rules.soap, eigh=networks.eigh), dict),
    "muon": networks.with_adam(rules.muon, bias_of_muon),
    HEAD: networks.with_adam(headless, bias_of_muon),
}


def contenders(task):
    """Yield (name, name of its rule in adamlib, space) of all that run on a task."""
    spaces = PLAN["spaces"]
    yield from ((name, name, space) for name, space in spaces.items())
    yield CONSTANT, "adam", spaces["adam"]
    if PLAN["tasks"][task]["network"] != "softmax":
        yield HEAD, "muon", spaces["muon"]


def trials(settings, *, task, name, rule, seed):
    """Return a result for each settings, of networks trained at once from equal weights.

    "held_out", "train": losses in nats after the last step; "error": the share of held-out images
    that are wrong; "rare": the held-out loss of the digits 5 to 9; "walking": the held-out loss of
    Schedule-Free's w, where the others are those of x.
    """
    about, images = PLAN["tasks"][task], race_tasks.images(task, seed)
    layers = networks.network(networks.SIZES[about["network"]], [seed] * len(settings))
    columns = {n: torch.tensor([s[n] for s in settings])[:, None, None] for n in settings[0]}
    free = name == "schedule_free"
    hyper = hyperparameters(rule, columns) | {"falls": not free and name != CONSTANT}
    x, y = images.x_train.flatten(1), images.y_train
    how = about["epochs"], about["batch_size"], seed
    buffers = networks.train(OWN.get(name, getattr(rules, rule)), layers, x, y, *how, **hyper)
    found = {}
    if free:
        walking = networks.losses(layers, images.x_test.flatten(1), images.y_test)
        averaged([w for layer in layers for w in layer], buffers, columns["beta1"])
        found["walking"] = walking
    found |= measures(layers, images)
    rows = zip(*(column.tolist() for column in found.values()), strict=True)
    return [{n: race_tasks.short(v) for n, v in zip(found, row, strict=True)} for row in rows]


def averaged(weights, buffers, beta1):
    """Move Schedule-Free's points to train at to those to evaluate at, in place."""
    for w, (s, _) in zip(weights, buffers, strict=True):
        w.sub_((1 - beta1) * s)


def measures(layers, images):
    """Return what `trials` returns of trained networks, (K,) each."""
    x, y = images.x_test.flatten(1), images.y_test
    logits = networks.backward.logits(layers, x.T.contiguous())  # (K, 10, B)
    rare = y >= 5
    return {
        "held_out": networks.losses(layers, x, y),
        "train": networks.losses(layers, images.x_train.flatten(1), images.y_train),
        "error": (logits.argmax(1) != y).float().mean(-1),
        "rare": networks.losses(layers, x[rare], y[rare]),
    }


def searched(task, name, rule, space, folder, count, seed):
    """Return the records of a sweep, which is run as far as it is not there."""
    folder = FOLDER / task / name / folder
    folder.mkdir(parents=True, exist_ok=True)
    function = partial(trials, task=task, name=name, rule=rule, seed=seed)
    how = {"seed": seed, "stack": count, "progress": False}
    records = sweep.run(function, space, count, folder, **how)
    if errors := {each["error"] for each in records} - {None}:
        raise RuntimeError(f"{folder}: {min(errors)}")
    return records


def scores(records, key):
    """Return a loss of trials, inf where it is not finite."""
    losses = [each["result"][key] for each in records]
    return [float("inf") if loss is None else loss for loss in losses]


def finalists(task, name, rule, records):
    """Return {budget: the best trial, and what it does with other seeds}."""
    found, runs = {}, {}
    for budget in BUDGETS:
        losses = scores(records[:budget], PLAN["tasks"][task]["score"])
        best = losses.index(min(losses))
        if best not in runs:
            space = {n: ["choice", [x]] for n, x in records[best]["settings"].items()}
            folders = [(f"finalist {best}, seed {seed}", 1, seed) for seed in SEEDS]
            done = [searched(task, name, rule, space, *each)[0] for each in folders]
            runs[best] = {key: [x["result"][key] for x in done] for key in done[0]["result"]}
        found[str(budget)] = {"trial": best, "settings": records[best]["settings"], **runs[best]}
    return found


def raced(task):
    """Return the record of a task: {contender: its trials and its finalists}."""
    record, count = {}, PLAN["tasks"][task]["trials"]
    for name, rule, space in contenders(task):
        began = time.perf_counter()
        records = searched(task, name, rule, space, "search", count, PLAN["seeds"]["trials"])
        columns = {key: [x["result"][key] for x in records] for key in records[0]["result"]}
        record[name] = {"trials": columns, "finalists": finalists(task, name, rule, records)}
        print(f"{task}, {name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return record


def spent():
    """Return the seconds, by the clock, that all trials in the folder have taken."""
    folders = {path.parent for path in FOLDER.rglob("*.json")}
    return sum(each["seconds"] for folder in folders for each in sweep.read(folder))


def kept(name, make):
    """Return what `make` returns, from its file in the folder if it is there."""
    path = FOLDER.with_name("after_adam_parts") / f"{name}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        record = make()
        record |= {"seconds": round(time.perf_counter() - began)}
        files.write(path, files.as_json(record))
    return json.loads(path.read_text(encoding="utf-8"))


def measured(digits):
    """Return the record and the verdicts on it."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # a silent unit has such momenta, and they are slow
    parts = {"steps": some_steps.measured, "widths": widths.measured, "ConvNet": convnet.measured}
    record = {"tasks": {task: raced(task) for task in PLAN["tasks"]}}
    record |= {name: kept(name, partial(make, digits)) for name, make in parts.items()}
    seconds = spent() + sum(record[name].pop("seconds") for name in parts)
    record |= {"verdicts": judge.verdicts(record, PLAN), "clock": convnet.clock(digits)}
    return {"seconds": round(seconds), **record}

"""Adam's lead over SGD with momentum by batch size, for the claims of why_adam_claims.json.

`python -m experiments why_adam` takes about a quarter of an hour of one core. The claims and the
rules of their verdicts are older than the first run.
"""

import itertools
import time
from functools import partial

import numpy as np
import torch
from tqdm import tqdm

from adamlib import files, rules
from adamlib.model import MLPStack
from experiments import race_tasks
from experiments import why_adam_more as more
from experiments import why_adam_networks as networks

PLAN = files.record("why_adam_claims")
TUNING, SEEDS = PLAN["design"]["tuning seeds"], PLAN["design"]["judging seeds"]
SIZES, STEPS = (8, 16, 32, 64, 128, 256, 512), {16: 5, 128: 38, 1347: 420}  # 420 steps: epochs
ADAM = {"rule": rules.adam, "betas": (0.9, 0.999)}
#: What is trained, as `networks.trained` takes it, and the exponents of its rates.
PAIR = {
    "momentum": ({"rule": rules.momentum}, range(-14, 2)),
    "Adam": (ADAM, range(-16, 0)),
}
GELU = {f"{name} GELU": ({**how, "make": networks.Gelu}, ks) for name, (how, ks) in PAIR.items()}
TURNED = {"Adam turned": ({**ADAM, "make": networks.Turned}, range(-16, 0))}
AT_8 = {
    "Adam scaled": ({**ADAM, "betas": (0.9, 0.999 ** (8 / 128))}, range(-16, 0)),
    "plain": ({"rule": rules.gradient_descent}, range(-10, 6)),
}
AT_128 = {
    f"momentum clipped, {c}": ({"rule": rules.momentum, "clip": c}, range(-14, 2))
    for c in (0.1, 0.3, 1, 3)
}
AT_ALL = {"sign": ({"rule": networks.sign_descent}, range(-16, 0))} | {
    f"momentum two rates, 4^{j}": (
        {"rule": rules.momentum, "make": partial(networks.TwoRates, factor=4.0**j)},
        range(-14, 2),
    )
    for j in range(-3, 4)
}


def balanced(images, count):
    """Return `count` of the training images, as many of each digit as of the others, or one less.

    The digits that have one more are the lowest.
    """
    rows = [torch.nonzero(images.y_train == d).flatten() for d in range(10)]
    kept = torch.cat([row[: count // 10 + (d < count % 10)] for d, row in enumerate(rows)])
    return images._replace(x_train=images.x_train[kept], y_train=images.y_train[kept])


def tasks(digits):
    """Return [(name, images, epochs, batch sizes, may the rate be constant, too)]."""
    zipf = race_tasks.images("Zipf softmax", 0)
    few = balanced(digits, len(zipf.y_train))
    given = (("digits", digits, 20, True), ("Zipf digits", zipf, 70, True))
    given += (("balanced digits", few, 70, False),)
    counts = [len(images.y_train) for _, images, *_ in given]
    sizes = [[*(B for B in SIZES if B < N), N] for N in counts]
    return [(*g[:3], each, g[3]) for g, each in zip(given, sizes, strict=True)]


def jobs(those, steps):
    """Yield (name, images, epochs, batch size, whether the rate falls, contenders)."""
    for (task, images, epochs, sizes, both), falls in itertools.product(those, (True, False)):
        for size in sizes if falls or both else ():
            cast = PAIR
            if task == "digits" and falls:
                cast = PAIR | {8: AT_8, 128: GELU | TURNED | AT_128}.get(size, {})
                cast |= GELU | TURNED | AT_ALL if size == sizes[-1] else {}
            name = f"{task}, {'falling' if falls else 'constant'}, {size}"
            yield name, images, epochs, size, falls, cast
    for size, epochs in steps.items():
        yield f"digits, 420 steps, {size}", those[0][1], epochs, size, True, PAIR


def tuned(tries, ks):
    """Return {k: mean ln loss}, the best k, whether on an edge; tries(ks) gives losses (S, L).

    A best rate on an edge gets eight more on that side, at most twice.
    """
    found, fresh = {}, list(ks)
    for _ in range(3):
        losses = np.array(tries(fresh))
        logs = np.where(np.isfinite(losses), np.log(np.maximum(losses, more.FLOOR)), np.inf)
        found |= dict(zip(fresh, logs.mean(0), strict=True))
        best, low, high = min(found, key=found.get), min(found), max(found)
        if low < best < high:
            break
        fresh = list(range(low - 8, low) if best == low else range(high + 1, high + 9))
    return found, best, not low < best < high


def compared(how, ks, images, epochs, size, falls, rare):
    """Return {contender: its record}: the rate chosen, its tuning and ten runs with it."""
    how = {"make": MLPStack, "falls": falls, **how}

    def run(ks, seed):
        make, rule = how["make"], how["rule"]
        rest = {key: x for key, x in how.items() if key not in ("make", "rule")}
        model = networks.trained(make, rule, ks, seed, images, epochs, size, **rest)
        return networks.measures(model, images, rare)

    tries = lambda some: [run(some, seed)["loss"].tolist() for seed in TUNING]  # noqa: E731
    found, best, edge = tuned(tries, ks)
    ends = [run([best, best], seed) for seed in SEEDS]
    columns = {key: race_tasks.short([end[key][0].item() for end in ends]) for key in ends[0]}
    tuning = {f"{10 ** (k / 4):.3g}": race_tasks.short(float(found[k])) for k in sorted(found)}
    about = {"lr": 10 ** (best / 4), "edge": edge, "score": float(found[best]), "tuning": tuning}
    extra = {key: {"loss": columns.pop(key)} for key in (" rare", " frequent") if key in columns}
    return {"": about | columns, **extra}


def best_setting(record):
    """Return the record with one of the entries "NAME, SETTING" under NAME: of the best score."""
    groups = {}
    for name, one in record.items():
        groups.setdefault(name.partition(", ")[0], []).append(one | {"setting": name})
    return {name: min(those, key=lambda x: x.get("score", 0)) for name, those in groups.items()}


def record_of(those):
    """Return {run: {contender: its record}} of jobs."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # a silent unit has such momenta, and they are slow
    record, work = {}, [(*job[:-1], *each) for job in those for each in job[-1].items()]
    for run, images, epochs, size, falls, name, (how, ks) in tqdm(work, unit="contender"):
        rare = run.startswith("Zipf digits, falling") and size == len(images.y_train)
        found = compared(how, ks, images, epochs, size, falls, rare)
        record.setdefault(run, {}).update({name + key: x for key, x in found.items()})
    return {run: best_setting(each) for run, each in record.items()}


def measured(digits):
    """Return the record; its claims are judged where it is shown."""
    began = time.perf_counter()
    record = record_of(jobs(tasks(digits), STEPS)) | more.quadratics() | more.convnet(digits)
    return {"seconds": round(time.perf_counter() - began), "runs": record}

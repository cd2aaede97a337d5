"""The verdicts on the claims of after_adam_claims.json, from the numbers of the record."""

import numpy as np

from adamlib import files, paper

MATRICES = ("soap", "muon")
NOT_HERE = "not at this scale"


def numbers(values):
    """Return an array of the stored losses, inf where one was not finite."""
    return np.array([np.inf if x is None else x for x in values], dtype=float)


def best_of(scores, k, draws=2000, seed=0):
    """Return the lowest of k scores, drawn with replacement, so many times."""
    rng = np.random.default_rng(seed)
    return scores[rng.integers(len(scores), size=(draws, k))].min(axis=1)


def ratio(a, b):
    """Return b / a by seed; 1 where both are infinite or 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(numbers(b) / numbers(a), nan=1.0, posinf=np.inf)


def middle(ratios):
    """Return the median; None where it is not finite, which is over 0."""
    found = float(np.median(ratios))
    return found if np.isfinite(found) else None


def over_tasks(said):
    """Return the verdict over four tasks from those of the tasks."""
    if said.count("holds") >= 3:
        return "holds"
    if said.count("holds") + said.count("holds weakly") >= 2:
        return "holds weakly"
    return "reversed" if said.count("reversed") >= 3 else NOT_HERE


def counted(count, holds, weakly, reverse):
    """Return the verdict of a count that has to be at least, at least, at most so large."""
    found = {"holds": count >= holds, "holds weakly": count >= weakly, "reversed": count <= reverse}
    return next((word for word, met in found.items() if met), NOT_HERE)


def race(claim, record, plan):
    """Return the verdict and what was seen: a median ratio and a verdict for each task."""
    said, seen = [], []
    for task, about in plan["tasks"].items():
        runs = record["tasks"][task]
        a, b = (runs[claim[side]]["finalists"]["25"][about["score"]] for side in "ab")
        said.append(paper.verdict(claim["rule"], ratio(a, b), 1.02))
        seen.append((middle(ratio(a, b)), said[-1]))
    return over_tasks(said), seen


def rare(claim, record, plan):
    """Return the verdict and the median ratio of the losses of rare digits."""
    runs = record["tasks"]["Zipf softmax"]
    found = ratio(*(runs[claim[side]]["finalists"]["25"]["rare"] for side in "ab"))
    return paper.verdict(claim["rule"], found, 1.02), [middle(found)]


def first(claim, record, plan):
    """Return the verdict and the places of the rules of matrices on each task."""
    places = []
    for task, about in plan["tasks"].items():
        runs = record["tasks"][task]
        losses = {n: numbers(runs[n]["trials"][about["score"]]) for n in plan["spaces"]}
        order = sorted(losses, key=lambda n: np.median(best_of(losses[n], 25)))
        places.append([order.index(name) + 1 for name in MATRICES])
    won, last = (sum(test(p) for p in places) for test in (lambda p: 1 in p, lambda p: min(p) > 8))
    return counted(won, 3, 2, 0 if last >= 3 else -1), places


def one_step(claim, record, plan):
    """Return the verdict and [how many, of how many] are on the side of 1 that is foretold."""
    right, below = [], []
    for setting in record["steps"].values():
        for at in setting["one"].values():
            foretold = np.median(at["ratio"]) >= 1
            seen = np.median(ratio(at["Euclidean"], at["spectral"])) >= 1
            right.append(bool(foretold == seen))
            below.append(bool(foretold or seen == foretold))
    verdict = counted(sum(right), 16 if all(below) else np.inf, 14, 4)
    return verdict, [sum(right), len(right)]


def leads(record, plan):
    """Return the foretold ratio and the median lead of spectral steps, of each setting."""
    told = plan["two numbers"]["foretold"]
    x = np.array([np.prod(told[name]) ** 0.5 for name in record["steps"]])
    sixty = [setting["sixty"] for setting in record["steps"].values()]
    y = [np.median(numbers(s["Euclidean"]["loss"])) for s in sixty]
    return x, np.array(y) / [np.median(numbers(s["spectral"]["loss"])) for s in sixty]


def sixty_steps(claim, record, plan):
    """Return the verdict and [how many winners were foretold, of how many]."""
    x, y = leads(record, plan)
    right = (x >= 1) == (y >= 1)
    low = int(right[x < 1].sum())
    count = int(right.sum())
    verdict = counted(count, 8 if low == 2 else np.inf, 7 if low >= 1 else np.inf, 2)
    return verdict, [count, len(x)]


def rank(claim, record, plan):
    """Return the verdict and Spearman's correlation."""
    x, y = (each.argsort().argsort() for each in leads(record, plan))
    found = float(np.corrcoef(x, y)[0, 1])
    return counted(found, 0.7, 0.4, -0.4), [found]


def convnet(claim, record, plan):
    """Return the verdict and the median ratio."""
    old = files.record("why_adam")["runs"]
    b = old["ConvNet, constant, 128"][claim["b"]]["loss"]
    found = ratio([curve[-1] for curve in record["ConvNet"][claim["a"]]["loss"]], b)
    return paper.verdict(claim["rule"], found, 1.1), [middle(found)]


def widths(claim, record, plan):
    """Return the verdict and the best rate at the smallest over that at the largest width."""
    runs = record["widths"][claim["rule_of"]][claim["scaling"]]
    lrs = [runs[w]["lr"] for w in sorted(runs, key=int)]
    if claim["kind"] == "slides":
        found = np.log10(lrs[0] / lrs[-1]) + 1e-9  # a hair, since rates are powers of 10^(1/4)
        return counted(found, 0.75, 0.5, -0.5 + 2e-9), [lrs[0] / lrs[-1]]
    spread = np.log10(max(lrs) / min(lrs)) - 1e-9
    return counted(-spread, -0.25, -0.5, -np.inf), [max(lrs) / min(lrs)]


JUDGES = {"race": race, "rare": rare, "first": first, "one step": one_step, "rank": rank}
JUDGES |= {"sixty steps": sixty_steps, "ConvNet": convnet, "slides": widths, "stays": widths}


def verdicts(record, plan):
    """Return {claim: [verdict, what was seen]}."""
    return {c["id"]: list(JUDGES[c["kind"]](c, record, plan)) for c in plan["claims"]}

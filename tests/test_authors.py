"""The rules that torch.optim has not, beside recorded walks of their authors' packages."""

import counterparts
import numpy as np
import pytest
import torch
from oracle import weights_of

from adamlib import files, optim, rules
from experiments.authors import AT, SIZE, first_of_soap, gradients

RELATIVE = 1e-12  # float64 has 1e-16; a thousand steps of rounding in another order
WALKS = files.record("authors")["walks"]
CLASSES = {"lion": optim.Lion, "schedule_free": optim.ScheduleFree}
ids = [f"{walk['optimizer']} {walk['settings']}" for walk in WALKS]
every_walk = pytest.mark.parametrize("walk", WALKS, ids=ids)
of_classes = [walk for walk in WALKS if walk["rule"] in CLASSES]
every_class = pytest.mark.parametrize("walk", of_classes, ids=ids[: len(of_classes)])


def hyper(walk):
    """The settings of a walk as the rule's hyperparameters."""
    aside = ("foreach", "weight_decay")
    given = {key: x for key, x in walk["settings"].items() if key not in aside}
    if walk["rule"] in CLASSES:
        given["weight_decay"] = walk["settings"].get("weight_decay", 0)
    if walk["rule"] == "soap":  # along the axes that the package found in its first step
        axes = iter(walk["axes"])
        given = {"eps": 0, "every": AT[-1], "eigh": lambda _: (None, np.array(next(axes)))}
    return given


def distance(path, walk):
    """The largest difference to a recorded walk, relative to its extent, by weight."""
    other = np.array(walk["path"])
    assert np.shape(path) == other.shape == (len(AT), SIZE, SIZE)
    return (np.abs(path - other).max(axis=0) / np.abs(other).max(axis=0)).max()


@every_walk
def test_a_rule_walks_as_its_authors_package_over_1000_steps(walk):
    rule, given = getattr(rules, walk["rule"]), hyper(walk)
    w, state, path = np.ones((SIZE, SIZE)), (), []
    for t, g in enumerate(gradients(walk["rule"]), 1):
        w, *state = rule(w, g, t, *state, **given)
        path.append(w)
    assert distance([path[t - 1] for t in AT], walk) < RELATIVE


def walked(optimizer, rule):
    """The weights of an optimizer after the steps of the record."""
    (w,), path = weights_of(optimizer), []
    for g in gradients(rule):
        w.grad = torch.tensor(g)
        optimizer.step()
        path.append(w.detach().numpy().copy())
    return [path[t - 1] for t in AT]


@every_class
def test_ours_and_the_counterpart_of_other_tests_walk_as_the_package(walk):
    for cls in (CLASSES[walk["rule"]], getattr(counterparts, CLASSES[walk["rule"]].__name__)):
        w = torch.nn.Parameter(torch.ones(SIZE, SIZE, dtype=torch.float64))
        optimizer = cls([w], **hyper(walk))
        assert distance(walked(optimizer, walk["rule"]), walk) < RELATIVE


@pytest.mark.parametrize("walk", [w for w in WALKS if "eval" in w], ids=["no decay", "decay"])
def test_eval_goes_where_the_packages_goes(walk):
    w = torch.nn.Parameter(torch.ones(SIZE, SIZE, dtype=torch.float64))
    optimizer = optim.ScheduleFree([w], **hyper(walk))
    walked(optimizer, "schedule_free")
    optimizer.eval()
    x, y = np.array(walk["eval"]), np.array(walk["path"][-1])
    assert np.abs(w.detach().numpy() - x).max() < RELATIVE * np.abs(x).max() < np.abs(y - x).max()


def test_the_axes_of_soap_are_those_that_eigh_finds():
    """But for signs and their order: the package has the largest first."""
    (walk,) = (walk for walk in WALKS if walk["rule"] == "soap")
    g = first_of_soap()
    for square, axes in zip((g @ g.T, g.T @ g), walk["axes"], strict=True):
        overlap = np.linalg.eigh(square)[1].T @ np.array(axes)
        np.testing.assert_allclose(np.abs(overlap), np.eye(SIZE)[::-1], atol=1e-9)  # near ones mix

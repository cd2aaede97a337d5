"""Playground and memory: the still figures, their place in the book. No browser is needed."""

import json
import re

import matplotlib.pyplot as plt
import memory as live
import numpy as np
import playground as extension
import pytest
from sphinx.errors import ExtensionError

from adamlib import playground as module
from adamlib import plots, rules
from adamlib.descent import descend
from adamlib.playground import (
    DIVERGED,
    LEARNERS,
    MAPS,
    RULES,
    heights,
    memory,
    playground,
    recall,
    walks,
)

GOOD = {"surface": "saddle", "rates": {"Adam": 0.1}, "start": (1.0, 0.5), "steps": 20}
RATES = {"gradient descent": 2.8, "sign": 0.032, "Adam": 0.13, "Muon": 0.09}
LEARNED = {"rates": RATES, "steps": 20, "because": "So it is.", "keys": "turned", "exponent": 2.0}


@pytest.fixture
def shown(monkeypatch):
    """What `playground` shows: a list of pairs (figure, metadata)."""
    calls = []

    def display(figure, metadata):
        calls.append((figure, metadata))

    monkeypatch.setattr(module, "display", display)
    return calls


def test_the_figure_draws_the_paths_that_the_rules_walk(shown):
    playground("valley κ=10", {"momentum": 0.03, "Adam": 0.3}, (-1.5, 1), 60, betas=(0.8, 0.99))
    (figure, _), grad = shown[0], MAPS["valley κ=10"].surface.grad
    drawn = {line.get_label(): line.get_xydata() for line in figure.axes[0].lines}
    roll = descend(rules.momentum, grad, (-1.5, 1), 60, lr=0.03, momentum=0.8)
    adam = descend(rules.adam, grad, (-1.5, 1), 60, lr=0.3, betas=(0.8, 0.99))
    np.testing.assert_array_equal(drawn["momentum, η = 0.03"], roll)
    np.testing.assert_array_equal(drawn["Adam, η = 0.3"], adam)
    assert drawn["start"].tolist() == [[-1.5, 1]] and not plt.get_fignums()


def test_betas_reach_every_rule_that_has_one():
    paths = walks("saddle", dict.fromkeys(RULES, 0.1), (1, 0.5), 9, betas=(0.5, 0.7))
    hyper = {name: {} for name in RULES} | {"Adam": {"betas": (0.5, 0.7)}}
    hyper |= {"momentum": {"momentum": 0.5}, "Nesterov": {"momentum": 0.5}}
    hyper |= {"RMSProp": {"alpha": 0.7}}
    for name, rule in RULES.items():
        path = descend(rule, MAPS["saddle"].surface.grad, (1, 0.5), 9, lr=0.1, **hyper[name])
        np.testing.assert_array_equal(paths[name], path)


def test_a_walk_that_diverges_is_drawn_to_the_frame_and_called_so(shown):
    playground("valley κ=100", {"gradient descent": 10, "AdaGrad": 1}, (-1.5, 1), 500)
    figure, metadata = shown[0]
    assert figure.axes[0].lines[1].get_xydata().tolist() == [[-1.5, 1], [13.5, -999]]
    alt = metadata["image/svg+xml"]["alt"]
    assert "gradient descent with learning rate 10 diverged, AdaGrad" in alt


def test_the_alternative_text_says_where_each_rule_ends(shown):
    playground("round bowl", {"gradient descent": 0.5}, (2, 0), 2)  # f = ½ (2 / 2²)²
    assert shown[0][1]["image/svg+xml"]["alt"] == (
        "Map of the round bowl. From (2, 0), where f is 2, after 2 steps: gradient descent with "
        "learning rate 0.5 at 0.12."
    )


def test_the_preset_of_the_page_is_what_the_notebook_showed(shown):
    playground(**GOOD | {"rates": {"Adam": np.float64(0.1)}, "start": [1, 0.5]}, betas=(0, 0.5))
    preset = json.loads(json.dumps(shown[0][1]["image/svg+xml"]["playground"]))
    assert preset == GOOD | {"start": [1.0, 0.5], "betas": [0.0, 0.5]}


@pytest.mark.parametrize(
    ("argument", "bad"),
    [
        ("surface", "valley"),
        ("rates", {}),
        ("rates", {"adam": 0.1}),
        ("rates", [0.1]),
        ("rates", {"Adam": 0}),
        ("rates", {"Adam": 11}),
        ("rates", {"Adam": float("nan")}),
        ("rates", {"Adam": "0.1"}),
        ("start", (1.0,)),
        ("start", (3.0, 0.0)),
        ("start", (0.0, float("nan"))),
        ("start", "ab"),
        ("steps", 0),
        ("steps", 501),
        ("steps", True),
        ("steps", 10.0),
        ("betas", (0.9, 1.0)),
        ("betas", (-0.1, 0.9)),
        ("betas", 0.9),
    ],
)
def test_a_preset_that_cannot_be_shown_is_refused(shown, argument, bad):
    with pytest.raises(
        ValueError, match=rf"^{argument} must .*got {re.escape(repr(bad))[:9]}|for A"
    ):
        playground(**GOOD | {argument: bad})
    assert not shown and not plt.get_fignums()


def test_every_rule_that_races_or_learns_has_a_style():
    assert {*RULES, *LEARNERS} <= set(plots.STYLES)


def test_nothing_on_a_map_counts_as_diverged():
    for surface, x, y in MAPS.values():
        corners = np.stack(np.meshgrid(x, y), axis=-1)  # every map is highest at a corner
        assert surface.f(corners).max() < DIVERGED / 2


def test_a_height_that_overflows_is_no_warning():
    ends = heights("saddle", {"a": np.full((2, 2), 1e200), "b": np.full((1, 2), np.nan)})
    assert ends["a"] == np.inf and np.isnan(ends["b"])


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["gradient descent", "AdaGrad"], ["Steps"]),
        (["Nesterov"], ["β", "Steps"]),
        (["RMSProp"], ["α", "Steps"]),
        (["Adam"], ["β₁", "β₂", "Steps"]),
        (["momentum", "RMSProp", "Adam"], ["β₁, momentum’s β", "β₂, RMSProp’s α", "Steps"]),
    ],
)
def test_a_slider_is_there_if_a_rule_reads_it_and_has_its_name(names, labels):
    found = extension.sliders({"rates": dict.fromkeys(names, 0.1)})
    assert [label for _, label in found] == labels


@pytest.mark.parametrize(("kind", "preset"), [("playground", GOOD), ("memory", LEARNED)])
def test_a_figure_without_a_name_is_an_error(kind, preset):
    drawn = {"metadata": {"image/svg+xml": {kind: preset}}}
    with pytest.raises(ExtensionError, match=rf"{kind} has no name: .*'steps': 20"):
        extension.presets({"cells": [{"metadata": {}, "outputs": [drawn]}]})


def test_the_bars_of_a_memory_are_the_errors_of_its_keys(shown):
    memory(RATES, 20, "So it is.", exponent=2)
    (figure, metadata), errors = shown[0], recall(RATES, 20, exponent=2)
    for ax, (name, path) in zip(figure.axes, errors.items(), strict=True):
        assert [bar.get_height() for bar in ax.patches] == path[-1].tolist()
        assert ax.get_title() == f"{name}\nη = {RATES[name]:g}"
        assert ax.lines[0].get_marker() == plots.STYLES[name]["marker"]
    assert metadata["image/svg+xml"]["memory"] == LEARNED and not plt.get_fignums()


def test_the_text_of_a_memory_says_which_rule_knows_the_rarest_key_best(shown):
    memory({"gradient descent": 1, "Muon": 0.1}, 3, "So it is.", keys="along the axes", exponent=0)
    assert shown[0][1]["image/svg+xml"]["alt"] == (  # (7/8)³ = 0.67
        "Bars: the error of eight keys, 1 at first, after 3 steps. Of the most frequent and of the "
        "rarest key, gradient descent with learning rate 1: 0.67 and 0.67; Muon with learning rate "
        "0.1: 0.68 and 0.68. gradient descent knows the rarest key best."
    )


def test_a_rule_that_diverges_is_called_so_and_knows_nothing(shown):
    rates = {"gradient descent": 10, "sign": 0.05}
    memory(rates, 100, "So it is.", keys="along the axes", exponent=2)  # only key 1 is lost
    alt = shown[0][1]["image/svg+xml"]["alt"]
    assert "gradient descent with learning rate 10 diverged; sign" in alt
    assert alt.endswith(" sign knows the rarest key best.")


@pytest.mark.parametrize(
    ("argument", "bad"),
    [
        ("rates", {"Muon": 0.1}),
        ("rates", {"Muon": 0.1, "Lion": 0.1}),
        ("rates", {"Muon": 0.1, "Adam": 11}),
        ("rates", ["Muon", "Adam"]),
        ("steps", 0),
        ("steps", 101),
        ("steps", 2.0),
        ("because", " "),
        ("because", None),
        ("keys", "askew"),
        ("exponent", -0.1),
        ("exponent", 2.5),
        ("exponent", float("nan")),
        ("exponent", "1"),
    ],
)
def test_a_memory_that_cannot_be_shown_is_refused(shown, argument, bad):
    with pytest.raises(
        ValueError, match=rf"^{argument} must .*got ({re.escape(repr(bad))}|11 for)"
    ):
        memory(**LEARNED | {argument: bad})
    assert not shown and not plt.get_fignums()


def test_the_marker_of_a_panel_is_that_of_the_figures():
    look = live.look("gradient descent")
    assert look["ink"] == "#4d4d4d" and look["night"] == "#a6a6a6"  # half way to white
    assert re.fullmatch(r"M(-?[\d.e-]+,-?[\d.e-]+ ?)+", look["path"])
    assert live.look("Muon")["path"].count(",") == 13  # a cross with twelve corners, closed

"""The memory of eight keys: what can be said of each rule exactly."""

import numpy as np
import pytest

from adamlib import rules, surfaces
from adamlib.playground import KEYS, recall

BEST = {"gradient descent": 2.8, "sign": 0.032, "Adam": 0.13, "Muon": 0.09}  # for 20 steps, s = 2
GRID = 10 ** np.arange(-3, 1, 0.05)


def frequencies(exponent):
    return surfaces.memory(KEYS["turned"], exponent).frequencies[:, 0]


@pytest.mark.parametrize("keys", KEYS)
def test_the_gradient_is_that_of_the_loss(keys):
    task, h = surfaces.memory(KEYS[keys], 1), 1e-6
    w, d = np.random.default_rng(0).standard_normal((2, 8, 8))

    def loss(w):
        return (task.frequencies[:, 0] * task.errors(w) ** 2).sum() / 2

    slope = (loss(w + h * d) - loss(w - h * d)) / (2 * h)
    assert (task.grad(w) * d).sum() == pytest.approx(slope, rel=1e-8)  # rounding over h


@pytest.mark.parametrize("keys", KEYS)
def test_keys_are_orthonormal_and_a_value_is_the_next_key(keys):
    task = surfaces.memory(KEYS[keys], 1)
    np.testing.assert_allclose(task.keys @ task.keys.T, np.eye(8), atol=1e-15)  # roundings
    np.testing.assert_array_equal(task.values[0], task.keys[1])
    np.testing.assert_array_equal(task.values[7], task.keys[0])
    np.testing.assert_allclose(task.frequencies[0] / task.frequencies[:, 0], np.arange(1, 9))


@pytest.mark.parametrize("exponent", [0, 1, 2])
@pytest.mark.parametrize("keys", KEYS)
def test_gradient_descent_forgets_a_share_of_the_error_of_its_own_for_each_key(keys, exponent):
    errors = recall({"gradient descent": 1.5}, 100, keys=keys, exponent=exponent)
    exact = (1 - 1.5 * frequencies(exponent)) ** np.arange(101)[:, None]
    np.testing.assert_allclose(errors["gradient descent"], exact, atol=1e-14)  # roundings of W


def test_along_the_axes_sign_moves_all_keys_alike_until_it_arrives():
    errors = recall({"sign": 0.04}, 24, keys="along the axes", exponent=2)["sign"]
    exact = 1 - 0.04 * np.arange(25)
    np.testing.assert_allclose(errors, np.tile(exact[:, None], 8), atol=1e-14)  # roundings of sums


@pytest.mark.parametrize("exponent", [0, 1, 2])
def test_muon_moves_every_key_by_its_rate_give_or_take_a_third(exponent):
    errors = recall({"Muon": 0.05}, 10, exponent=exponent)["Muon"]
    moved = -np.diff(errors, axis=0) / 0.05
    assert moved.min() > 0.68 and moved.max() < 1.21  # what five Newton-Schulz steps reach


def test_a_turn_of_the_keys_changes_nothing_for_gradient_descent_and_muon():
    before, after = (recall(BEST, 20, keys=keys, exponent=2) for keys in KEYS)
    for name in ("gradient descent", "Muon"):
        assert np.abs(before[name] - after[name]).max() < 1e-8  # Muon has begun to bounce
    for name in ("sign", "Adam"):
        assert np.abs(before[name] - after[name])[-1].max() > 0.2


def test_only_muon_knows_the_rarest_of_steep_frequencies_at_rates_that_are_best_for_each():
    for name, rate in BEST.items():  # the lowest loss
        paths = [recall({name: lr}, 20, exponent=2)[name][-1] for lr in GRID]
        losses = np.nan_to_num([frequencies(2) @ e**2 for e in paths], nan=np.inf)
        assert abs(np.log10(GRID[np.argmin(losses)] / rate)) < 0.03, name  # as the grid is fine
    rarest = {name: errors[-1, -1] for name, errors in recall(BEST, 20, exponent=2).items()}
    assert rarest.pop("Muon") < 0.1 < 0.4 < min(rarest.values())


@pytest.mark.parametrize(("exponent", "winner"), [(1, "gradient descent"), (2, "Muon")])
def test_how_steep_the_frequencies_are_decides_which_rule_is_best_on_its_worst_key(
    exponent, winner
):
    worst = {
        name: np.nanmin([recall({name: lr}, 20, exponent=exponent)[name][-1].max() for lr in GRID])
        for name in BEST
    }
    assert worst.pop(winner) < min(worst.values()) / 3


def test_for_a_vector_muon_is_momentum_of_a_fixed_length():
    gradients = np.random.default_rng(0).standard_normal((10, 2, 1))
    walk, mean = [np.zeros((2, 1))], []
    w, b = walk[0], 0
    for t, g in enumerate(gradients, 1):
        w, b = rules.muon(w, g, t, b, lr=0.1, weight_decay=0)
        walk.append(w)
        mean.append(0.95 * b + 0.05 * g)
    steps, mean = np.diff(walk, axis=0), np.array(mean)
    lengths = np.linalg.norm(steps, axis=1)
    np.testing.assert_allclose(lengths, np.full((10, 1), lengths[0]), rtol=1e-12)  # roundings
    along = -mean / np.linalg.norm(mean, axis=1, keepdims=True)
    np.testing.assert_allclose(steps / lengths[:, None], along, atol=1e-12)

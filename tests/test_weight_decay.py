"""The experiment of weight decay: how its maps are read, and what its rules do."""

import math

import numpy as np
import pytest

from adamlib import files, rules
from experiments import weight_decay

PLACES = np.arange(-2, 2.1, 0.5)


def bowl(centers):
    """Return a map whose column for each center is a parabola with its lowest point there."""
    return 1 + 0.1 * (PLACES - np.array(centers)[:, None]) ** 2


def test_the_lowest_point_of_a_parabola_is_found_between_the_cells():
    assert weight_decay.lowest(bowl([0.3])[0], PLACES) == pytest.approx(0.3)


def test_a_lowest_point_on_the_edge_is_none():
    assert math.isnan(weight_decay.lowest(bowl([-5.0])[0], PLACES))


@pytest.mark.parametrize("slope", [-1.0, 0.0, 0.5])
def test_the_slope_is_that_of_the_valley(slope):
    rates = np.array([-3.0, -2.5, -2.0])
    found = weight_decay.slope(bowl(slope * (rates + 2.5)), rates, PLACES)
    assert found == pytest.approx(slope)


def test_a_column_whose_best_is_far_above_the_best_of_all_does_not_count():
    mean = bowl([0.0, 0.0, 1.0]) * np.array([[1.0], [1.0], [1.6]])
    assert math.isnan(weight_decay.bests(mean, PLACES)[2])


def test_l2_is_adam_on_the_loss_with_its_square():
    w, g = np.array([2.0, -3.0]), np.array([0.5, 1.0])
    both = weight_decay.with_l2(w, g, 1, lr=0.1, weight_decay=0.25)
    assert np.array_equal(both, rules.adam(w, np.array([1.0, 0.25]), 1, lr=0.1))


def test_the_rate_of_an_annealed_rule_starts_whole_and_halves_in_the_middle():
    rule = weight_decay.annealed(lambda w, g, t, m, v, *, lr, weight_decay: lr, 10)
    assert [rule(0, 0, t, lr=2.0, weight_decay=0) for t in (1, 6)] == pytest.approx([2.0, 1.0])


def test_a_share_of_the_noisy_digits_is_their_beginning():
    whole, part = weight_decay.noisy(3), weight_decay.noisy(3, 0.25)
    assert len(part.y_train) == len(whole.y_train) // 4
    assert (part.y_train == whole.y_train[: len(part.y_train)]).all()


def test_a_part_is_made_again_when_a_grid_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(weight_decay, "FOLDER", tmp_path)
    made = []
    for rates in ([-3.0], [-3.0], [-3.0, -2.0]):
        monkeypatch.setattr(weight_decay, "RATES", rates)
        weight_decay.once("part", lambda: made.append(1) or made)
    assert len(made) == 2


def test_the_record_has_what_the_page_says_of_short_runs_and_of_the_loss():
    record = files.record("weight_decay")
    best = {each["epochs"]: each["best"] for each in record["basins"] if each["kind"] != "L2"}
    short, loss = best[20]["wrong"][4:], best[100]["loss"][5:]  # from rates 10^-2.5, 10^-2.25 on
    assert round(10 ** min(short), 2) >= 0.25 and round(10 ** max(short), 2) <= 0.67
    assert 0.2 < 10 ** min(loss) < 10 ** max(loss) < 0.4

"""The fair race: its schedule, its tasks, and that the record is what its rules ask for."""

import math
from collections import Counter

import pytest
import torch

from adamlib import files
from experiments import race, race_tasks


def test_the_rate_is_constant_for_three_fifths_and_falls_to_0_after_the_last_step():
    factors = [race_tasks.factor(t, steps=10) for t in range(11)]
    assert factors == pytest.approx([1] * 7 + [0.75, 0.5, 0.25, 0])


def test_a_digit_is_the_rarer_the_larger_it_is_and_held_out_images_stay():
    plain, zipf = (race_tasks.images(task, 3) for task in ("MLP", "Zipf softmax"))
    counts, first = Counter(zipf.y_train.tolist()), int((plain.y_train == 0).sum())
    assert counts == {d: first // (d + 1) for d in range(10)}
    assert torch.equal(zipf.y_test, plain.y_test)


def test_a_fifth_of_the_labels_is_wrong_and_no_held_out_one():
    plain, noisy = (race_tasks.images(task, 3) for task in ("MLP", "noisy MLP"))
    assert (plain.y_train != noisy.y_train).sum() == len(plain.y_train) // 5
    assert torch.equal(noisy.y_test, plain.y_test)


def test_a_network_of_a_stack_is_trained_as_if_it_were_alone():
    how = {"task": "Zipf softmax", "rule": "adam", "epochs": 2, "batch_size": 32, "seed": 1}
    settings = [{"lr": 1e-3, "beta1": 0.5}, {"lr": 1e-2, "beta1": 0.9}]
    both, (alone,) = (race_tasks.stack(some, **how) for some in (settings, settings[1:]))
    assert alone["held_out"] == pytest.approx(both[1]["held_out"], rel=1e-3)  # last digits kept


def test_the_record_has_all_trials_and_the_best_of_them_as_finalists():
    tasks = files.record("race")["tasks"]
    assert list(tasks) == list(race.RACE["tasks"])
    for task, record in tasks.items():
        found = {(name, rule) for name, those in record["spaces"].items() for rule in those}
        assert found == {(name, rule) for name, rule, _ in race.spaces(task)}
        for trials in (x for those in record["spaces"].values() for x in those.values()):
            assert {len(column) for column in trials.values()} == {
                race.RACE["tasks"][task]["trials"]
            }
        for rule, those in record["finalists"].items():
            after = [math.inf if x is None else x for x in record["spaces"]["whole"][rule]["after"]]
            for budget, runs in those.items():
                assert after[runs["trial"]] == min(after[: int(budget)])
                assert len(runs["held_out"]) == len(race.SEEDS)

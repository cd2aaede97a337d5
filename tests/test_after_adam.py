"""Chapter 18: its networks and numbers are what they are said to be, its verdicts the rules'."""

from itertools import permutations

import numpy as np
import pytest
import torch

from adamlib import data, files, rules
from adamlib.model import MLPStack
from adamlib.stack import stack_loss, train_stack
from experiments import after_adam, after_adam_steps, after_adam_verdicts, after_adam_widths
from experiments import after_adam_networks as networks
from experiments.race_tasks import decaying

DIGITS = data.load(device="cpu")
X, Y = DIGITS.x_train.flatten(1)[:200], DIGITS.y_train[:200]
FEW = DIGITS._replace(x_train=DIGITS.x_train[:200], y_train=Y)


def test_networks_are_trained_as_train_stack_does():
    model, layers = MLPStack([3, 4], 32), networks.network((64, 32, 10), [3, 4])
    theirs = train_stack(decaying(rules.adam, 12), model, FEW, 3, 50, seed=3, lr=0.01)
    networks.train(rules.adam, layers, X, Y, 3, 50, 3, falls=True, lr=0.01)
    torch.testing.assert_close(networks.losses(layers, X, Y), theirs)


def test_gradients_of_a_deep_network_are_those_of_autograd():
    layers = networks.network((64, 64, 64, 10), [5])
    weights = [w.requires_grad_() for layer in layers for w in layer]
    h = X.T
    for i, (w, b) in enumerate(layers):
        h = w @ (h.relu() if i else h) + b
    theirs = torch.autograd.grad(stack_loss(h.mT, Y).sum(), weights)
    mine = networks.gradients([tuple(w.detach() for w in layer) for layer in layers], X, Y)
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)  # sums in another order


def test_the_two_numbers_of_a_matrix_with_known_singular_values():
    torch.manual_seed(0)
    turn = [networks.spectral(torch.randn(1, 6, 6))[0] for _ in range(4)]
    turn = [u / torch.linalg.matrix_norm(u, 2) for u in turn]
    g = (turn[0] * torch.tensor([3.0, 1, 0, 0, 0, 0])) @ turn[1]
    a = (turn[2] * torch.tensor([2.0, 1, 1, 0, 0, 0])) @ turn[3]
    nr, st = networks.ranks(g, a)
    assert nr.item() == pytest.approx(16 / 10, rel=1e-3)  # float32
    assert st.item() == pytest.approx(6 / 4, rel=1e-3)


def test_white_pixels_have_as_many_equal_directions_as_are_kept():
    x = networks.inputs("white", DIGITS).x_train.flatten(1)
    s = torch.linalg.svdvals(x)
    torch.testing.assert_close(s[: networks.KEPT], torch.full_like(s[: networks.KEPT], s[0].item()))
    assert s[networks.KEPT] < 1e-3 * s[0]


def test_a_bias_goes_by_adam_beside_a_rule_of_matrices():
    g = torch.randn(2, 5, 1, generator=torch.Generator().manual_seed(0))
    w, *_ = after_adam.OWN["muon"](torch.zeros(2, 5, 1), g, 1, lr=0.8, momentum=0.95)
    torch.testing.assert_close(w, -0.1 * g.sign(), rtol=1e-5, atol=0)  # eps 1e-8


def test_newton_schulz_of_a_tall_matrix_is_that_of_the_wide_one_turned():
    x = np.random.default_rng(0).standard_normal((3, 12, 5))
    np.testing.assert_array_equal(rules.orthogonal(x), rules.orthogonal(x.mT).mT)


def test_schedule_free_is_judged_at_the_mean_of_its_walk():
    draw, w, state, walk = torch.Generator().manual_seed(0), torch.zeros(1, 3, 2), (), []
    for t in range(1, 6):
        g = torch.randn(1, 3, 2, generator=draw)
        w, *state = rules.schedule_free(w, g, t, *state, lr=0.1)
        walk.append(w + 0.9 * state[0])
    after_adam.averaged([w], [state], 0.9)
    torch.testing.assert_close(w, sum(walk) / 5)


@pytest.mark.parametrize("name", after_adam_widths.RULES)
def test_the_spectral_scaling_has_steps_of_like_strength_at_all_widths(name):
    """The size of a step's largest singular value, in units of √(outputs / inputs)."""
    found = {}
    for width in (32, 256):
        layers = networks.network((64, width, 10), [0])
        layers = after_adam_widths.spectral_start(layers)
        for w, _ in layers:
            norm = torch.linalg.matrix_norm(w, 2)
            assert norm.item() == pytest.approx((w.shape[1] / w.shape[2]) ** 0.5, rel=1e-3)
        before = [layer[0].clone() for layer in layers]
        rule = after_adam_widths.scaled(name, "spectral")
        networks.train(rule, layers, X, Y, 1, 200, 0, falls=False, lr=0.01)
        for i, (w, old) in enumerate(zip([layer[0] for layer in layers], before, strict=True)):
            unit = (w.shape[1] / w.shape[2]) ** 0.5
            found[width, i] = torch.linalg.matrix_norm(w - old, 2).item() / unit
    for i in range(2):
        assert 0.5 < found[256, i] / found[32, i] < 2


def test_a_step_that_is_right_for_both_directions_lowers_the_loss():
    layers = networks.network((64, 10), [0])
    found = after_adam_steps.decreases(layers, X, Y, (0,))
    assert all(0 < each < np.log(10) for each in found.values())


def test_verdicts_follow_the_rules_of_the_plan():
    over, counted = after_adam_verdicts.over_tasks, after_adam_verdicts.counted
    holds, weakly, other, back = "holds", "holds weakly", "not at this scale", "reversed"
    assert over([holds] * 3 + [back]) == holds
    assert over([holds, weakly, other, back]) == weakly
    assert over([back] * 3 + [holds]) == back
    assert over([holds, other, other, back]) == other
    assert [counted(n, 8, 7, 2) for n in (9, 7, 5, 2)] == [holds, weakly, other, back]


def test_every_claim_has_a_judge_and_a_source():
    for claim in after_adam.PLAN["claims"]:
        assert claim["kind"] in after_adam_verdicts.JUDGES
        assert claim["source"] and claim["read"] and claim["says"]


RECORD = files.record("after_adam")


def test_the_record_holds_all_trials_and_the_verdicts_that_follow_from_it():
    for task, about in after_adam.PLAN["tasks"].items():
        runs = RECORD["tasks"][task]
        assert list(runs) == [name for name, *_ in after_adam.contenders(task)]
        for run in runs.values():
            assert {len(column) for column in run["trials"].values()} == {about["trials"]}
            losses = after_adam_verdicts.numbers(run["trials"][about["score"]])
            for budget, those in run["finalists"].items():
                assert losses[those["trial"]] == losses[: int(budget)].min()
                assert len(those["held_out"]) == len(after_adam.SEEDS)
    anew = after_adam_verdicts.verdicts(RECORD, after_adam.PLAN)
    assert {c: said[0] for c, said in anew.items()} == {
        c: said[0] for c, said in RECORD["verdicts"].items()
    }


def test_what_was_foretold_is_what_was_measured():
    for name, setting in RECORD["steps"].items():
        told = after_adam.PLAN["two numbers"]["foretold"][name]
        found = [np.median(setting["one"][time]["ratio"]) for time in ("0", "20")]
        assert found == pytest.approx(told, rel=0.05)  # measured on the same ten seeds


def test_words_are_cheap_in_the_race():
    passed = {"no slower": set(), "beats": set()}
    for pair in permutations(after_adam.PLAN["spaces"], 2):
        for rule, those in passed.items():
            claim = dict(zip("ab", pair, strict=True), rule=rule)
            said, _ = after_adam_verdicts.race(claim, RECORD, after_adam.PLAN)
            those |= {pair} if said.startswith("holds") else set()
    beats = passed["beats"]
    assert len(passed["no slower"]) == 132 and len(beats) == 72
    assert sum(pair[::-1] in beats for pair in beats) == 2 * 13


def test_in_sixty_steps_rates_ran_off_and_up_to_ten_the_spectral_ones_lead():
    sixty, leads = {n: s["sixty"] for n, s in RECORD["steps"].items()}, []
    for found in sixty.values():  # mean ln loss of the tuning seeds
        trials = [found[way]["tuning"].items() for way in ("Euclidean", "spectral")]
        a, b = (min(x for lr, x in those if x and float(lr) <= 10) for those in trials)
        leads.append(a - b)
    told, seen = after_adam_verdicts.leads(RECORD, after_adam.PLAN)
    assert np.corrcoef(*(np.argsort(np.argsort(x)) for x in (told, leads)))[0, 1].round(2) == 0.32
    off = np.array([found["Euclidean"]["lr"] > 9_999 for found in sixty.values()])
    assert min(leads) > 0 and (seen[off] < 1e-6).all() and list(told[off] < 1) == [0, 1, 0, 1]
    missed = dict(zip(sixty, (told >= 1) & (seen < 1) & ~off, strict=True))
    assert [n for n, miss in missed.items() if miss] == ["MLP, raw"]  # with two of `off`
    assert round(sixty["MLP, raw"]["spectral"]["lr"], -2) == 5_600

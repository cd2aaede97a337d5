"""State that came by the user's own hand: it is what torch.optim would take it for, or named."""

import copy

import numpy as np
import pytest
import torch
from oracle import CLOSE, NAMES, PAIRS, distance, every_class, ours, theirs, walk, weights_of

from adamlib import optim

STATEFUL = pytest.mark.parametrize("name", [name for name in NAMES if name != "gradient_descent"])


@STATEFUL
@pytest.mark.parametrize("engine", ["plain", "numba"])
def test_state_copied_from_torch_goes_on_as_in_torch(name, engine):
    optimizer, other = ours(name, engine=engine), theirs(name)
    walk((optimizer, other), 1)
    walk((other,), 2)
    for w, twin in zip(weights_of(optimizer), weights_of(other), strict=True):
        w.data.copy_(twin)
        optimizer.state[w] = copy.deepcopy(other.state[twin])  # "step" is a tensor there
    walk((optimizer, other), 2)
    assert distance(optimizer, other) < CLOSE


def by_hand(n, **state):
    """Return Adam over n weights at 1 with the gradient 1 and a state of their own."""
    weights = [torch.nn.Parameter(torch.ones(2, dtype=torch.float64)) for _ in range(n)]
    optimizer = optim.Adam(weights, lr=0.1)
    for w in weights:
        w.grad = torch.ones_like(w)
        optimizer.state[w] = {name: make(w) for name, make in state.items()}
    return optimizer, weights


ZEROS = {"exp_avg": torch.zeros_like, "exp_avg_sq": torch.zeros_like}


@pytest.mark.parametrize("kind", [torch.tensor, np.array, int, float])
@pytest.mark.parametrize("shared", [False, True])
def test_each_weight_takes_one_step_and_a_tensor_stays_the_one_that_was_put_in(kind, shared):
    one = kind(0)
    optimizer, weights = by_hand(3, step=lambda w: one if shared else kind(0), **ZEROS)
    kept = [optimizer.state[w]["step"] for w in weights]
    optimizer.step()
    assert all((w - 0.9).abs().max() < 1e-8 for w in weights)  # eps moves it by 1e-9
    for w, clock in zip(weights, kept, strict=True):
        assert optimizer.state[w]["step"] == 1
        assert not torch.is_tensor(clock) or optimizer.state[w]["step"] is clock


def test_what_a_state_lacks_is_named_and_nothing_moves():
    optimizer, weights = by_hand(2, step=lambda w: 0, exp_avg=torch.zeros_like)
    with pytest.raises(ValueError, match=r"it has the buffers \['exp_avg'\], not"):
        optimizer.step()
    assert all((w == 1).all() for w in weights)


@pytest.mark.parametrize(
    "state", [{}, {"momentum_buffer": None}, {"step": 1, "momentum_buffer": None}]
)
def test_a_momentum_that_was_taken_away_begins_anew(state):
    w = torch.nn.Parameter(torch.zeros(2))
    optimizer = optim.Momentum([w], lr=1.0)
    w.grad = torch.ones(2)
    optimizer.step()
    optimizer.state[w] = dict(state)
    optimizer.step()
    assert w.tolist() == [-2.0, -2.0]


@every_class
def test_a_group_that_is_torchs_runs_as_ours(name):
    """Optimizers are put together from the groups of others, in fine-tuning scripts."""
    donor = theirs(name)
    keys = {k: x for k, x in donor.param_groups[0].items() if k not in ("params", "capturable")}
    optimizer = PAIRS[name][0]([{**keys, "params": [torch.nn.Parameter(torch.ones(2))]}])
    assert optimizer.param_groups[0]["lr"] == donor.param_groups[0]["lr"]


def test_a_state_that_was_cleared_is_saved_and_loaded_as_none():
    optimizer, weights = by_hand(2, step=lambda w: 5, **ZEROS)
    optimizer.state[weights[0]].clear()
    again = optim.Adam([torch.nn.Parameter(torch.ones(2)) for _ in weights])
    again.load_state_dict(optimizer.state_dict())
    assert [again.state.get(w, {}).get("step") for w in weights_of(again)] == [None, 5]


def test_a_cycle_that_ended_a_rounding_below_zero_can_be_loaded():
    """The linear end of PyTorch 2.13's OneCycleLR: a learning rate of about -1e-19."""
    (one, _), (other, _) = (by_hand(1, step=lambda w: 0, **ZEROS) for _ in range(2))
    cycle = torch.optim.lr_scheduler.OneCycleLR(one, 0.01, total_steps=8, anneal_strategy="linear")
    for _ in range(8):
        one.step()
        cycle.step()
    assert (rate := one.param_groups[0]["lr"]) < 0
    other.load_state_dict(one.state_dict())
    assert other.param_groups[0]["lr"] == rate

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


def nadam(n, **options):
    """NAdam over n weights at 1, and these."""
    weights = [torch.nn.Parameter(torch.ones(2, dtype=torch.float64)) for _ in range(n)]
    return optim.NAdam(weights, lr=0.1, **options), weights


def step_with(optimizer, *gradients):
    for w, g in zip(weights_of(optimizer), gradients, strict=True):
        w.grad = torch.full_like(w, g)
    optimizer.step()


@pytest.mark.parametrize("engine", ["plain", "numba"])
def test_weights_at_one_step_with_other_numbers_are_stepped_apart(engine):
    together, weights = nadam(3, engine=engine)
    step_with(together, 1, 1, 1)
    products = [0.5, 0.5, 0.25]
    for w, product in zip(weights, products, strict=True):
        together.state[w]["mu_product"] = product
    step_with(together, 2, 2, 2)
    for w, product in zip(weights, products, strict=True):
        alone, (twin,) = nadam(1, engine=engine)
        step_with(alone, 1)
        alone.state[twin]["mu_product"] = product
        step_with(alone, 2)
        assert torch.equal(w, twin)
        assert together.state[w]["mu_product"] == alone.state[twin]["mu_product"]
    assert not torch.equal(weights[1], weights[2])


def test_a_number_in_a_tensor_that_was_put_in_stays_in_it():
    optimizer, (w,) = nadam(1)
    other, (twin,) = nadam(1)
    step_with(optimizer, 1)
    step_with(other, 1)
    product = optimizer.state[w]["mu_product"] = torch.tensor(other.state[twin]["mu_product"])
    step_with(optimizer, 2)
    step_with(other, 2)
    assert optimizer.state[w]["mu_product"] is product
    assert product == pytest.approx(other.state[twin]["mu_product"], rel=1e-7)  # it is in float32
    other.load_state_dict(optimizer.state_dict())
    assert type(other.state[twin]["mu_product"]) is float


def test_a_number_of_another_shape_is_named():
    optimizer, _ = nadam(1)
    step_with(optimizer, 1)
    given = optimizer.state_dict()
    given["state"][0]["mu_product"] = torch.ones(2)
    with pytest.raises(ValueError, match=r"loaded state dict has mu_product of shape \(2,\)"):
        optimizer.load_state_dict(given)


def test_gradients_flow_through_the_number_of_a_step():
    def run(beta1):
        w = torch.zeros(2, dtype=torch.float64)
        optimizer = optim.NAdam([w], betas=(beta1, 0.9), differentiable=True)
        for g in (1.0, -0.5, 2.0):
            w.grad = torch.tensor([g, 1.0], dtype=torch.float64)
            optimizer.step()
        return w

    beta1 = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(run, beta1)


def test_lion_goes_on_from_a_state_without_a_clock():
    """That of lion-pytorch has the mean of the gradients alone."""
    w, twin = (torch.nn.Parameter(torch.ones(2)) for _ in "ab")
    one, other = optim.Lion([w]), optim.Lion([twin])
    step_with(one, 1)
    given = copy.deepcopy(one.state_dict())
    del given["state"][0]["step"]
    twin.data.copy_(w)
    other.load_state_dict(given)
    step_with(one, -0.01)
    step_with(other, -0.01)
    assert torch.equal(w, twin)
    assert torch.equal(one.state[w]["exp_avg"], other.state[twin]["exp_avg"])

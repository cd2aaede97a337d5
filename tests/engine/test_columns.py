"""Tensors that move between two steps: each way is noticed, with few of them and with many."""

import copy
import weakref

import pytest
import torch
from oracle import weights_of

from adamlib import optim
from adamlib.engine import columns


def pair(n, size=6):
    """Return our Adam and PyTorch's over the same n weights (size,), the first after a step."""
    start = [torch.linspace(-1, 1, size) + k for k in range(n)]
    ours, theirs = (
        make([torch.nn.Parameter(x.clone()) for x in start], lr=0.01)
        for make in (lambda w, lr: optim.Adam(w, lr, engine="numba"), torch.optim.Adam)
    )
    for t in range(3):  # by then nothing is looked at for the first time
        give(ours, t), give(theirs, t)
        both(ours, theirs)
    return ours, theirs


def give(optimizer, seed):
    """Give each weight a new gradient."""
    generator = torch.Generator().manual_seed(seed)
    for w in weights_of(optimizer):
        g = torch.randn(w.numel(), generator=generator).to(w.dtype)
        w.grad = torch.empty_strided(w.shape, w.stride(), dtype=w.dtype).copy_(g.view(w.shape))


def both(ours, theirs):
    ours.step()
    theirs.step()


def agree(ours, theirs):
    pairs = zip(weights_of(ours), weights_of(theirs), strict=True)
    return all(torch.allclose(a, b, atol=1e-6) for a, b in pairs)  # float32, steps of 0.01


def data_of_a_weight(optimizer):
    for w in weights_of(optimizer):
        w.data = w.data.clone()


def set_of_a_weight(optimizer):
    for w in weights_of(optimizer):
        with torch.no_grad():
            w.set_(w.detach().clone())


def data_of_a_buffer(optimizer):
    for state in optimizer.state.values():
        state["exp_avg_sq"].data = state["exp_avg_sq"].data.clone()


def another_buffer(optimizer):
    for state in optimizer.state.values():
        state["exp_avg"] = state["exp_avg"].clone()


def a_buffer_with_gaps(optimizer):
    for state in optimizer.state.values():
        wide = torch.zeros(2 * len(state["exp_avg"]))
        wide[::2] = state["exp_avg"]
        state["exp_avg"] = wide[::2]


def another_state(optimizer):
    for w in weights_of(optimizer):
        optimizer.state[w] = copy.deepcopy(optimizer.state[w])


def states_of_two_swapped(optimizer):
    a, b, *_ = weights_of(optimizer)
    optimizer.state[a], optimizer.state[b] = optimizer.state[b], optimizer.state[a]


def state_given_to_another(optimizer):
    """The values stay as they are, in their order; only the last key is another."""
    *_, last = weights_of(optimizer)
    optimizer.state[torch.nn.Parameter(torch.ones(6))] = optimizer.state.pop(last)


def no_state(optimizer):
    optimizer.state.clear()


def state_loaded(optimizer):
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))


def lost_gradient(optimizer):
    weights_of(optimizer)[1].grad = None


def another_gradient(optimizer):
    optimizer.zero_grad(set_to_none=True)
    give(optimizer, 7)


def data_of_a_gradient(optimizer):
    for w in weights_of(optimizer):
        w.grad.data = -w.grad.data.clone()


def gradients_with_gaps(optimizer):
    for w in weights_of(optimizer):
        wide = torch.zeros(2 * w.numel())
        wide[::2] = w.grad
        w.grad = wide[::2]


def gradient_of_one_number(optimizer):
    for w in weights_of(optimizer):
        w.grad = torch.ones(1).expand_as(w)


def another_order(optimizer):
    optimizer.param_groups[0]["params"].reverse()


def one_weight_less(optimizer):
    optimizer.param_groups[0]["params"].pop()


WAYS = [
    data_of_a_weight, set_of_a_weight, data_of_a_buffer, another_buffer, a_buffer_with_gaps,
    another_state, states_of_two_swapped, state_given_to_another, no_state, state_loaded,
    lost_gradient, another_gradient, data_of_a_gradient, gradients_with_gaps,
    gradient_of_one_number, another_order, one_weight_less,
]  # fmt: skip


@pytest.mark.parametrize("n", [3, 2 * columns.MANY])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_moves_is_noticed(way, n):
    ours, theirs = pair(n)
    give(ours, 5), give(theirs, 5)
    way(ours), way(theirs)
    both(ours, theirs)
    assert agree(ours, theirs)
    give(ours, 6), give(theirs, 6)
    both(ours, theirs)
    assert agree(ours, theirs)


@pytest.mark.parametrize("n", [3, 2 * columns.MANY])
def test_gradients_of_another_layout_at_the_same_address_are_noticed(n):
    """The very memory of the gradients before, seen transposed or through a longer stride."""
    ours, theirs = pair(n, 16)
    for optimizer in (ours, theirs):
        for w in weights_of(optimizer):
            w.data = w.data.view(4, 4)
            for key in ("exp_avg", "exp_avg_sq"):
                optimizer.state[w][key] = optimizer.state[w][key].view(4, 4)
        give(optimizer, 8)
    both(ours, theirs)
    memory = [[w.grad for w in weights_of(optimizer)] for optimizer in (ours, theirs)]
    for optimizer, grads in zip((ours, theirs), memory, strict=True):
        for w, g in zip(weights_of(optimizer), grads, strict=True):
            w.grad = g.T
    both(ours, theirs)
    assert agree(ours, theirs)


@pytest.mark.parametrize("n", [3, 2 * columns.MANY])
def test_another_dtype_is_noticed(n):
    ours, theirs = pair(n)
    for optimizer in (ours, theirs):
        for w in weights_of(optimizer):
            w.data = w.data.double()
            for key in ("exp_avg", "exp_avg_sq"):
                optimizer.state[w][key] = optimizer.state[w][key].double()
        give(optimizer, 9)
    both(ours, theirs)
    assert agree(ours, theirs) and weights_of(ours)[0].dtype == torch.float64


@pytest.mark.parametrize("n", [3, 2 * columns.MANY])
def test_a_step_that_was_refused_forgets_no_move(n):
    """The weights have moved when a sparse gradient stops the step: the next one must know."""
    ours, theirs = pair(n)
    data_of_a_weight(ours), data_of_a_weight(theirs)
    weights_of(ours)[-1].grad = torch.ones(6).to_sparse()
    with pytest.raises(RuntimeError, match="sparse"):
        ours.step()
    give(ours, 5), give(theirs, 5)
    both(ours, theirs)
    assert agree(ours, theirs)


def test_no_gradient_is_held_after_a_step():
    ours, _ = pair(2 * columns.MANY)
    held = [weakref.ref(w.grad) for w in weights_of(ours)]
    ours.zero_grad()
    assert not any(reference() is not None for reference in held)


def test_without_pytorchs_own_functions_all_is_as_it_was(monkeypatch):
    monkeypatch.setattr(columns, "loops", lambda: None)
    test_what_moves_is_noticed(data_of_a_buffer, 2 * columns.MANY)
    test_what_moves_is_noticed(gradients_with_gaps, 2 * columns.MANY)


def test_here_many_tensors_are_looked_at_by_a_compiled_loop(monkeypatch):
    ours, _ = pair(2 * columns.MANY)
    monkeypatch.setattr(torch.Tensor, "data_ptr", None)
    give(ours, 5)
    ours.step()

"""The contract of torch.optim."""

import copy
import pickle

import pytest
import torch

from adamlib import optim

ALL = [
    optim.GradientDescent,
    optim.Momentum,
    optim.Nesterov,
    optim.AdaGrad,
    optim.RMSProp,
    optim.Adam,
    optim.AdamW,
    optim.AMSGrad,
    optim.AdaMax,
]


def steps(optimizer, w, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(n):
        w.grad = torch.randn(w.shape, generator=generator)
        optimizer.step()


def start():
    return torch.nn.Parameter(torch.linspace(-1, 1, 12).reshape(3, 4))


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize(
    "move", [lambda d: d, copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))]
)
def test_a_restored_optimizer_goes_on_to_the_same_bits(cls, move):
    w = start()
    optimizer = cls([w])
    steps(optimizer, w, 5)
    other = torch.nn.Parameter(w.detach().clone())
    restored = cls([other])
    restored.load_state_dict(move(optimizer.state_dict()))
    steps(optimizer, w, 5, seed=1)
    steps(restored, other, 5, seed=1)
    assert torch.equal(w, other)


@pytest.mark.parametrize("cls", ALL)
def test_a_deep_copy_steps_its_own_weights(cls):
    w = start()
    optimizer = cls([w])
    steps(optimizer, w, 3)
    twin, twin_optimizer = copy.deepcopy((w, optimizer))
    before = w.detach().clone()
    steps(twin_optimizer, twin, 1)
    assert torch.equal(w, before) and not torch.equal(twin, before)


@pytest.mark.parametrize("cls", ALL)
def test_a_scheduler_sets_the_learning_rate(cls):
    w = start()
    optimizer = cls([w], lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.0)
    steps(optimizer, w, 1)
    scheduler.step()
    before = w.detach().clone()
    steps(optimizer, w, 1)
    assert torch.equal(w, before)


def test_groups_have_their_own_hyperparameters():
    a, b = start(), start()
    optimizer = optim.Adam([{"params": [a]}, {"params": [b], "lr": 0.0}])
    for w in (a, b):
        w.grad = torch.ones_like(w)
    optimizer.step()
    assert not torch.equal(a, start()) and torch.equal(b, start())


def test_a_weight_without_gradient_stays_and_its_clock_stands():
    a, b = start(), start()
    optimizer = optim.Adam([a, b])
    steps(optimizer, a, 3)
    assert torch.equal(b, start()) and b not in optimizer.state
    assert optimizer.state[a]["step"] == 3


def test_a_closure_runs_with_gradients_and_its_loss_comes_back():
    w = start()
    optimizer = optim.Adam([w])

    def closure():
        optimizer.zero_grad()
        loss = (w**2).sum()
        loss.backward()
        return loss

    expected = (start().detach() ** 2).sum()
    assert torch.equal(optimizer.step(closure).detach(), expected)
    assert not torch.equal(w, start())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_buffers_have_the_dtype_of_the_weight(dtype):
    w = torch.nn.Parameter(torch.ones(3, dtype=dtype))
    optimizer = optim.Adam([w])
    w.grad = torch.ones_like(w)
    optimizer.step()
    assert w.dtype == optimizer.state[w]["exp_avg"].dtype == dtype


@pytest.mark.parametrize(
    ("hyper", "error"),
    [
        ({"lr": -1}, ValueError),
        ({"lr": float("nan")}, ValueError),
        ({"lr": float("inf")}, ValueError),
        ({"lr": "0.1"}, TypeError),
        ({"lr": True}, TypeError),
        ({"eps": -1e-8}, ValueError),
        ({"weight_decay": -1}, ValueError),
        ({"betas": 0.9}, ValueError),
        ({"betas": (0.9,)}, ValueError),
        ({"betas": (0.9, 1.0)}, ValueError),
        ({"betas": (-0.1, 0.9)}, ValueError),
        ({"maximize": 1}, TypeError),
    ],
)
def test_a_bad_hyperparameter_is_named(hyper, error):
    name, value = next(iter(hyper.items()))
    for make in (
        lambda: optim.Adam([start()], **hyper),
        lambda: optim.Adam([{"params": [start()], **hyper}]),
    ):
        with pytest.raises(error, match=name) as caught:
            make()
        assert str(value) in str(caught.value) or name == "betas"


def test_momentum_must_be_below_one():
    with pytest.raises(ValueError, match=r"momentum must be in \[0, 1\), got 1"):
        optim.Momentum([start()], momentum=1)


def test_an_unknown_hyperparameter_of_a_group_is_named():
    with pytest.raises(TypeError, match="'rl'"):
        optim.Adam([{"params": [start()], "rl": 0.1}])


def test_an_integer_weight_is_refused():
    with pytest.raises(TypeError, match="floating point"):
        optim.Adam([torch.ones(3, dtype=torch.int64)])


def test_a_sparse_gradient_is_refused_before_anything_changes():
    a, b = start(), torch.nn.Embedding(5, 2, sparse=True)
    optimizer = optim.Adam([a, b.weight])
    a.grad = torch.ones_like(a)
    b(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="sparse"):
        optimizer.step()
    assert torch.equal(a, start())

"""A stack of networks: what it must share with each network alone, and with PyTorch's autograd."""

from itertools import pairwise

import pytest
import torch
from torch.nn.functional import relu

from adamlib import data, rules
from adamlib.engine import backward, compiler, stacked
from adamlib.model import MLPStack
from adamlib.stack import SLICE, stack_loss, train_stack

DIGITS = data.load(device="cpu")
FEW = DIGITS._replace(x_train=DIGITS.x_train[:200], y_train=DIGITS.y_train[:200])
CLOSE = dict(rtol=1e-4, atol=1e-5)  # float32, whose sums the products take in different orders
K = 2 * SLICE + 3


def by_autograd(rule, model, epochs, batch_size, **hyper):
    """What `train_stack` is to return, as short as PyTorch can say it."""
    order, weights = torch.Generator().manual_seed(0), list(model.parameters())
    states, t = [()] * len(weights), 0
    for _ in range(epochs):
        for x, y in data.batches(FEW.x_train.flatten(1), FEW.y_train, batch_size, order):
            t += 1
            found = torch.autograd.grad(stack_loss(model(x), y).sum(), weights)
            for i, (w, g) in enumerate(zip(weights, found, strict=True)):
                w.data, *states[i] = rule(w.data, g, t, *states[i], **hyper)
    return stack_loss(model(FEW.x_train.flatten(1)), FEW.y_train).detach()


def each(values):
    return torch.tensor(values)[:, None, None]


def scheduled(w, g, t, m=0, v=0, *, lr):
    return rules.adam(w, g, t, m, v, lr=lr / t**0.5)  # cannot be compiled: it calls a function


def remembering(w, g, t, before=0, *, lr):
    if t > 1:  # cannot be compiled: it branches
        w = w - lr * (2 * g - before)
    return w, g


EAGER = [scheduled, remembering]


class Doubled(MLPStack):
    """A model whose logits are not those of an `MLPStack`."""

    def forward(self, x):
        return 2 * super().forward(x)


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("model", [MLPStack, Doubled])
@pytest.mark.parametrize(
    "rule",
    [
        rules.gradient_descent,
        rules.nesterov,
        rules.adam,
        rules.amsgrad,
        rules.nadam,
        scheduled,
        remembering,
    ],
)
def test_the_losses_are_those_of_autograd_and_the_eager_rule(rule, model):
    lr = each([1e-3, 1e-2, 0.03])
    loss = train_stack(rule, model([0, 1, 2], width=16), FEW, 3, 64, lr=lr)  # a batch of 8 at last
    torch.testing.assert_close(loss, by_autograd(rule, model([0, 1, 2], 16), 3, 64, lr=lr), **CLOSE)


def test_a_hyperparameter_may_be_one_of_several_and_differ_between_networks():
    betas = [(0.9, 0.99), (0.5, 0.9), (0.0, 0.999)]
    both = tuple(each([pair[i] for pair in betas]) for i in range(2))
    together = train_stack(rules.adam, MLPStack([5] * 3), FEW, 2, betas=both)
    for k, pair in enumerate(betas):
        alone = train_stack(rules.adam, MLPStack([5]), FEW, 2, betas=pair)
        torch.testing.assert_close(together[k : k + 1], alone, **CLOSE)


def test_a_network_trains_as_if_it_were_alone_also_beside_one_that_diverges():
    lr = torch.full((K, 1, 1), 1e-2)
    lr[1::2] = 1e30
    stack = MLPStack(range(K), width=8)
    together = train_stack(rules.adam, stack, FEW, 3, lr=lr)
    assert together[1::2].isnan().all() and together[::2].isfinite().all()
    for k in (0, SLICE, K - 1):
        alone = MLPStack([k], width=8)
        loss = train_stack(rules.adam, alone, FEW, 3, lr=1e-2)
        torch.testing.assert_close(together[k : k + 1], loss, **CLOSE)
        torch.testing.assert_close(stack.out[0][k], alone.out[0][0], **CLOSE)


def test_after_each_epoch_one_sees_the_weights_as_they_are_then():
    seen = {}

    def after(epoch, model):
        with torch.no_grad():
            seen[epoch] = stack_loss(model(FEW.x_train.flatten(1)), FEW.y_train)

    stack = MLPStack([0, 1], width=8)
    last = train_stack(rules.adam, stack, FEW, 3, after=after)
    assert list(seen) == [1, 2, 3] and (seen[1] > seen[2]).all() and (seen[2] > seen[3]).all()
    torch.testing.assert_close(seen[3], last, **CLOSE)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_number_of_threads_changes_nothing_and_is_left_as_it_was(threads, count):
    threads(1)
    alone = train_stack(rules.adam, MLPStack(range(K), width=8), FEW, 1)
    threads(count)
    shared = train_stack(rules.adam, MLPStack(range(K), width=8), FEW, 1)
    torch.testing.assert_close(shared, alone, **CLOSE)
    with pytest.raises(ZeroDivisionError):
        train_stack(rules.adam, MLPStack(range(K), width=8), FEW, 1, betas=(1.0, 0.9))
    assert torch.get_num_threads() == count


def test_without_numba_the_losses_are_the_same(monkeypatch):
    lr = each([1e-3, 1e-2])
    compiled = train_stack(rules.adam, MLPStack([0, 1]), FEW, 2, lr=lr)
    monkeypatch.setattr(compiler, "installed", lambda package: False)
    caches = compiler.can_compile, stacked.entry
    for cache in caches:
        cache.cache_clear()
    try:
        plain = train_stack(rules.adam, MLPStack([0, 1]), FEW, 2, lr=lr)
    finally:
        for cache in caches:
            cache.cache_clear()
    torch.testing.assert_close(compiled, plain, **CLOSE)


@pytest.mark.parametrize("sizes", [(64, 10), (64, 8, 10), (64, 8, 12, 10)], ids=str)
def test_the_gradients_are_autograds_at_every_depth(sizes):
    shapes = [(3, n, m) for m, n in pairwise(sizes)]
    draw = torch.Generator().manual_seed(0)
    layers = [
        (torch.randn(shape, generator=draw), torch.randn((*shape[:2], 1), generator=draw))
        for shape in shapes
    ]
    x, y = FEW.x_train[:50].flatten(1).T, FEW.y_train[:50]
    found = backward.gradients(
        layers, x.contiguous(), torch.nn.functional.one_hot(y, 10).T / -50, {}
    )

    weights, h = [w.requires_grad_() for layer in layers for w in layer], x
    for w, b in layers[:-1]:
        h = relu(w @ h + b)
    loss = stack_loss((layers[-1][0] @ h + layers[-1][1]).mT, y).sum()
    expected = torch.autograd.grad(loss, weights)
    for got, right in zip(found, expected, strict=True):
        torch.testing.assert_close(got, right, **CLOSE)


def test_a_compiled_pass_is_what_pytorch_does_and_a_nan_stays():
    h, d = torch.randn(2, 3, 67), torch.randn(2, 3, 67)  # 67: no whole number of vectors
    h[0, 0, :3] = torch.tensor([float("nan"), float("inf"), -float("inf")])
    bias = torch.randn(2, 3, 1)
    active, masked, sums = h.clone(), d.clone(), torch.empty(2, 3, 1)
    stacked.relu_(active, bias)
    torch.testing.assert_close(active, relu(h + bias), rtol=0, atol=0, equal_nan=True)
    stacked.mask_(masked, active, sums)
    assert torch.equal(masked, torch.ops.aten.threshold_backward(d, active, 0))
    torch.testing.assert_close(sums, masked.sum(2, keepdim=True), rtol=1e-5, atol=1e-5)  # its order


def test_adam_and_the_passes_run_compiled_where_numba_is():
    weights = [w.detach() for w in MLPStack([0, 1]).parameters()]
    step = stacked.stepper(rules.adam, weights, {"lr": each([0.1, 0.2])})
    assert "compiled" in step.__qualname__ and stacked.entry("mask", stacked.MASK)
    for hyper in ({"lr": torch.ones(2, 64, 1)}, {"lr": torch.ones(3, 1, 1)}):
        assert "plain" in stacked.stepper(rules.adam, weights, hyper).__qualname__


def test_the_initial_weights_are_drawn_from_each_networks_seed():
    stack = MLPStack([7, 3], width=5)
    for k, seed in enumerate([7, 3]):
        draw = torch.Generator().manual_seed(seed)
        drawn = torch.empty(65, 5).uniform_(-(64**-0.5), 64**-0.5, generator=draw)
        assert torch.equal(stack.hidden[0][k], drawn[:-1].T)
        assert torch.equal(stack.hidden[1][k, :, 0], drawn[-1])
        draw.manual_seed(1_000_000 + seed)
        drawn = torch.empty(6, 10).uniform_(-(5**-0.5), 5**-0.5, generator=draw)
        assert torch.equal(stack.out[0][k], drawn[:-1].T)


@pytest.mark.parametrize(
    "size, rule, sizes",
    [(K, rules.adam, [32, 33, 33, 33]), (5, rules.adam, [2, 3]), (K, scheduled, [K])],
)
def test_a_stack_is_cut_for_the_threads_but_not_for_a_rule_that_may_look_at_all_of_it(
    threads, monkeypatch, size, rule, sizes
):
    threads(2)
    seen, gradients = [], backward.gradients

    def noted(layers, *others):
        seen.append(len(layers[0][0]))
        return gradients(layers, *others)

    monkeypatch.setattr(backward, "gradients", noted)
    train_stack(rule, MLPStack(range(size), width=2), FEW, 1, 200, lr=0.01)
    assert sorted(seen) == sizes


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_losses_on_a_gpu_are_those_on_the_cpu():
    lr = each([1e-3, 1e-2])
    here = train_stack(rules.adam, MLPStack([0, 1]), FEW, 3, lr=lr)
    there = train_stack(rules.adam, MLPStack([0, 1]).cuda(), FEW.to("cuda"), 3, lr=lr.cuda())
    torch.testing.assert_close(here, there.cpu(), rtol=1e-3, atol=1e-4)  # other products

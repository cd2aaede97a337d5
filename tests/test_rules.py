"""The rules against torch, against closed forms, and on every kind of array."""

import ast
import copy
import inspect

import numpy as np
import pytest
import torch
from oracle import NAMES, PAIRS

from adamlib import rules


def parameters(function):
    """The names of a function's arguments."""
    return inspect.signature(function).parameters


ALL = [name for name, x in inspect.getmembers(rules, inspect.isfunction) if "t" in parameters(x)]
RELATIVE = 1e-12  # float64 has 1e-16; a thousand steps of rounding in another order


def gradients(steps=1000):
    """A fixed sequence (steps, 5) whose scale differs by coordinate and drifts over time."""
    rng = np.random.default_rng(0)
    drift = np.exp(np.sin(np.arange(steps) / 50))[:, None]
    return rng.standard_normal((steps, 5)) * np.array([1e-4, 1e-2, 1, 1e2, 1e4]) * drift + 1e-3


def walk(rule, start, sequence, **hyper):
    """The path of a rule over a given sequence of gradients."""
    w, state, path = start, (), []
    for t, g in enumerate(sequence, start=1):
        w, *state = rule(w, g, t, *state, **hyper)
        path.append(w)
    return path


def torch_walk(make, start, sequence):
    w = torch.nn.Parameter(torch.tensor(start))
    optimizer, path = make([w]), []
    for g in sequence:
        w.grad = torch.tensor(g)
        optimizer.step()
        path.append(w.detach().numpy().copy())
    return np.stack(path)


def distance(path, other):
    """The largest difference of two paths, relative to the extent of the path, by coordinate."""
    return (np.abs(path - other).max(axis=0) / np.abs(other).max(axis=0)).max()


@pytest.mark.parametrize("name", NAMES)
def test_rule_agrees_with_torch_over_1000_steps(name):
    _, theirs, hyper, extra = PAIRS[name]
    start, sequence = np.ones(5), gradients()
    path = np.stack(walk(getattr(rules, name), start, sequence, **hyper))
    oracle = torch_walk(lambda w: theirs(w, **hyper, **extra), start, sequence)
    assert distance(path, oracle) < RELATIVE


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.01}, {"maximize": True}])
def test_optimizer_agrees_with_torch_over_200_steps(name, options):
    ours, theirs, hyper, extra = PAIRS[name]
    start, sequence = np.ones(5), gradients(200)
    path = torch_walk(lambda w: ours(w, **{**hyper, **options}), start, sequence)
    oracle = torch_walk(lambda w: theirs(w, **{**hyper, **extra, **options}), start, sequence)
    assert distance(path, oracle) < RELATIVE


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_torchs(name):
    theirs = PAIRS[name][1]
    default = theirs([torch.zeros(1)]).defaults
    for hyper, value in inspect.signature(getattr(rules, name)).parameters.items():
        if (
            value.kind is value.KEYWORD_ONLY and hyper != "momentum"
        ):  # torch's SGD has 0, no momentum
            assert value.default == default[hyper]


@pytest.mark.parametrize("name", NAMES)
def test_one_text_runs_on_floats_arrays_and_tensors(name):
    rule, sequence = getattr(rules, name), gradients(50)
    arrays = np.stack(walk(rule, np.ones(5), sequence))
    floats = [walk(rule, 1.0, [float(g) for g in column])[-1] for column in sequence.T]
    tensors = walk(rule, torch.ones(5, dtype=torch.float64), [torch.tensor(g) for g in sequence])
    # the three libraries round a power or a root differently in the last place
    np.testing.assert_allclose(arrays[-1], floats, rtol=1e-13)
    np.testing.assert_allclose(arrays[-1], tensors[-1].numpy(), rtol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_a_stack_of_models_is_each_model_alone(name):
    rule, hyper = getattr(rules, name), PAIRS[name][2]
    rng = np.random.default_rng(1)
    sequence = rng.standard_normal((20, 3, 4, 2))  # 3 models with weights (4, 2)
    scales = np.array([0.5, 1.0, 2.0]).reshape(3, 1, 1)
    together = walk(rule, np.zeros((3, 4, 2)), sequence, **{**hyper, "lr": hyper["lr"] * scales})
    for k in range(3):
        lr = hyper["lr"] * scales[k].item()
        alone = walk(rule, np.zeros((4, 2)), sequence[:, k], **{**hyper, "lr": lr})
        np.testing.assert_allclose(together[-1][k], alone[-1], rtol=1e-14)  # one rounding of lr


def test_adam_takes_a_stack_of_betas():
    sequence = np.random.default_rng(2).standard_normal((20, 2, 3, 3))
    beta2 = np.array([0.9, 0.999]).reshape(2, 1, 1)
    together = walk(rules.adam, np.zeros((2, 3, 3)), sequence, betas=(0.9, beta2))
    for k in range(2):
        betas = (0.9, beta2[k].item())
        alone = walk(rules.adam, np.zeros((3, 3)), sequence[:, k], betas=betas)
        np.testing.assert_allclose(together[-1][k], alone[-1], rtol=1e-12)  # beta**t, two roundings


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_changes_nothing_in_place(name):
    rule = getattr(rules, name)
    w, g = np.ones(3), np.ones(3)
    _, *state = rule(w, g, 1)
    before = copy.deepcopy(state)
    rule(w, g, 2, *state)
    assert (w == 1).all() and (g == 1).all()
    assert all(np.all(s == b) for s, b in zip(state, before, strict=True))


def test_rules_import_nothing_and_use_only_operators_and_abs():
    """Rules of matrices also sum and average, and are handed their eigenvectors."""
    nodes = list(ast.walk(ast.parse(inspect.getsource(rules))))
    assert not [n for n in nodes if isinstance(n, ast.Import | ast.ImportFrom)]
    calls = [n.func for n in nodes if isinstance(n, ast.Call)]
    names = {call.id for call in calls if isinstance(call, ast.Name)}
    methods = {call.attr for call in calls if isinstance(call, ast.Attribute)}
    own = {"orthogonal", "larger", "smaller", "mean_square"}
    assert names == {"abs", "max", "range", "eigh", *own} and methods == {"mean", "sum"}


def test_every_rule_fits_in_fifteen_lines():
    for name in ALL:
        function = ast.parse(inspect.getsource(getattr(rules, name))).body[0]
        code = [n for n in function.body if not isinstance(n, ast.Expr)]
        assert len(code) <= 15


def test_adams_first_step_has_length_lr_whatever_the_gradient():
    for g in (1e-4, 1.0, -1e6):
        w, *_ = rules.adam(0.0, g, 1, lr=0.01, eps=0)
        assert w == pytest.approx(-0.01 * np.sign(g), rel=1e-12)  # a few roundings


def test_adam_does_not_see_the_scale_of_the_gradient():
    sequence = gradients(200)
    path = walk(rules.adam, np.zeros(5), sequence, eps=0)
    scaled = walk(rules.adam, np.zeros(5), sequence * 1024, eps=0)  # a power of two: exact
    np.testing.assert_array_equal(path, scaled)


def test_adams_averages_of_a_constant_are_the_constant():
    state = ()
    for t in range(1, 50):
        w, *state = rules.adam(0.0, 3.0, t, *state, betas=(0.9, 0.99), eps=0, lr=1.0)
        assert w == pytest.approx(-1.0, rel=1e-10)  # 1 - β**t cancels digits when t is small
    m, v = state
    assert m == pytest.approx(3 * (1 - 0.9**49), rel=1e-12)  # the closed form, in other roundings
    assert v == pytest.approx(9 * (1 - 0.99**49), rel=1e-12)


def test_adams_epsilon_stands_outside_the_root():
    w, *_ = rules.adam(0.0, 1.0, 1, lr=1.0, eps=1.0)
    assert w == pytest.approx(-1 / 2, rel=1e-12)  # inside it would be 1/√2


def test_momentum_is_a_sum_not_an_average():
    state = ()
    for t in range(1, 200):
        _, *state = rules.momentum(0.0, 1.0, t, *state)
    assert state[0] == pytest.approx(10, rel=1e-8)  # 0.9**200 is still missing


def test_adagrad_never_forgets_and_rmsprop_does():
    sequence = [100.0] + [0.0] * 2000
    s = v = 0
    for t, g in enumerate(sequence, start=1):
        _, s = rules.adagrad(0.0, g, t, s)
        _, v = rules.rmsprop(0.0, g, t, v)
    assert s == 1e4
    assert v < 1e-5

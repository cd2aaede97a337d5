"""Mistakes: each is named, with the value and what is allowed, before anything has changed."""

import copy
import math
from collections import UserList
from fractions import Fraction

import numpy as np
import pytest
import torch
from oracle import (
    BFLOAT16,
    PAIRS,
    every_class,
    every_engine,
    ours,
    ramp,
    same_bits,
    walk,
    weights_of,
)

from adamlib import optim

MODEL = torch.nn.Linear(2, 2)
LEAF = MODEL.weight


def parameter():
    return torch.nn.Parameter(ramp(3))


def attempts(cls, **hyper):
    """The ways to give an optimizer hyperparameters, each a function to call."""
    optimizer = cls([parameter()])
    yield lambda: cls([parameter()], **hyper)
    yield lambda: cls([{"params": [parameter()], **hyper}])
    yield lambda: optimizer.add_param_group({"params": [parameter()], **hyper})
    assert len(optimizer.param_groups) == 1


def mistakes(cls):
    """Wrong hyperparameters (name, value, error) of the class `cls`."""
    for key in cls.hyper:
        if key == "betas":
            for value in (0.9, (0.9,), (0.9, 0.9, 0.9), (0.9, 1.0), (-0.1, 0.9), (0.9, math.nan)):
                yield key, value, ValueError
            yield key, (0.9, "0.9"), TypeError
        elif key in ("maximize", "differentiable", "train_mode"):
            yield key, 1, TypeError
        else:
            below_one = [1.0] if key in ("momentum", "alpha") else []
            for value in (-1e-9, math.nan, math.inf, torch.tensor(-1.0), torch.ones(2), *below_one):
                yield key, value, ValueError
            for value in ("0.1", True, None, 1j):
                yield key, value, TypeError


class Pair(UserList):
    """A sequence that is no tuple and no list, as a configuration file gives."""


@every_class
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.array, Fraction], ids=str)
def test_a_number_of_any_kind_is_kept_as_pythons(name, kind):
    optimizer = PAIRS[name][0]([parameter()], lr=kind(0.5))
    optimizer.add_param_group({"params": [parameter()], "lr": kind(0.5)})
    for group in optimizer.param_groups:
        assert (type(group["lr"]), group["lr"]) == (float, 0.5)


@pytest.mark.parametrize("kind", [list, Pair, np.array, torch.tensor])
def test_betas_may_be_any_sequence_of_two_numbers_also_when_set_later(kind):
    given, later = kind([0.5, 0.75]), optim.Adam([parameter()])
    later.param_groups[0]["betas"] = given
    optimizers = [optim.Adam([parameter()], betas=betas) for betas in ((0.5, 0.75), given)]
    for optimizer in (*optimizers, later):
        walk((optimizer,), 3)
    assert all(same_bits(optimizers[0], other) for other in (optimizers[1], later))


@every_class
def test_a_group_keeps_a_key_of_the_users_own(name):
    own = {"lr_scale": 0.5, "layer_id": 3, "rho": 0.05, "group_name": "head", "is_bias": True}
    optimizer = PAIRS[name][0]([{"params": [parameter()], **own}])
    walk((optimizer,), 1)
    again = PAIRS[name][0]([parameter()])
    again.load_state_dict(optimizer.state_dict())
    assert own.items() <= optimizer.param_groups[0].items()
    assert own.items() <= again.param_groups[0].items()


@pytest.mark.parametrize(
    ("cls", "option", "where"),
    [
        (optim.Adam, {"amsgrad": True}, r"adamlib\.optim\.AMSGrad"),
        (optim.Adam, {"decoupled_weight_decay": True}, r"adamlib\.optim\.AdamW"),
        (optim.GradientDescent, {"momentum": 0.9}, r"adamlib\.optim\.Momentum"),
        (optim.Momentum, {"nesterov": True}, r"adamlib\.optim\.Nesterov"),
        (optim.Momentum, {"dampening": 0.5}, "only torch.optim"),
        (optim.RMSProp, {"momentum": 0.9}, "only torch.optim"),
        (optim.RMSProp, {"centered": True}, "only torch.optim"),
        (optim.AdaGrad, {"lr_decay": 0.1}, "only torch.optim"),
        (optim.NAdam, {"decoupled_weight_decay": True}, "only torch.optim"),
        (optim.RAdam, {"decoupled_weight_decay": True}, "only torch.optim"),
        (optim.AdamW, {"amsgrad": True}, "only torch.optim"),
        (optim.AdaGrad, {"initial_accumulator_value": 0.1}, "only torch.optim"),
    ],
)
def test_a_variant_is_told_where_it_is(cls, option, where):
    with pytest.raises(ValueError, match=where):
        cls([parameter()], **option)


@every_class
def test_a_wrong_hyperparameter_is_named_with_its_value_and_the_range(name):
    cls = PAIRS[name][0]
    for key, value, error in mistakes(cls):
        for attempt in attempts(cls, **{key: value}):
            with pytest.raises(error, match=rf"{key}.* must be .*got") as caught:
                attempt()
            assert repr(value) in str(caught.value) or isinstance(value, tuple | torch.Tensor)


@every_class
@pytest.mark.parametrize("key", ["rl", "weigth_decay", "amsgard", "momentun", "learning_rate"])
def test_a_misspelt_keyword_or_group_key_is_named(name, key):
    for attempt in attempts(PAIRS[name][0], **{key: 0.1}):
        with pytest.raises(TypeError, match=f"'{key}'"):
            attempt()


@every_class
def test_a_switch_of_torch_is_taken_where_it_asks_for_this_rule_and_named_where_not(name):
    cls, other = PAIRS[name][:2]
    for key, value in cls.implies.items():
        assert key in other([parameter()]).defaults
        for attempt in attempts(cls, **{key: 1 - value}):
            with pytest.raises(
                ValueError, match=f"{key} must be {value!r} for {cls.__name__}, got"
            ):
                attempt()
        assert key not in cls([{"params": parameter(), key: value}], **{key: value}).defaults
    for value in (None, True, False):
        cls([parameter()], foreach=value, fused=value)
    for attempt in attempts(cls, capturable=True):
        with pytest.raises(ValueError, match="capturable must be False"):
            attempt()


def load_from(make, other):
    """A function that loads what one optimizer saves into another."""
    return lambda cls: cls(make).load_state_dict(cls(other).state_dict())


TORCHS_WORDS = {
    "a bare tensor": (TypeError, lambda cls: cls(LEAF)),
    "nothing": (ValueError, lambda cls: cls([])),
    "a used generator": (ValueError, lambda cls: cls(x for x in ())),
    "a set in a group": (TypeError, lambda cls: cls([{"params": {LEAF}}])),
    "a number in the list": (TypeError, lambda cls: cls([LEAF, 1.0])),
    "an array in the list": (TypeError, lambda cls: cls([np.ones(3)])),
    "a non-leaf": (ValueError, lambda cls: cls([LEAF * 2])),
    "a tensor in two groups": (ValueError, lambda cls: cls([{"params": LEAF}, {"params": LEAF}])),
    "some names": (ValueError, lambda cls: cls([("a", LEAF), MODEL.bias])),
    "a group that is no dict": (TypeError, lambda cls: cls([LEAF]).add_param_group([LEAF])),
    "other groups": (ValueError, load_from([LEAF], [{"params": LEAF}, {"params": MODEL.bias}])),
    "other tensors": (ValueError, load_from([LEAF], [LEAF, MODEL.bias])),
}


@pytest.mark.parametrize("mistake", TORCHS_WORDS)
def test_torchs_words_are_kept(mistake):
    error, attempt = TORCHS_WORDS[mistake]
    with pytest.raises(error) as mine:
        attempt(optim.Adam)
    with pytest.raises(error) as other:
        attempt(torch.optim.Adam)
    assert str(mine.value).startswith(str(other.value))


@every_class
@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: (x for x in ()), ValueError, "empty parameter list"),
        (lambda: {LEAF}, TypeError, "ordering of tensors in sets"),
        (lambda: MODEL, TypeError, r"Linear.*\.parameters\(\)"),
        (lambda: [MODEL], TypeError, r"Linear.*\.parameters\(\)"),
        (lambda: np.ones(3), TypeError, r"NumPy array.*rules\."),
        (lambda: [{"params": np.ones(3)}], TypeError, r"NumPy array.*rules\."),
        (lambda: 7, TypeError, "list of tensors.*7"),
        (lambda: {"params": [LEAF]}, TypeError, "list of tensors"),
        (lambda: [{"parms": [LEAF]}], ValueError, "needs 'params', got.*'parms'"),
        (lambda: [torch.ones(3, dtype=torch.int64)], TypeError, "floating point.*int64"),
        (lambda: [torch.ones(3, dtype=torch.bool)], TypeError, "floating point.*bool"),
    ],
)
def test_what_cannot_be_optimized_is_named(name, make, error, words):
    with pytest.raises(error, match=words):
        PAIRS[name][0](make())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"engine": "cuda"}, "engine must be one of.*'cuda'"),
        ({"state_dtype": torch.float16}, "state_dtype must be.*float16"),
        ({"state_dtype": "bf16"}, "state_dtype must be.*'bf16'"),
        ({"differentiable": True, "engine": "numba"}, "differentiable=True needs.*'numba'"),
        ({"differentiable": True, **BFLOAT16}, "differentiable=True needs.*bfloat16"),
    ],
    ids=str,
)
def test_a_wrong_engine_or_dtype_of_the_buffers_is_named(options, words):
    with pytest.raises(ValueError, match=words):
        optim.Adam([LEAF], **options)


def test_a_group_cannot_be_differentiable_where_the_engine_is_not():
    optimizer = optim.Adam([parameter()], engine="numba")
    with pytest.raises(ValueError, match="differentiable=True needs"):
        optimizer.add_param_group({"params": [parameter()], "differentiable": True})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize("dtype", [torch.complex64, torch.float16], ids=str)
def test_buffers_of_two_bytes_need_weights_that_they_can_stand_for(dtype):
    with pytest.raises(ValueError, match=f"state_dtype=torch.bfloat16 needs.*{dtype}"):
        optim.Adam([ramp(3, dtype=dtype)], **BFLOAT16)


@every_class
@every_engine
def test_a_sparse_gradient_is_refused_before_anything_changes(name, engine):
    optimizer = ours(name, lambda: [ramp(3, 4), ramp(5, 2)], engine)
    walk((optimizer,), 2)
    before = copy.deepcopy(optimizer)
    dense, sparse = weights_of(optimizer)
    dense.grad, sparse.grad = torch.ones_like(dense), torch.ones_like(sparse).to_sparse()
    with pytest.raises(RuntimeError, match="sparse gradients"):
        optimizer.step()
    assert same_bits(optimizer, before)

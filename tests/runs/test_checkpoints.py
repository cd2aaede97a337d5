"""State that is saved and loaded: resumed bit for bit, and interchanged with torch.optim."""

import copy
from itertools import product

import pytest
import torch
from oracle import (
    BFLOAT16,
    CLOSE,
    NAMES,
    NEAR,
    PAIRS,
    buffers_of,
    channels_last,
    distance,
    every_class,
    every_engine,
    ours,
    ramp,
    same_bits,
    shapes,
    stored,
    theirs,
    walk,
    weights_of,
)


@every_class
@every_engine
@pytest.mark.parametrize("options", [{}, BFLOAT16], ids=str)
def test_a_run_resumed_from_a_checkpoint_repeats_the_bits(name, engine, options):
    def make():
        return [*shapes(torch.float32), *(w.float() for w in channels_last())]

    optimizer = ours(name, make, engine, **options)
    walk((optimizer,), 5, absent=[1])
    file = stored({"optimizer": optimizer.state_dict(), "weights": weights_of(optimizer)})
    restored = ours(
        name, lambda: [w.detach().cpu() for w in file["weights"]], engine, lr=7.0, **options
    )
    restored.load_state_dict(file["optimizer"])
    walk((optimizer, restored), 5, seed=1)
    assert same_bits(optimizer, restored)


MODELS = {  # weights, those without gradient, the tolerance
    "all": (shapes, [], 1e-12),  # ten steps of a few roundings
    "frozen": (shapes, [0, 3], 1e-12),  # likewise
    "channels_last": (channels_last, [], 1e-12),  # likewise
    "float16": (lambda: shapes(torch.float16), [], 2**-8),  # torch rounds each operation
}


@pytest.mark.slow
@every_class
@every_engine
@pytest.mark.parametrize("model", MODELS)
def test_checkpoints_go_back_and_forth_between_ours_and_torchs(name, engine, model):
    make, absent, tolerance = MODELS[model]
    mine, other, oracle = ours(name, make, engine), theirs(name, make), theirs(name, make)
    mine.load_state_dict(copy.deepcopy(other.state_dict()))
    other.load_state_dict(copy.deepcopy(mine.state_dict()))
    for leg, steps in enumerate((1, 3, 2, 4)):
        runs, rests = (mine, other) if leg % 2 else (other, mine)
        walk((runs, oracle), steps, seed=leg, absent=absent if leg < 3 else [])
        rests.load_state_dict(stored(runs.state_dict()))
        for w, twin in zip(weights_of(rests), weights_of(runs), strict=True):
            w.data.copy_(twin.data)
    assert distance(mine, oracle) < max(tolerance, NEAR[engine])


@every_class
def test_a_checkpoint_of_groups_goes_back_and_forth(name):
    def groups():
        a, b, c = (torch.nn.Parameter(ramp(n)) for n in (4, 5, 2))
        return [{"params": [a, b]}, {"params": [c], "lr": 0.3, "weight_decay": 0.1}]

    cls, other_cls, hyper, switches = PAIRS[name]
    mine, other = cls(groups(), **hyper), other_cls(groups(), **hyper, **switches)
    walk((mine, other), 3)
    for group in (*mine.param_groups, *other.param_groups):
        group["lr"] *= 0.5
    one, two = (copy.deepcopy(optimizer.state_dict()) for optimizer in (mine, other))
    mine, other = cls(groups(), **hyper), other_cls(groups(), **hyper, **switches)
    mine.load_state_dict(two)
    other.load_state_dict(one)
    walk((mine, other), 3, seed=1)
    assert distance(mine, other) < CLOSE
    assert [g["lr"] for g in mine.param_groups] == [hyper["lr"] / 2, 0.15]


@every_class
def test_a_checkpoint_names_what_torch_names(name):
    mine, other = ours(name), theirs(name)
    walk((mine, other), 1)
    one, two = (set(o.state_dict()["param_groups"][0]) for o in (mine, other))
    assert two - one <= {"foreach", "fused", "capturable"}  # how torch computes
    one, two = (set(o.state_dict()["state"].get(0, {})) for o in (mine, other))
    assert one == two | {"step"}  # torch's SGD counts no steps


@pytest.mark.parametrize("name", ["gradient_descent", "momentum", "nesterov"])
def test_a_checkpoint_of_an_older_sgd_is_read(name):
    mine, other = (f(name, lambda: [ramp(3)]) for f in (ours, theirs))
    state_dict = other.state_dict()
    for key in ("maximize", "differentiable", "fused"):
        del state_dict["param_groups"][0][key]
    mine.load_state_dict({**state_dict, "state": {0: {"momentum_buffer": None}}})
    walk((mine, other), 2)
    assert distance(mine, other) < CLOSE


@every_class
def test_nothing_of_a_loaded_dict_is_shared(name):
    optimizer, source = ours(name), ours(name)
    walk((source,), 3)
    given = source.state_dict()
    before = copy.deepcopy(given)
    optimizer.load_state_dict(given)
    walk((optimizer,), 2)
    optimizer.param_groups[0]["lr"] = 7.0
    assert given["param_groups"] == before["param_groups"]
    for k, state in before["state"].items():
        for key, value in state.items():
            assert torch.equal(torch.as_tensor(given["state"][k][key]), torch.as_tensor(value))


def alike(make, steps, name, other):
    """Whether a state dict has nothing that tells the class `other` from `name`."""
    if (name, other) == ("momentum", "gradient_descent"):  # torch's SGD with momentum=0
        return make is theirs or steps == 0
    if (name, other) == ("adam", "radam"):  # which has the same averages
        return True
    bare = {"adamax": ("adam", "adamw", "amsgrad", "radam"), "radam": ("amsgrad", "adamax")}
    return name == other or (steps == 0 and name in bare.get(other, ()))


def wrong_dicts(name):
    """State dicts that an optimizer of class `name` over `shapes()` must refuse."""
    for make, steps, other in product((ours, theirs), (0, 1), NAMES):
        if not alike(make, steps, name, other):
            optimizer = make(other)
            walk((optimizer,), steps)
            yield optimizer.state_dict()
    good = ours(name)
    walk((good,), 1)
    good = good.state_dict()
    yield {**good, "state": {**good["state"], 1: {**good["state"][1], "alien": ramp(5)}}}
    yield {**good, "param_groups": [{**good["param_groups"][0], "lr": float("nan")}]}
    yield {**good, "param_groups": []}
    for weights in (shapes()[:-1], [*shapes(), ramp(2)], [*shapes()[:-1], ramp(2)]):
        optimizer = ours(name, lambda weights=weights: weights)
        walk((optimizer,), 1)
        if name != "gradient_descent" or len(weights) != len(shapes()):  # it has no buffers
            yield optimizer.state_dict()


@every_class
def test_a_checkpoint_that_does_not_fit_changes_nothing(name):
    optimizer = ours(name)
    walk((optimizer,), 2)
    before = copy.deepcopy(optimizer)
    for state_dict in wrong_dicts(name):
        with pytest.raises(ValueError, match=r"loaded state dict|must be"):
            optimizer.load_state_dict(state_dict)
        assert same_bits(optimizer, before) and repr(optimizer) == repr(before)


@every_class
@pytest.mark.parametrize("make", [ours, theirs])
def test_buffers_are_laid_out_as_the_weights_they_are_loaded_for(name, make):
    optimizer, source = ours(name, channels_last), make(name, lambda: [ramp(2, 3, 4, 5)])
    walk((source,), 2)
    optimizer.load_state_dict(source.state_dict())
    for w in weights_of(optimizer):
        buffers = buffers_of(optimizer.state[w])
        assert all(x.stride() == w.stride() for x in buffers)
        w.data.copy_(weights_of(source)[0].data)
    walk((optimizer, source), 2)
    assert distance(optimizer, source) < CLOSE

"""Schedule-Free's two modes: the weights are y to train at, and x to evaluate at."""

import copy
import pickle

import pytest
import torch
from oracle import (
    BFLOAT16,
    CLOSE,
    distance,
    every_engine,
    ours,
    ramp,
    same_bits,
    shapes,
    stored,
    walk,
    weights_of,
)

COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
}


def made(*arguments, **options):
    return ours("schedule_free", *arguments, **options)


@every_engine
def test_the_weights_of_eval_are_the_mean_of_all_z_and_train_turns_back(engine):
    optimizer = made(lambda: [ramp(3, 4)], engine)
    (w,), z = weights_of(optimizer), []
    for k in range(5):
        walk((optimizer,), 1, seed=k)
        z.append(w.detach() + 0.8 * optimizer.state[w]["s"])
    y = w.detach().clone()
    optimizer.eval()
    x = torch.stack(z).mean(0)
    near = 1e-6 if engine == "compile" else CLOSE  # float32 there
    assert (w - x).abs().max() < near and (y - (0.2 * z[-1] + 0.8 * x)).abs().max() < near
    optimizer.train()
    assert (w - y).abs().max() < near < (x - y).abs().max()


def test_a_mode_taken_twice_changes_nothing():
    optimizer = made()
    assert optimizer.train() is None and optimizer.eval() is None  # weights without a state stay
    assert all(map(torch.equal, weights_of(optimizer), shapes()))
    optimizer.train()
    walk((optimizer,), 3)
    for turn in (optimizer.train, optimizer.eval):
        turn()
        before = copy.deepcopy(optimizer)
        turn()
        assert same_bits(optimizer, before)


def test_a_step_in_eval_mode_is_an_error_and_changes_nothing():
    optimizer = made()
    walk((optimizer,), 2)
    optimizer.eval()
    before = copy.deepcopy(optimizer)
    with pytest.raises(RuntimeError, match=r"training mode: call .*train\(\)"):
        optimizer.step(lambda: pytest.fail("the closure ran"))
    assert same_bits(optimizer, before)
    optimizer.train()
    optimizer.add_param_group({"params": torch.nn.Parameter(ramp(2)), "train_mode": False})
    with pytest.raises(RuntimeError, match="training mode"):
        optimizer.step()


@every_engine
@pytest.mark.parametrize("options", [{}, BFLOAT16], ids=str)
def test_a_checkpoint_saved_in_eval_mode_goes_on_as_the_run_does(engine, options):
    def make():
        return shapes(torch.float32 if options else torch.float64)

    optimizer, alone = (made(make, engine, **options) for _ in "ab")
    walk((optimizer, alone), 4)
    optimizer.eval()
    file = stored({"optimizer": optimizer.state_dict(), "weights": weights_of(optimizer)})
    assert not file["optimizer"]["param_groups"][0]["train_mode"]
    restored = made(lambda: [w.detach().cpu() for w in file["weights"]], engine, **options)
    restored.load_state_dict(file["optimizer"])
    with pytest.raises(RuntimeError, match="training mode"):
        restored.step()
    for one in (optimizer, restored):
        one.train()
    assert same_bits(optimizer, restored)
    walk((optimizer, alone), 4, seed=1)
    wide = engine != "compile" and not options
    assert distance(optimizer, alone) < (CLOSE if wide else 1e-6)  # the two turns are rounded


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_keeps_the_mode(how):
    optimizer = made()
    walk((optimizer,), 2)
    optimizer.eval()
    twin = COPIES[how](optimizer)
    with pytest.raises(RuntimeError, match="training mode"):
        twin.step()
    for one in (optimizer, twin):
        one.train()
        walk((one,), 2, seed=1)
    assert same_bits(optimizer, twin)


def test_a_warm_up_is_refused_with_what_to_do():
    words = r"warmup_steps must be 0 for ScheduleFree, got 100; .*alike; .*LinearLR can warm up"
    with pytest.raises(ValueError, match=words):
        made(warmup_steps=100)
    with pytest.raises(ValueError, match=r"^r must be 0 for ScheduleFree, got 0\.5; .*alike"):
        made(r=0.5)

"""What makes a run the same run: another schedule is named before anything is loaded."""

import multiprocessing
import os
from functools import partial

import numpy as np
import pytest
import torch
from test_resume import KINDS, SMALL, go, names, network, same
from torch.optim import lr_scheduler as torchs

from adamlib import optim
from adamlib.runs.checkpoints import Checkpoints, held, read
from adamlib.train import main, train


def chained(*factors):
    def make(optimizer):
        inside = [torchs.ExponentialLR(optimizer, factor) for factor in factors]
        return torchs.ChainedScheduler(inside)

    return make


def halves(t):
    return 0.5 ** (t // 8)


def tenths(t):
    return 0.1 ** (t // 8)


class Own(torchs.LRScheduler):
    """A schedule of the user's, which counts its calls."""

    def __init__(self, optimizer, floor):
        self.floor, self.calls = floor, 0
        super().__init__(optimizer)

    def get_lr(self):
        self.calls += 1
        return [max(self.floor, base / (1 + self.last_epoch)) for base in self.base_lrs]


LR = torchs.LambdaLR
CHANGES = {
    "gamma": [partial(torchs.StepLR, step_size=2, gamma=gamma) for gamma in (0.5, 0.1)],
    "milestones": [partial(torchs.MultiStepLR, milestones=m) for m in ([4, 7], [4, 8])],
    "T_max": [partial(torchs.CosineAnnealingLR, T_max=n) for n in (9, 18)],
    "total_steps": [partial(torchs.OneCycleLR, max_lr=0.01, total_steps=n) for n in (9, 18)],
    "scheduler 1's gamma": [chained(0.9, 0.8), chained(0.9, 0.7)],
    "number of parts": [chained(0.9), chained(0.9, 0.7)],
    "learning rate after step 1": [
        partial(LR, lr_lambda=f) for f in (halves, lambda t: 1 / (1 + t))
    ],
    "learning rate after step 8": [partial(LR, lr_lambda=f) for f in (halves, tenths)],
    "floor": [partial(Own, floor=floor) for floor in (0.0, 1e-4)],
}


@pytest.mark.parametrize("what", CHANGES)
def test_another_schedule_of_the_same_kind_is_refused_and_the_same_is_not(tmp_path, what):
    one, other = CHANGES[what]
    go(tmp_path, schedule=one, keep=1)
    model, before = network(), names(tmp_path)
    with pytest.raises(ValueError, match=f"is of another run: the .*{what}.* is .*, here .*folder"):
        go(tmp_path, schedule=other, resume=True, model=model, epochs=4)
    assert same(model.state_dict(), network().state_dict()) and names(tmp_path) == before
    go(tmp_path, schedule=one, resume=True)


def shell(own, folder, *options):
    usual = ["--data", str(own), "--device", "cpu", "--batch-size", "8", "--resume"]
    main([*usual, "--checkpoint", str(folder), *options])


@pytest.mark.parametrize(
    ("first", "then", "words"),
    [
        ("cosine", ["one_cycle", "--epochs", "2"], "function's schedule is cosine, here one_cycle"),
        ("cosine", ["cosine", "--epochs", "4"], "function's steps is 6, here 12"),
        ("cosine", ["cosine", "--warm-up", "3"], "function's warm_up is 0, here 3"),
        ("constant", ["cosine"], "the scheduler is NoneType, here LambdaLR"),
    ],
)
def test_the_shell_refuses_another_schedule(own, tmp_path, capsys, first, then, words):
    shell(own, tmp_path, "--epochs", "2", "--schedule", first)
    with pytest.raises(SystemExit):
        shell(own, tmp_path, "--epochs", "2", "--schedule", *then)
    assert words in capsys.readouterr().err


def test_a_schedule_that_was_under_way_when_the_run_began_goes_on(tmp_path):
    def begun(optimizer):
        schedule = LR(optimizer, lambda t: 0.5**t)
        optimizer.step()
        schedule.step()
        return schedule

    go(tmp_path, schedule=begun, keep=1)
    go(tmp_path, schedule=begun, resume=True, epochs=4)


@pytest.mark.parametrize("schedule", ["constant", "inverse_root"])
def test_a_schedule_without_an_end_goes_on_for_more_epochs(own, tmp_path, schedule, capsys):
    for epochs in ("1", "2"):
        shell(own, tmp_path, "--schedule", schedule, "--warm-up", "2", "--epochs", epochs)


def twice(tmp_path, optimizer, scheduler, model, epochs=(1, 2)):
    """Train with the very same objects, and go on with them, as in a notebook."""
    how = {"device": "cpu", "progress": False, "checkpoint": tmp_path, "scheduler": scheduler}
    for count in epochs:
        history = train(model, SMALL, optimizer, count, 16, resume=True, **how)
    return history


@pytest.mark.parametrize("kind", ["tensor rate", "own"])
def test_the_same_objects_go_on(tmp_path, kind):
    model = network()
    lr = torch.tensor(0.01) if kind == "tensor rate" else 0.01
    optimizer = optim.AdamW(model.parameters(), lr=lr)
    schedule = (
        partial(Own, floor=0.0) if kind == "own" else partial(torchs.ExponentialLR, gamma=0.9)
    )
    assert len(twice(tmp_path, optimizer, schedule(optimizer), model)["train_loss"]) == 2


@pytest.mark.parametrize("make", [optim.Adam, torch.optim.Adam])
def test_a_cycle_that_ended_below_zero_may_be_called_again(tmp_path, make):
    model = network()
    optimizer = make(model.parameters())
    cycle = torchs.OneCycleLR(optimizer, 0.01, total_steps=3, anneal_strategy="linear")
    twice(tmp_path, optimizer, cycle, model, (1, 1))
    assert optimizer.param_groups[0]["lr"] < 0
    optim.Adam(network().parameters()).load_state_dict(optimizer.state_dict())


@pytest.mark.parametrize("number", [np.float32(0.5), np.float64(0.5), np.array(0.5, "f4")[()]])
def test_a_rate_of_numpys_is_stored_as_a_number(tmp_path, number):
    schedule = partial(LR, lr_lambda=lambda t: 1.0 if t < 2 else number)
    go(tmp_path, schedule=schedule, kind=partial(optim.Adam, weight_decay=np.int64(0)))
    stored = read(Checkpoints(tmp_path).newest())["optimizer"]["param_groups"][0]
    assert type(stored["lr"]) is float and type(stored["weight_decay"]) is int


@pytest.mark.parametrize("name", ["complex128", "sparse"])
def test_a_tensor_that_no_file_can_hold_is_a_type_error_before_any_step(tmp_path, name):
    model = network()
    strange = torch.zeros(2, dtype=torch.complex128)
    model.register_buffer("strange", torch.eye(2).to_sparse() if name == "sparse" else strange)
    with pytest.raises(TypeError, match=r"cannot hold state\.model\.strange"):
        go(tmp_path, model=model)
    assert not names(tmp_path)


def test_counts_may_be_numpys(tmp_path):
    counts = {name: np.int64(n) for name, n in dict(epochs=1, keep=2, save_every=1, seed=1).items()}
    go(tmp_path, **counts, batch_size=np.int64(16))
    go(tmp_path, epochs=2, keep=2, save_every=1, seed=1, resume=True)


def test_an_optimizer_that_needs_a_closure_is_named_before_any_step(tmp_path):
    with pytest.raises(TypeError, match="without a closure, got LBFGS"):
        go(tmp_path, kind=torch.optim.LBFGS)
    assert not names(tmp_path)


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    go("~/runs", keep=1)
    assert len(names(tmp_path / "home" / "runs")) == 1 and not (tmp_path / "~").exists()


def hold(folder, pipe):
    with held(folder):
        pipe.send("held")
        pipe.recv()


def test_a_folder_is_of_one_run_at_a_time_also_when_that_one_is_killed(tmp_path):
    here, there = multiprocessing.Pipe()
    other = multiprocessing.get_context("fork").Process(target=hold, args=(tmp_path, there))
    other.start()
    assert here.recv() == "held"
    with pytest.raises(OSError, match="in use by another run"):
        go(tmp_path)
    assert not names(tmp_path)
    other.kill()
    other.join()
    go(tmp_path)


@pytest.mark.parametrize("kind", KINDS[:2])
def test_a_file_system_without_locks_is_no_error(tmp_path, monkeypatch, kind):
    def unsupported(lock):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr("filelock.FileLock._acquire", unsupported)
    go(tmp_path, kind=kind)
    assert os.listdir(tmp_path)

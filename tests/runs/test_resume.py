"""A run that is stored goes on to the last bit, and nothing that goes wrong costs it."""

import math
import os
import pickle
import shutil
import signal
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path
from time import sleep

import pytest
import torch
from building import ROOT
from safetensors.torch import load_file
from together import command, forks
from torch import nn
from torch.optim import lr_scheduler

from adamlib import data, optim
from adamlib.runs import loop
from adamlib.runs.checkpoints import LOCK, Checkpoints, digest, read
from adamlib.train import main, train

SMALL = data.Data(*(tensor[:40] for tensor in data.load(device="cpu")))
QUIET = {"epochs": 3, "batch_size": 16, "device": "cpu", "progress": False}  # 9 steps
KINDS = [getattr(optim, name) for name in ("Momentum", "RMSProp", "Adam", "AMSGrad", "AdaMax")]
KINDS += [torch.optim.AdamW, partial(torch.optim.SGD, lr=0.1, momentum=0.9)]


class Killed(BaseException):
    """Ends a run as SIGKILL would: nothing catches it."""


def network(drop=0.5):
    """A network with random numbers of its own and with buffers that are no weights."""
    torch.manual_seed(0)
    layers = nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(drop)
    return nn.Sequential(*layers, nn.Linear(16, 10))


def go(
    folder, *, kind=optim.Adam, schedule=None, dies_at=None, signals=(), model=None, data=SMALL,
    **options,
):  # fmt: skip
    """Train, perhaps up to a step in which the run dies or gets signals; return the weights."""
    model = model or network()
    optimizer = kind(model.parameters())
    steps = []

    def count(*_):
        steps.append(1)
        if len(steps) in signals:
            os.kill(os.getpid(), signals[len(steps)])
        if len(steps) == dies_at:
            raise Killed

    optimizer.register_step_post_hook(count)
    scheduler = schedule and schedule(optimizer)
    options = {**QUIET, **options}
    history = train(model, data, optimizer, checkpoint=folder, scheduler=scheduler, **options)
    return {**model.state_dict(), "loss": torch.tensor(history["train_loss"])}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.fixture(scope="module")
def whole():
    """The weights of the run that nothing interrupts."""
    return go(None)


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir() if path.name != LOCK)


@pytest.mark.parametrize("every", [None, 1, 2])
@pytest.mark.parametrize("step", range(1, 10))
def test_a_run_that_dies_after_any_step_goes_on_to_the_same_bits(tmp_path, whole, step, every):
    with pytest.raises(Killed):
        go(tmp_path, dies_at=step, save_every=every)
    assert same(go(tmp_path, resume=True, save_every=every), whole)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: getattr(kind, "__name__", "SGD"))
def test_every_kind_of_optimizer_goes_on_to_the_same_bits(tmp_path, kind):
    with pytest.raises(Killed):
        go(tmp_path, kind=kind, dies_at=5, save_every=2)
    assert same(go(tmp_path, kind=kind, resume=True), go(None, kind=kind))


SCHEDULES = {
    "OneCycleLR": partial(lr_scheduler.OneCycleLR, max_lr=0.01, total_steps=9),
    "MultiStepLR": partial(lr_scheduler.MultiStepLR, milestones=[4, 7]),  # its keys are numbers
    "LambdaLR": partial(lr_scheduler.LambdaLR, lr_lambda=lambda t: 1 / (t + 1)),
    "SequentialLR": lambda optimizer: lr_scheduler.SequentialLR(
        optimizer,
        [lr_scheduler.LinearLR(optimizer), lr_scheduler.MultiStepLR(optimizer, [2])],
        [3],
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_kind_of_schedule_goes_on_to_the_same_bits(tmp_path, whole, name):
    schedule = SCHEDULES[name]
    with pytest.raises(Killed):
        go(tmp_path, schedule=schedule, dies_at=5, save_every=2)
    resumed = go(tmp_path, schedule=schedule, resume=True)
    assert same(resumed, go(None, schedule=schedule)) and not same(resumed, whole)


def test_saving_changes_nothing_in_the_run(tmp_path, whole):
    assert same(go(tmp_path, save_every=1), whole)


def test_a_finished_run_returns_its_history_and_may_go_on_for_more_epochs(tmp_path, whole):
    go(tmp_path)
    three = names(tmp_path)
    assert same(go(tmp_path, resume=True), whole) and names(tmp_path) == three
    assert same(go(tmp_path, resume=True, epochs=6), go(None, epochs=6))


@pytest.mark.parametrize("keep", [1, 3])
def test_the_last_checkpoints_are_kept_and_what_a_dead_process_left_is_removed(tmp_path, keep):
    (tmp_path / "step-000000001-0123456789abcdef.safetensors.99.part").write_bytes(b"half a")
    (tmp_path / "notes.txt").write_text("mine")
    go(tmp_path, keep=keep, save_every=1)
    steps = [int(name[5:14]) for name in names(tmp_path) if name != "notes.txt"]
    assert steps == list(range(10))[-keep:] and (tmp_path / "notes.txt").exists()


DAMAGES = {
    "one bit": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "the end is missing": lambda content: content[:-1],
    "empty": lambda content: b"",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(tmp_path, whole, damage):
    with pytest.raises(Killed):
        go(tmp_path, dies_at=8, save_every=2)
    newest = Checkpoints(tmp_path).newest()
    newest.write_bytes(damage(newest.read_bytes()))
    with pytest.warns(UserWarning, match=f"{newest.name} is damaged"):
        assert same(go(tmp_path, resume=True, save_every=2, keep=1), whole)
    assert newest.with_suffix(".damaged").name in names(tmp_path)


def test_when_all_are_damaged_nothing_starts(tmp_path):
    go(tmp_path, keep=1)
    Checkpoints(tmp_path).newest().write_bytes(b"")
    model = network()
    with (
        pytest.warns(UserWarning, match="damaged"),
        pytest.raises(ValueError, match="checkpoint must be a folder with a whole file"),
    ):
        go(tmp_path, resume=True, model=model)
    assert same(model.state_dict(), network().state_dict())
    with pytest.raises(ValueError, match="remove the damaged ones to begin anew"):
        go(tmp_path, resume=True)  # as torchrun tries again


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


def test_nothing_is_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps(Bomb())
    name = f"step-000000009-{digest(content)}.safetensors"  # the hash is that of the bomb
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match="is no checkpoint"):
        go(tmp_path, resume=True)
    assert names(tmp_path) == [name]


def test_any_reader_of_safetensors_finds_the_weights(tmp_path):
    weights = go(tmp_path)
    found = load_file(Checkpoints(tmp_path).newest())
    assert torch.equal(found["state.model.1.weight"], weights["1.weight"])


OTHERS = {
    "the optimizer is Adam, here RMSProp": {"kind": optim.RMSProp},
    "the optimizer's lr is 0.001, here 0.01": {"kind": partial(optim.Adam, lr=0.01)},
    "batch_size is 16, here 8": {"batch_size": 8},
    "the seed is 0, here 1": {"seed": 1},
    "the scheduler is NoneType, here OneCycleLR": {"schedule": SCHEDULES["OneCycleLR"]},
    r"1.weight is \(16, 64\) float32, here \(16, 64\) float64": {"model": network().double()},
    r"5.weight is \(10, 16\) float32, here absent": {"model": network()[:-1]},
    "precision is float32, here bf16": {"precision": "bf16"},
    "betas is .*0.9, 0.999.*, here .*0.5, 0.999": {"kind": partial(optim.Adam, betas=(0.5, 0.999))},
    "group 0 is 1.weight .*, here 1.weight;": {"kind": lambda weights: optim.Adam([next(weights)])},
    "the data is": {"data": SMALL._replace(y_train=SMALL.y_train.flip(0))},
}


@pytest.mark.parametrize("message", OTHERS)
def test_the_checkpoint_of_another_run_is_refused_before_anything_is_loaded(tmp_path, message):
    go(tmp_path, keep=1)
    model = OTHERS[message].get("model", network())
    before, files = {k: x.clone() for k, x in model.state_dict().items()}, names(tmp_path)
    with pytest.raises(ValueError, match=f"is of another run: .*{message}"):
        go(tmp_path, resume=True, **{**OTHERS[message], "model": model})
    assert same(model.state_dict(), before) and names(tmp_path) == files


def test_a_folder_in_use_is_refused_without_resume(tmp_path):
    go(tmp_path, keep=1)
    files = names(tmp_path)
    with pytest.raises(ValueError, match=f"checkpoint must be a new folder, or resume.*{files[0]}"):
        go(tmp_path)
    assert names(tmp_path) == files


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_waits_for_the_step_saves_and_can_be_gone_on_from(tmp_path, whole, number):
    with pytest.raises(KeyboardInterrupt, match="stopped after step 5, saved in"):
        go(tmp_path, signals={5: number})
    assert read(Checkpoints(tmp_path).newest())["step"] == 5
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert same(go(tmp_path, resume=True), whole)


def test_a_second_ctrl_c_does_not_wait(tmp_path):
    def twice(*_):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("still running")

    model = network()
    model[1].register_forward_hook(twice)
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, model=model)


def test_ctrl_c_in_the_last_measurement_is_not_forgotten(tmp_path):
    model = network()

    def interrupt(layer, *_):
        if not layer.training:
            measured.append(1)
            if len(measured) == 5:  # two for each epoch
                os.kill(os.getpid(), signal.SIGINT)

    measured = []
    model.register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt, match="after step 9"):
        go(tmp_path, model=model)


def test_weights_that_are_not_finite_are_not_stored(tmp_path):
    kind = partial(torch.optim.SGD, lr=3e38, weight_decay=1e3)
    with pytest.raises(FloatingPointError, match=r"after step 1: .*weight.* not finite"):
        go(tmp_path, kind=kind, save_every=1, keep=1)
    assert read(Checkpoints(tmp_path).newest())["step"] == 0
    with pytest.raises(FloatingPointError, match="after step 1: the training loss is"):
        go(None, kind=kind, epochs=1, batch_size=40)


class Odd(nn.Linear):
    """A layer that keeps a dict among its state, as PyTorch allows."""

    def get_extra_state(self):
        return {"version": 1}

    def set_extra_state(self, state):
        self.version = state["version"]


def test_a_module_may_keep_other_things_than_tensors(tmp_path):
    def model():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), Odd(64, 10))

    with pytest.raises(Killed):
        go(tmp_path, model=model(), dies_at=5)
    resumed = go(tmp_path, model=model(), resume=True)
    assert torch.equal(resumed["1.weight"], go(None, model=model())["1.weight"])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"resume": True}, "checkpoint must be a folder with resume=True"),
        ({"save_every": 2}, "checkpoint must be a folder with .*save_every=2"),
        ({"kind": lambda weights: optim.Adam(network().parameters())}, "optimizer must be made"),
    ],
)
def test_what_would_be_in_vain_is_an_error(bad, message):
    with pytest.raises(ValueError, match=message):
        go(None, **bad)


def test_without_a_checkpoint_ctrl_c_is_pythons():
    with pytest.raises(KeyboardInterrupt):
        go(None, signals={1: signal.SIGINT})


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_stops_the_run_with_step_and_weight(tmp_path, whole, bad):
    model = network()
    calls = []

    def spoil(gradient):
        calls.append(1)
        return gradient * bad if len(calls) == 5 else gradient

    model[5].weight.register_hook(spoil)
    with pytest.raises(FloatingPointError, match=r"step 5: .* not finite in 5\.weight;"):
        go(tmp_path, model=model, save_every=1)
    assert all(weight.isfinite().all() for weight in model.parameters())
    stored = read(Checkpoints(tmp_path).newest())
    assert stored["step"] == 4 and all(x.isfinite().all() for x in stored["model"].values())
    assert same(go(tmp_path, resume=True), whole)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    model = network()
    model[5].register_forward_hook(lambda layer, inputs, logits: logits * math.nan)
    before = {k: x.clone() for k, x in model.named_parameters()}
    with pytest.raises(FloatingPointError, match="step 1: the loss is nan and the gradient"):
        go(tmp_path, model=model)
    assert all(torch.equal(before[k], x) for k, x in model.named_parameters())


def test_finite_gradients_whose_squares_are_not_go_on():
    model = nn.Linear(2, 1)
    model.weight.grad = torch.full((1, 2), 1e30)
    assert not torch.nn.utils.get_total_norm([model.weight.grad]).isfinite()
    loop.check_finite(model, torch.tensor(1.0), 1)


def test_a_folder_that_cannot_be_made_is_an_error_before_any_step(tmp_path):
    (tmp_path / "file").write_text("")
    model = network()
    with pytest.raises(OSError, match="file"):
        go(tmp_path / "file" / "run", model=model)
    assert same(model.state_dict(), network().state_dict())


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_an_error_before_any_step(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        go(tmp_path / "run")


def test_too_little_room_on_the_disk_is_an_error_before_any_step(tmp_path):
    model = network()
    with pytest.raises(OSError, match=r"MB are free there, .* checkpoints need .* MB"):
        go(tmp_path, keep=10**12, model=model)
    assert same(model.state_dict(), network().state_dict()) and names(tmp_path) == []


def test_a_drive_that_tells_no_size_is_not_taken_for_a_full_one(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: (0, 0, 0))  # as some mounted ones do
    go(tmp_path)
    assert names(tmp_path)


def test_a_disk_that_fills_up_later_leaves_the_last_checkpoint(tmp_path, whole):
    resource = pytest.importorskip("resource")  # Windows has none
    go(tmp_path / "whole", keep=99)
    sizes = [path.stat().st_size for path in reversed(Checkpoints(tmp_path / "whole").paths())]
    assert sizes[0] < sizes[1]  # the first has no buffers yet
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (sizes[0] + 99, before[1]))
        with pytest.raises(OSError, match="File too large"):
            go(tmp_path / "full", save_every=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [name[:14] for name in names(tmp_path / "full")] == ["step-000000000"]
    assert same(go(tmp_path / "full", resume=True), whole)


def test_what_a_file_cannot_hold_is_named_before_any_step(tmp_path):
    with pytest.raises(TypeError, match=r"state\.scheduler\.extra, got <object"):
        go(tmp_path, schedule=strange)
    assert names(tmp_path) == []


def strange(optimizer):
    scheduler = lr_scheduler.StepLR(optimizer, 3)
    scheduler.extra = object()
    return scheduler


@pytest.mark.parametrize(("name", "bad"), [("keep", 0), ("save_every", 0), ("save_every", 1.5)])
def test_a_bad_count_is_named(tmp_path, name, bad):
    with pytest.raises(ValueError, match=f"{name} must be .* got {bad}"):
        go(tmp_path, **{name: bad})
    assert names(tmp_path) == []


@pytest.mark.parametrize("bad", [lr_scheduler.ReduceLROnPlateau, lambda optimizer: 0.1])
def test_what_is_no_schedule_of_steps_is_named(tmp_path, bad):
    with pytest.raises(TypeError, match=r"scheduler must be one of torch.optim.lr_scheduler"):
        go(tmp_path, schedule=bad)


SHELL = ["--epochs", "1", "--batch-size", "4", "--save-every", "1", "--device", "cpu"]


@pytest.mark.slow
def test_the_shell_goes_on_after_a_real_kill_in_the_middle_of_a_save(own, tmp_path):
    run = [*SHELL, "--data", str(own), "--output", str(tmp_path / "history.json"), "--checkpoint"]
    program = ("experiments/killed.py", [*run, tmp_path / "dies"], "0 save 3")
    dead = forks.Process(target=command, args=program)
    dead.start()
    dead.join()
    assert dead.exitcode == -signal.SIGKILL
    left = names(tmp_path / "dies")
    assert [name for name in left if name.endswith(".part")] and len(left) == 4
    main([*run, str(tmp_path / "dies"), "--resume"])
    main([*run, str(tmp_path / "whole")])
    stored = [read(Checkpoints(tmp_path / name).newest()) for name in ("dies", "whole")]
    assert stored[0]["step"] == 6 and same(stored[0]["model"], stored[1]["model"])
    assert not [name for name in names(tmp_path / "dies") if name.endswith(".part")]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--resume"], 2, "resume must come with a checkpoint folder"),
        (["--warm-up", "-1"], 2, "warm-up must be a number of steps >= 0, got -1"),
        (["--checkpoint", "pyproject.toml"], 1, "File exists: 'pyproject.toml'"),
        (["--lr", "1e30", "--optimizer", "GradientDescent"], 1, "is not finite in"),
        (["--shard"], 2, "shard must have several processes, got one"),
    ],
)
def test_the_shell_explains_what_is_wrong(own, arguments, code, message, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as stop:
        main([*SHELL[:-4], *SHELL[-2:], "--data", str(own), *arguments])
    assert stop.value.code == code and message in capsys.readouterr().err


def overheard(said, *arguments):
    with said.open("w") as file, redirect_stderr(file):
        command(*arguments)


@pytest.mark.slow
def test_the_shell_leaves_cleanly_on_ctrl_c(own, tmp_path):
    folder, said = tmp_path / "run", tmp_path / "said"
    folder.mkdir()
    options = ["--data", own, "--epochs", "9999", "--device", "cpu", "--checkpoint", folder]
    running = forks.Process(target=overheard, args=(said, "adamlib/train.py", options))
    running.start()
    while not any(name >= "step-000000003" for name in names(folder)):
        assert running.is_alive()
        sleep(0.05)
    os.kill(running.pid, signal.SIGINT)
    running.join()
    assert running.exitcode == 130 and Checkpoints(folder).newest()
    assert "saved in" in said.read_text() and "Traceback" not in said.read_text()

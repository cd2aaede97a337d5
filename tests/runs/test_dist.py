"""Several processes: what they say when something is wrong, and that they equal one."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from time import sleep

import pytest
import torch
from together import command, together
from torch import distributed, nn
from torch.nn.functional import cross_entropy

from adamlib import data, optim, train
from adamlib.model import ConvNet
from adamlib.runs import checkpoints, dist, loop, meeting, sharding
from experiments import kills

TOLD = dict(zip(dist.NEEDED, ("0", "0", "1", "127.0.0.1", "0"), strict=True))  # a port that is free
CLOSE = 1e-12  # float64; a sum over two processes is rounded otherwise than one over all samples


@pytest.fixture
def told(monkeypatch):
    """The environment as torchrun sets it for one process."""
    for name, value in TOLD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_without_torchrun_there_is_one_process_and_nothing_is_started():
    with dist.group("cpu") as device:
        assert device == torch.device("cpu") and not distributed.is_initialized()
        assert (dist.rank(), dist.world()) == (0, 1)


def test_a_group_ends_with_its_block_also_after_an_error(told):
    with dist.group("cpu"):
        assert distributed.is_initialized() and dist.world() == 1
    with pytest.raises(KeyError), dist.group("cpu"):
        raise KeyError
    assert not distributed.is_initialized()


@pytest.mark.parametrize("name", ["MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK", "WORLD_SIZE"])
def test_a_missing_variable_is_named(told, name):
    told.delenv(name)
    with pytest.raises(ValueError, match=f"got no {name}: start the program with torchrun"):
        dist.group("cpu").__enter__()


def test_a_port_in_use_is_named_with_what_to_do(told):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        told.setenv("MASTER_PORT", port)
        with pytest.raises(ConnectionError, match=rf"MASTER_PORT={port}: .*choose a free port"):
            dist.group("cpu").__enter__()


def test_more_processes_than_gpus_is_named_with_what_to_do(told):
    told.setattr(torch.cuda, "is_available", lambda: True)
    told.setattr(torch.cuda, "device_count", lambda: 2)
    told.setenv("LOCAL_RANK", "2")
    with pytest.raises(ValueError, match=r"nproc-per-node must be at most 2.*process number 3"):
        dist.group("cuda").__enter__()


def test_a_process_that_stays_alone_gives_up_in_time(told):
    told.setenv("WORLD_SIZE", "2")
    with pytest.raises((TimeoutError, ConnectionError), match=r"2 processes must|no meeting"):
        dist.group("cpu", minutes=1 / 600).__enter__()


def test_the_words_of_the_dead_are_not_taken_for_those_of_the_living():
    """Two processes meet in a store where two others, and half a third pair, have met before."""
    store = distributed.HashStore()
    names = [meet(store)]
    store.set("word 0", "of one that died")
    names.append(meet(store))
    store.set("word 1", "of another")
    names.append(meet(store, first=1))
    assert len(set(names)) == 3


def meet(store, first=0):
    """Return the name that two threads agree on; number `first` comes a little earlier."""
    with ThreadPoolExecutor() as pool:
        tasks = [pool.submit(meeting.agreed_name, store, first, 2, timedelta(seconds=20))]
        sleep(0.2)
        tasks.append(pool.submit(meeting.agreed_name, store, 1 - first, 2, timedelta(seconds=20)))
        one, other = [task.result() for task in tasks]
    assert one == other
    return one


def test_nobody_is_counted_who_does_not_come():
    store = distributed.HashStore()
    store.set("word 1", "of one that died")
    with pytest.raises(TimeoutError, match="2 processes must start within"):
        meeting.agreed_name(store, 0, 2, timedelta(seconds=0.3))


def test_sharding_alone_is_refused():
    with pytest.raises(ValueError, match="shard must have several processes, got one"):
        sharding.shard(ConvNet(), torch.device("cpu"))


@pytest.mark.parametrize("size", [7, 3, 2])
def test_the_shares_of_a_batch_make_its_gradient(size, monkeypatch):
    digits = data.load(device="cpu")
    x, y = digits.x_train[:size].double(), digits.y_train[:size]
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).double()
    whole = torch.autograd.grad(cross_entropy(model(x), y), list(model.parameters()))
    shares = [torch.zeros_like(g) for g in whole]
    monkeypatch.setattr(dist, "world", lambda: 3)
    for number in range(3):
        monkeypatch.setattr(dist, "rank", lambda number=number: number)
        model.zero_grad()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
        loop.learn(model, optimizer, x, y, nullcontext(), 1)
        for share, weight in zip(shares, model.parameters(), strict=True):
            share += weight.grad / 3  # the mean that DDP and FSDP take
    for g, share in zip(whole, shares, strict=True):
        assert (g - share).abs().max() < CLOSE


TRAIN, KILLED = "adamlib/train.py", "experiments/killed.py"
DOUBLE = ["--batch-size", "7", "--device", "cpu", "--precision", "float64"]  # 7, 7, 7 and 1 images


def last(folder):
    return checkpoints.read(checkpoints.Checkpoints(folder).newest())


def near(one, two):
    """Assert that two runs have the same weights, buffers and losses, but for rounding."""
    for a, b in zip(kills.tensors(one), kills.tensors(two), strict=True):
        assert (a - b).abs().max() < CLOSE
    for key in ("train_loss", "held_out_loss"):
        assert one["history"][key] == pytest.approx(two["history"][key], abs=CLOSE)


@pytest.mark.slow
@pytest.mark.parametrize("how", [[], ["--shard"]], ids=["DDP", "FSDP2"])
def test_two_processes_equal_one_and_each_can_go_on_for_the_other(own, tmp_path, how):
    one, two, turn = (str(tmp_path / name) for name in ("one", "two", "turn"))
    options = [*DOUBLE, "--data", str(own), "--epochs", "1", "--checkpoint"]
    train.main([*options, one])
    said = together(command, TRAIN, [*options, two, *how])
    assert json.loads(said[0][1])["shard"] == bool(how) and said[1][1] == ""
    assert last(one)["step"] == last(two)["step"] == 4
    near(last(one), last(two))
    shutil.copytree(one, turn)
    longer = [*DOUBLE, "--data", str(own), "--epochs", "2", "--resume", "--checkpoint"]
    together(command, TRAIN, [*longer, turn, *how])
    train.main([*longer, one])
    train.main([*longer, two])
    near(last(one), last(two))
    near(last(one), last(turn))


RUN = ["--epochs", "2", "--batch-size", "4", "--save-every", "2", "--device", "cpu", "--resume"]
KILLS = ["0 step 3", "1 step 5", "0 save 6", "2 save 8"]  # one in each life


@pytest.mark.slow
def test_processes_killed_in_every_way_end_with_the_same_bits(own, tmp_path):
    """Three: two numbers have one sum, in any order; DDP's first pass adds in one of its own."""
    run = [*RUN, "--data", own, "--checkpoint"]
    together(command, TRAIN, [*run, tmp_path / "whole"], processes=3)
    how = {"processes": 3, "restarts": len(KILLS)}
    lives = together(command, KILLED, [*run, tmp_path / "dies"], ", ".join(KILLS), **how)
    assert [life for life, _ in lives.values()] == [len(KILLS)] * 3
    whole, resumed = last(tmp_path / "whole"), last(tmp_path / "dies")
    assert resumed["step"] == 12 and kills.differing(whole, resumed) == 0


def normalized(own, folder, stops=None):
    """Train with batch normalization and dropout; process 1 may get signals after some steps."""
    with dist.group("cpu") as device:
        torch.manual_seed(dist.rank())  # DDP starts from the first one's weights
        model, steps = network(nn.Dropout(0.5)), []
        optimizer = optim.Adam(model.parameters())

        def count(*_):
            steps.append(1)
            if dist.rank() == 1 and len(steps) == stops:
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)  # torchrun passes on the terminal's

        optimizer.register_step_post_hook(count)
        options = {"checkpoint": folder, "resume": True, "device": device, "progress": False}
        try:
            train.train(model, data.load(own, device=device), optimizer, 2, 8, **options)
        except KeyboardInterrupt as stop:
            return str(stop)


def network(*layers):
    layers = nn.Linear(9, 16), nn.BatchNorm1d(16), nn.ReLU(), *layers, nn.Linear(16, 10)
    return nn.Sequential(nn.Flatten(), *layers)


@pytest.mark.slow
def test_two_processes_stop_together_and_share_normalization_and_dropout(own, tmp_path):
    together(normalized, own, tmp_path / "whole")
    said = together(normalized, own, tmp_path / "stops", 4)
    assert all("stopped after step 4, saved" in said[rank] for rank in range(2))
    together(normalized, own, tmp_path / "stops")
    whole, resumed = last(tmp_path / "whole"), last(tmp_path / "stops")
    assert kills.differing(whole, resumed) == 0
    assert whole["model"]["2.num_batches_tracked"] == whole["step"] == 6  # DDP's first pass is none
    for one, other in zip(whole["random"], resumed["random"], strict=True):
        assert torch.equal(one["cpu"], other["cpu"])
    for key in ("train_loss", "held_out_loss"):
        assert whole["history"][key] == resumed["history"][key]
    model, images = network(nn.Identity()), data.load(own, device="cpu")
    model.load_state_dict(whole["model"])
    measured = loop.evaluate(model, images.x_test, images.y_test)[0]
    # float32, summed in two parts; with means of their own the two would be off by 1e-3
    assert measured == pytest.approx(whole["history"]["held_out_loss"][-1], rel=1e-5)


def bereaved(own, folder):
    """Train; process 1 is killed after step 3, and 0 then waits until its agent stops it."""
    first = not folder.exists()

    def learn(*arguments, learn=loop.learn):
        learn(*arguments)
        if first and arguments[-1] == 3:
            os.kill(os.getpid(), signal.SIGKILL) if dist.rank() else signal.pause()

    loop.learn = learn
    return command(TRAIN, [*RUN, "--data", own, "--checkpoint", folder])


@pytest.mark.slow
def test_two_machines_restart_together(own, tmp_path):
    """Two agents, as on two machines: only one of them loses a worker, and counts a restart."""
    store = distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    how = {"processes": 1, "machines": 2, "restarts": 1, "store": store}
    with ThreadPoolExecutor() as pool:
        both = [pool.submit(together, bereaved, own, tmp_path / "run", **how) for _ in range(2)]
    lives = [life for agent in both for life, _ in agent.result().values()]
    assert sorted(lives) == [0, 1] and last(tmp_path / "run")["step"] == 12


@pytest.mark.slow
def test_ctrl_c_under_torchrun_saves_and_leaves(own, tmp_path):
    program = [sys.executable, *kills.LAUNCH, "2", "-m", "adamlib.train", "--data", str(own)]
    program += ["--epochs", "9999", "--device", "cpu", "--checkpoint", str(tmp_path)]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(program, start_new_session=True, **quiet) as running:
        while not any(path.name >= "step-000000003" for path in tmp_path.iterdir()):
            assert running.poll() is None
            sleep(0.1)
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does
        out, err = running.communicate(timeout=120)
    assert running.returncode != 0 and "saved in" in err and not out
    assert last(tmp_path)["step"] >= 3

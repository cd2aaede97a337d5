"""Several processes: what they say when something is wrong, and that they equal one."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from time import sleep

import pytest
import torch
from torch import distributed, nn
from torch.nn.functional import cross_entropy

from adamlib import data, train
from adamlib.model import ConvNet
from adamlib.runs import checkpoints, dist, loop, meeting, sharding
from experiments import kills

ROOT = Path(__file__).parents[2]
TOLD = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}
EPOCH = ["--epochs", "1", "--batch-size", "200", "--device", "cpu"]
CLOSE = 1e-12  # float64; a sum over two processes is rounded otherwise than one over all samples


@contextlib.contextmanager
def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        yield str(found.getsockname()[1])


@pytest.fixture
def told(monkeypatch):
    """The environment as torchrun sets it for one process."""
    with free_port() as port:
        pass
    for name, value in {**TOLD, "MASTER_PORT": port}.items():
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
    with free_port() as port, socket.create_server(("127.0.0.1", 0)) as server:
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
        dist.group("cpu", minutes=1 / 60).__enter__()


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
    model = ConvNet().double()
    whole = torch.autograd.grad(cross_entropy(model(x), y), list(model.parameters()))
    shares = [torch.zeros_like(g) for g in whole]
    monkeypatch.setattr(dist, "world", lambda: 3)
    for number in range(3):
        monkeypatch.setattr(dist, "rank", lambda number=number: number)
        model.zero_grad()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
        loop.learn(model, optimizer, x, y, contextlib.nullcontext(), 1)
        for share, weight in zip(shares, model.parameters(), strict=True):
            share += weight.grad / 3  # the mean that DDP and FSDP take
    for g, share in zip(whole, shares, strict=True):
        assert (g - share).abs().max() < CLOSE


DOUBLE = [*EPOCH, "--precision", "float64"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The folder of one process in float64."""
    folder = tmp_path_factory.mktemp("alone")
    train.main([*DOUBLE, "--checkpoint", str(folder)])
    return folder


@pytest.mark.parametrize("how", [[], ["--shard"]], ids=["DDP", "FSDP2"])
def test_two_processes_equal_one_and_one_can_go_on_for_two(alone, tmp_path, how):
    one = checkpoints.read(checkpoints.Checkpoints(alone).newest())
    two = kills.trained(tmp_path / "two", options=[*DOUBLE, *how])
    assert one["step"] == two["step"] == 7
    near(one, two)
    later = []
    for folder in (shutil.copytree(alone, tmp_path / "alone"), tmp_path / "two"):
        train.main([*DOUBLE, "--epochs", "2", "--resume", "--checkpoint", str(folder)])
        later.append(checkpoints.read(checkpoints.Checkpoints(folder).newest()))
    near(*later)


def near(one, two):
    """Assert that two runs have the same weights, buffers and losses, but for rounding."""
    for a, b in zip(kills.tensors(one), kills.tensors(two), strict=True):
        assert (a - b).abs().max() < CLOSE
    for key in ("train_loss", "held_out_loss"):
        assert one["history"][key] == pytest.approx(two["history"][key], abs=CLOSE)


@pytest.mark.parametrize("place", ["step 3", "save 4"])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_worker_is_restarted_and_ends_with_the_same_bits(tmp_path, whole, rank, place):
    resumed = kills.trained(tmp_path, kill=f"{rank} {place}", options=RUN)
    assert resumed["step"] == 7 and kills.differing(whole, resumed) == 0


LAYERS = """
import sys
import torch
from torch import nn
from adamlib import data, optim
from adamlib.runs import dist
from adamlib.train import train

folder, dies = sys.argv[1], int(sys.argv[2])
with dist.group("cpu") as device:
    torch.manual_seed(dist.rank())  # DDP starts from the first one's weights
    layers = nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5)
    model = nn.Sequential(*layers, nn.Linear(16, 10))
    optimizer, steps = optim.Adam(model.parameters()), []

    def die(*_):
        steps.append(1)
        assert len(steps) != dies

    optimizer.register_step_post_hook(die)
    digits = data.load(device="cpu")
    options = {"checkpoint": folder, "resume": True, "save_every": 2, "progress": False}
    train(model, digits, optimizer, 2, 200, device=device, **options)
"""


def test_two_processes_share_what_batch_normalization_and_dropout_need(tmp_path):
    (tmp_path / "own.py").write_text(LAYERS)
    stored = []
    for name, lives in (("whole", [0]), ("dies", [5, 0])):
        for dies in lives:
            command = [sys.executable, *kills.LAUNCH, "2", str(tmp_path / "own.py")]
            run = [*command, str(tmp_path / name), str(dies)]
            environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
            done = subprocess.run(run, env=environment, capture_output=True, timeout=120)
            assert (done.returncode == 0) == (dies == 0), done.stderr
        stored.append(checkpoints.read(checkpoints.Checkpoints(tmp_path / name).newest()))
    assert kills.differing(*stored) == 0
    for one, other in zip(*(run["random"] for run in stored), strict=True):
        assert torch.equal(one["cpu"], other["cpu"])
    for key in ("train_loss", "held_out_loss"):
        assert stored[0]["history"][key] == stored[1]["history"][key]
    layers = nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 10)
    model, digits = nn.Sequential(*layers), data.load(device="cpu")
    names = dict(zip(model.state_dict(), stored[0]["model"].values(), strict=True))
    model.load_state_dict(names)
    measured = loop.evaluate(model, digits.x_test, digits.y_test)[0]
    # float32, summed in two parts; with means of their own the two would be off by 1e-3
    assert measured == pytest.approx(stored[0]["history"]["held_out_loss"][-1], rel=1e-5)


def test_three_processes_add_in_the_same_order_after_a_restart(tmp_path):
    """Of two numbers the order does not matter; DDP's first pass adds in one of its own."""
    options = {"options": RUN, "processes": 3}
    unbroken = kills.trained(tmp_path / "whole", **options)
    resumed = kills.trained(tmp_path / "killed", kill="2 step 3", **options)
    assert kills.differing(unbroken, resumed) == 0


RUN = [*EPOCH, "--save-every", "2", "--resume"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return kills.trained(tmp_path_factory.mktemp("whole"), options=RUN)


def test_two_machines_restart_together(tmp_path, whole):
    """Two agents, as on two machines: only one of them loses a worker, and counts a restart."""
    with free_port() as port:
        pass
    command = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--max-restarts"]
    command += ["1", "--nproc-per-node", "1", "--rdzv-backend", "c10d", "--local-addr"]
    command += ["127.0.0.1", "--rdzv-endpoint", f"127.0.0.1:{port}", "experiments/killed.py", *RUN]
    environment = {**os.environ, "KILL": "1 step 3", "OMP_NUM_THREADS": "1"}
    start = {"cwd": ROOT, "env": environment, "stderr": subprocess.PIPE, "text": True}
    both = [
        subprocess.Popen([*command, "--checkpoint", str(tmp_path)], stdout=subprocess.PIPE, **start)
        for _ in range(2)
    ]
    try:
        said = [agent.communicate(timeout=240) for agent in both]
    finally:
        for agent in both:
            agent.kill()
    assert [agent.returncode for agent in both] == [0, 0], said
    assert sum("exitcode: -9" in err for _, err in said) == 1
    assert sum(bool(out) for out, _ in said) == 1  # the first process alone writes the record
    resumed = checkpoints.read(checkpoints.Checkpoints(tmp_path).newest())
    assert kills.differing(whole, resumed) == 0


def test_ctrl_c_under_torchrun_saves_once_and_leaves(tmp_path):
    command = [sys.executable, *kills.LAUNCH, "2", "-m", "adamlib.train", *EPOCH[2:]]
    command += ["--epochs", "500", "--save-every", "1", "--checkpoint", str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, start_new_session=True, **quiet) as running:
        while not any("step-000000003" in path.name for path in tmp_path.iterdir()):
            assert running.poll() is None
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does
        out, err = running.communicate(timeout=120)
    assert running.returncode != 0 and "saved in" in err and not out
    assert checkpoints.read(checkpoints.Checkpoints(tmp_path).newest())["step"] >= 3


def test_the_record_says_how_it_was_made(tmp_path):
    command = [sys.executable, *kills.LAUNCH, "2", "-m", "adamlib.train", *EPOCH, "--shard"]
    command += ["--schedule", "cosine", "--warm-up", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    record = json.loads(done.stdout)  # once, by the first process
    assert (record["shard"], record["schedule"], record["warm_up"]) == (True, "cosine", 2)

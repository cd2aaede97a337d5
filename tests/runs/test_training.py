"""The data, the networks and the loop."""

import json
import math
import platform
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import torch
from together import forks
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode

from adamlib import data, files, optim, rules, train
from adamlib.model import ConvNet, MLPStack

DIGITS = data.load(device="cpu")
FEW = data.Data(*(tensor[:64] for tensor in DIGITS))
INNER = FEW._replace(x_train=FEW.x_train[..., 2:6, 2:6], x_test=FEW.x_test[..., 2:6, 2:6])


def run(optimizer=optim.Adam, **options):
    torch.manual_seed(0)
    model = ConvNet(4)
    options = {"epochs": 2, "device": "cpu", "progress": False, **options}
    return model, train.train(model, INNER, optimizer(model.parameters()), **options)


def test_only_the_training_images_set_the_scale():
    assert DIGITS.x_train.mean().abs() < 1e-6 and abs(DIGITS.x_train.std() - 1) < 1e-3  # float32
    assert DIGITS.x_test.mean().abs() > 1e-4


def test_a_seed_fixes_the_split_and_another_seed_changes_it():
    assert torch.equal(DIGITS.y_test, data.load(device="cpu").y_test)
    assert not torch.equal(DIGITS.y_test, data.load(device="cpu", seed=1).y_test)


def test_a_missing_device_is_an_error_that_lists_what_there_is():
    for ask in (data.pick_device, lambda name: data.load(device=name), lambda n: run(device=n)):
        with pytest.raises(ValueError, match=r"one of \[.*'cpu'\].*'cuda:99'"):
            ask("cuda:99")


def test_auto_is_the_best_device_there_is():
    best = "cuda" if torch.cuda.is_available() else "cpu"
    if not torch.backends.mps.is_available():
        assert data.pick_device().type == best


def test_batches_are_one_seeded_permutation_in_slices():
    x = torch.arange(10)
    got = list(data.batches(x, -x, 4, torch.Generator().manual_seed(0)))
    assert [len(a) for a, _ in got] == [4, 4, 2]
    order = torch.cat([a for a, _ in got])
    assert torch.equal(order.sort().values, x) and not torch.equal(order, x)
    assert all(torch.equal(a, -b) for a, b in got)


@pytest.mark.parametrize("shape", [(2, 1, 28, 28), (1, 8, 8), (2, 3, 8, 8)])
def test_images_that_do_not_fit_get_the_reason(shape):
    with pytest.raises(ValueError, match="64·8·8 features; resize"):
        ConvNet()(torch.zeros(shape))


def test_training_learns_and_its_history_is_whole():
    model, history = run(epochs=8)
    assert history["train_loss"][-1] < 0.5 * history["train_loss"][0]
    assert {len(values) for key, values in history.items() if key != "device"} == {8}
    assert history["seconds"] == sorted(history["seconds"]) and history["device"] == "cpu"
    json.dumps(history)
    measured = train.evaluate(model, INNER.x_test, INNER.y_test)
    assert (history["held_out_loss"][-1], history["held_out_accuracy"][-1]) == measured


class NoFloat64(TorchDispatchMode):
    """Raises at the first tensor of float64, as Apple's MPS does."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor) and out.dtype == torch.float64:
            raise TypeError(f"{func} made a float64 tensor")
        return out


@pytest.mark.parametrize("optimizer", [getattr(optim, name) for name in train.OPTIMIZERS])
def test_training_needs_no_float64_which_mps_lacks(optimizer):
    with NoFloat64():
        run(optimizer, epochs=1)


@pytest.mark.slow
@pytest.mark.parametrize("precision", train.PRECISIONS)
def test_the_same_seed_gives_the_same_weights_and_another_seed_does_not(precision):
    options = dict(batch_size=48, epochs=1, precision=precision)
    first, again, other = (run(seed=seed, **options)[0] for seed in (0, 0, 1))
    for a, b, c in zip(*(m.parameters() for m in (first, again, other)), strict=True):
        assert torch.equal(a, b) and not torch.equal(a, c)


def test_float32_is_the_plain_loop_bit_for_bit():
    torch.manual_seed(0)
    model = ConvNet(4)
    optimizer, order = optim.Adam(model.parameters()), torch.Generator().manual_seed(0)
    for _ in range(2):
        for rows in torch.randperm(64, generator=order).split(24):
            optimizer.zero_grad()
            cross_entropy(model(INNER.x_train[rows]), INNER.y_train[rows]).backward()
            optimizer.step()
    trained = run(batch_size=24)[0]
    assert all(map(torch.equal, model.parameters(), trained.parameters()))


def test_bf16_computes_and_measures_in_bfloat16_and_learns_float32_weights():
    torch.manual_seed(0)
    model, seen = ConvNet(4), []
    model.register_forward_hook(lambda net, _, logits: seen.append((net.training, logits.dtype)))
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    options = dict(batch_size=16, device="cpu", precision="bf16", progress=False)
    history = train.train(model, INNER, optimizer, 2, **options)
    assert set(seen) == {(True, torch.bfloat16), (False, torch.bfloat16)}
    assert history["train_loss"][-1] < math.log(10) / 2  # half of what guessing costs
    kept = [x for w in model.parameters() for x in (w, w.grad, optimizer.state[w]["exp_avg"])]
    assert {x.dtype for x in kept} == {torch.float32}


def test_bf16_changes_the_losses_by_no_more_than_its_digits():
    exact, rounded = run()[1]["train_loss"], run(precision="bf16")[1]["train_loss"]
    assert exact != rounded
    # eight bits: 2**-9 for one rounding, some ten of them one after the other
    np.testing.assert_allclose(rounded, exact, rtol=10 * 2**-9)


def test_after_training_nothing_is_cast_any_more():
    model, _ = run(precision="bf16", epochs=1)
    assert not torch.is_autocast_enabled("cpu")
    assert model(INNER.x_test).dtype == torch.float32


def test_images_are_measured_in_parts_and_none_is_left_out():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    with torch.no_grad():
        logits = model(DIGITS.x_train)
    loss, accuracy = train.evaluate(model, DIGITS.x_train, DIGITS.y_train)
    # float32: other sizes of a product are summed in another order
    assert loss == pytest.approx(cross_entropy(logits, DIGITS.y_train).item(), rel=1e-5)
    assert accuracy == (logits.argmax(dim=1) == DIGITS.y_train).sum().item() / 1347


def pages(epochs, images=256, batch_size=64):
    """How many new pages of memory a training takes after its first epoch."""
    from resource import RUSAGE_SELF, getrusage

    torch.set_num_threads(1)
    model, part = ConvNet(), data.Data(*(tensor[:images] for tensor in DIGITS))
    optimizer, taken = optim.Adam(model.parameters()), []
    for n in (1, epochs):
        train.train(model, part, optimizer, n, batch_size, device="cpu", progress=False)
        taken.append(getrusage(RUSAGE_SELF).ru_minflt)
    return taken[1] - taken[0]


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that is told to")
def test_a_batch_finds_the_memory_that_the_one_before_it_freed():
    with ProcessPoolExecutor(1, mp_context=forks) as pool:
        taken = pool.submit(pages, 3).result()
    # a gradient of linear1 has 2,048 and 12 batches come by; while it finds its final size, the
    # heap may still grow by a few maps of 1,024
    assert taken < 8000


BAD = {"epochs": (0, 1.5, True), "batch_size": (0,)}
BAD["precision"] = ("fp16", None, torch.bfloat16, "BF16")


@pytest.mark.parametrize(("name", "value"), [(name, x) for name in BAD for x in BAD[name]])
def test_a_bad_argument_is_named_with_its_value_before_any_step(name, value):
    model = ConvNet(4)
    optimizer, before = optim.Adam(model.parameters()), model.linear2.bias.detach().clone()
    with pytest.raises(ValueError, match=f"{name} must be .* got {value!r}"):
        train.train(model, INNER, optimizer, device="cpu", **{name: value})
    assert not optimizer.state and torch.equal(model.linear2.bias, before)


def test_a_device_without_bf16_is_named(monkeypatch):
    with pytest.raises(ValueError, match=r"'bf16' needs .*, got mps"):
        train.context("bf16", torch.device("mps"))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    with pytest.raises(ValueError, match=r"'bf16' needs .*, got cuda:0"):
        train.context("bf16", torch.device("cuda:0"))
    for device in ("mps", "cuda:0"):
        with train.context("float32", torch.device(device)):
            pass


def test_a_stack_of_networks_is_each_network_alone():
    rates = torch.tensor([1e-3, 1e-2])
    stack = MLPStack([3, 4], width=16)
    together = train.train_stack(rules.adam, stack, FEW, 3, 32, lr=rates[:, None, None])
    for k in range(2):
        alone = MLPStack([3 + k], width=16)
        loss = train.train_stack(rules.adam, alone, FEW, 3, 32, lr=rates[k].item())
        # float32, summed in another order by the batched product
        torch.testing.assert_close(together[k : k + 1], loss, rtol=1e-3, atol=1e-4)


def test_equal_seeds_start_equal_networks():
    weights = MLPStack([1, 1, 2], width=8).hidden[0]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_a_run_that_diverged_is_null_in_json():
    assert json.loads(files.as_json({"loss": [1.0, float("nan"), float("inf")]})) == {
        "loss": [1.0, None, None]
    }


ONCE = ["--epochs", "1", "--device", "cpu"]


def test_the_shell_command_trains_in_the_precision_that_it_records(own, capsys):
    records, precisions = [], [*train.PRECISIONS, "float64"]
    for precision in precisions:
        train.main([*ONCE, "--data", str(own), "--precision", precision])
        records.append(json.loads(capsys.readouterr().out))
    assert [record["precision"] for record in records] == precisions
    assert len({record["history"]["train_loss"][0] for record in records}) == 3


def test_the_shell_command_trains_by_the_schedule_that_it_records(own, capsys):
    records = []
    for schedule in ([], ["--schedule", "cosine", "--warm-up", "1"]):
        train.main([*ONCE, "--data", str(own), "--batch-size", "4", *schedule])
        records.append(json.loads(capsys.readouterr().out))
    told = [records[1][key] for key in ("data", "schedule", "warm_up", "shard", "lr")]
    assert told == [str(own), "cosine", 1, False, 1e-3]  # Adam's own
    assert records[0]["history"]["train_loss"] != records[1]["history"]["train_loss"]


def test_the_shell_command_writes_the_history(own, tmp_path):
    output = tmp_path / "history.json"
    how = ["--data", str(own), "--optimizer", "Momentum", "--lr", "0.03", "--output", str(output)]
    train.main([*ONCE, *how])
    record = json.loads(output.read_text())
    assert record["optimizer"] == "Momentum" and record["lr"] == 0.03
    assert len(record["history"]["held_out_accuracy"]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["history.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lr", "-1"], "lr must be"),
        (["--epochs", "0"], "epochs must be"),
        (["--device", "tpu"], "device must be"),
        (["--precision", "fp8"], "invalid choice: 'fp8'"),
        (["--output", "no/such/folder/x.json"], "no/such/folder"),
        (["--output", "."], "output must be a file"),
    ],
)
def test_the_shell_command_explains_bad_input(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        train.main(arguments)
    assert stop.value.code == 2 and message in capsys.readouterr().err


def test_the_shell_command_takes_no_identity_numbers_for_classes(own, tmp_path, capsys):
    arrays = dict(np.load(own))
    arrays["y_train"] = arrays["y_train"].astype(np.int64) + 10**6
    np.savez(tmp_path / "people.npz", **arrays)
    with pytest.raises(SystemExit):
        train.main([*ONCE, "--data", str(tmp_path / "people.npz")])
    assert "labels must number the classes from 0, got 10000" in capsys.readouterr().err

"""The bench: that everybody does the same work, in turn, and that its numbers say what they are."""

import json
import subprocess
from functools import partial
from math import prod
from pathlib import Path

import numpy as np
import pytest
import torch

from adamlib import bench, data, rules
from adamlib.bench import __main__ as shell
from adamlib.bench import measure, others, peers, report, timing
from adamlib.engine import staging, writers
from adamlib.engine.runner import Runner

SHAPES = [(7,), (3, 5), (2, 2, 2)]
NAMES = list(bench.contenders(SHAPES))
TINY = {"tiny": SHAPES}


@pytest.fixture(autouse=True)
def same_threads():
    """The number of threads is the whole process's: what a test sets does not outlast it."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def tiny(monkeypatch):
    """A bench with one case of 30 parameters."""
    monkeypatch.setattr(shell, "CASES", TINY)
    monkeypatch.setattr(measure, "CASES", TINY)
    monkeypatch.setattr(peers, "compiler", lambda device: False)


def weights_of(steps):
    return steps["torch fused"].__self__.param_groups[0]["params"]


# what torch.compile imports uses what torch itself deprecates
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "name", [pytest.param(x, marks=pytest.mark.slow if "compiled" in x else []) for x in NAMES]
)
def test_every_contender_takes_the_steps_of_the_rule(name, monkeypatch):
    # without a C++ compiler's quarter of a minute: what it makes of a step is PyTorch's business
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    monkeypatch.setattr(peers, "compiler", lambda device: True)
    torch.manual_seed(0)
    steps = bench.contenders(SHAPES, threads=1)
    weights, expected = weights_of(steps), []
    for w in weights:
        x, g, state = w.detach().double(), w.grad.double(), ()
        for t in (1, 2, 3):
            x, *state = rules.adam(x, g, t, *state)
        expected.append(x.numpy())
    for _ in range(3):
        found = steps[name]() or [w.detach() for w in weights]
    # float32; with buffers of 8 bits each step of 1e-3 may be off by a hundredth
    tolerance = 3e-5 if "bf16" in name else 1e-6
    for w, x in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(w), x, rtol=0, atol=tolerance)


def test_all_contenders_work_on_the_same_memory():
    steps = bench.contenders(SHAPES)
    addresses = set()
    for name in set(steps) - {"optax (jit)", "torch compiled"}:
        optimizer = steps[name].__self__
        assert all(map(torch.equal, optimizer.param_groups[0]["params"], weights_of(steps)))
        if "bf16" not in name:
            states = optimizer.state.values()
            addresses.add(tuple(s[k].data_ptr() for s in states for k in ("exp_avg", "exp_avg_sq")))
    assert len(addresses) == 1


def test_the_control_is_the_same_optimizer_again():
    steps = bench.contenders(SHAPES)
    first, again = (steps[name].__self__ for name in ("torch fused", "torch fused (again)"))
    assert first is not again and first.defaults == again.defaults and first.defaults["fused"]


def test_who_is_not_installed_is_absent(monkeypatch):
    monkeypatch.setattr(peers, "installed", lambda package: False)
    monkeypatch.setenv("CXX", "no-such-compiler")
    missing = {"optax (jit)", "pytorch_optimizer", "torch compiled"}
    assert {*bench.contenders(SHAPES), *missing} == {*NAMES, *missing}
    assert not missing & {*bench.contenders(SHAPES)}


def test_what_cannot_be_compiled_is_left_out(tiny, monkeypatch):
    def broken():
        raise RuntimeError("no Python.h")

    both = {"torch fused": lambda: None, "torch compiled": broken}
    monkeypatch.setattr(measure, "contenders", lambda *arguments: both)
    rows = measure.step("tiny", 1, "cpu", rounds=1)
    assert [row["contender"] for row in rows] == ["torch fused"]


def test_the_big_cases_are_spared_what_takes_too_long(monkeypatch):
    monkeypatch.setattr(peers, "PLAIN_AT_MOST", 10)
    monkeypatch.setattr(peers, "JITTED_AT_MOST", 2)
    monkeypatch.setattr(peers, "COMPILED_AT_MOST", {"cpu": 2})
    left = {*bench.contenders(SHAPES)}
    assert not left & {"adamlib (plain)", "optax (jit)", "torch compiled"}
    assert {"adamlib (numba)", "torch for-loop", "torch foreach", "torch fused"} <= left


@pytest.mark.parametrize(
    ("name", "tensors", "parameters"),
    [
        ("ConvNet", 8, 2_140_362),
        ("2,000 × 1k", 2000, 2_000_000),
        ("ResNet-50", 161, 25_557_032),  # torchvision's
        ("one of 50M", 1, 50_000_000),
        ("GPT-2 small", 148, 124_439_808),  # OpenAI's
    ],
)
def test_a_case_has_the_tensors_of_its_model(name, tensors, parameters):
    shapes = bench.CASES[name]
    assert (len(shapes), sum(map(prod, shapes))) == (tensors, parameters)


class Clock:
    """Steps that take as long as they say, by a clock that nothing else moves."""

    def __init__(self, monkeypatch):
        self.now, self.calls = 0.0, []
        monkeypatch.setattr(timing.time, "perf_counter", lambda: self.now)

    def step(self, name, seconds):
        def run():
            self.calls.append(name)
            self.now += seconds

        return run


def test_a_race_goes_in_turns(monkeypatch):
    clock = Clock(monkeypatch)
    bench.race({name: clock.step(name, 1.0) for name in "ab"}, rounds=3, seconds=0)
    assert "".join(clock.calls) == "ab" + 3 * "ab"


def test_a_short_step_is_called_until_a_turn_is_long_enough(monkeypatch):
    clock = Clock(monkeypatch)
    steps = {"a": clock.step("a", 1.0), "b": clock.step("b", 4.0)}
    times = bench.race(steps, rounds=2, seconds=3.0)
    assert "".join(clock.calls) == "aabb" + 2 * ("aaaa" + "b")
    assert times == {"a": [1.0, 1.0], "b": [4.0, 4.0]}


def test_the_memory_s_limit_reads_four_arrays_and_writes_three():
    text = writers.loop(staging.stage(timing.traffic), ("f32",) * 4)
    assert (text.count("load_f32(") - 3, text.count("store_f32(")) == (4, 3)  # sign, decay, c
    columns = [[torch.full((100,), float(k))] for k in range(4)]
    runner = Runner(timing.traffic, "numba", False)
    runner.look(columns)
    runner.step(1, {"c": 10.0}, 1, 0)
    assert [column[0][99].item() for column in columns] == [10.0, 1.0, 12.0, 13.0]


def test_the_limit_is_the_best_pass_in_ns_per_parameter(monkeypatch):
    monkeypatch.setattr(timing, "race", lambda steps, rounds: {"limit": [3e-6, 2e-6, 5e-6]})
    assert bench.limit(1000) == pytest.approx(2.0, rel=1e-12)
    (row,) = measure.bandwidth(1, "cpu")
    assert row["ns"] * row["gigabytes_per_second"] == pytest.approx(28, rel=1e-12)


def test_a_row_has_the_median_its_ratio_to_fused_and_the_best_copy_beside_it(tiny, monkeypatch):
    seconds = {"torch fused": [2e-6, 9e-6, 3e-6], "a": [6e-6] * 3, "limit": [9e-6, 1.5e-6, 3e-6]}
    monkeypatch.setattr(measure, "race", lambda steps, rounds: dict(seconds))
    fused, a = measure.step("tiny", 1, "cpu", rounds=3)
    assert (fused["contender"], a["contender"]) == ("torch fused", "a")
    rounding = dict(rel=1e-12)  # of float64
    for row, ns, ratio in ((fused, 100, 1), (a, 200, 2)):
        assert row["ns"] == pytest.approx(ns, **rounding)
        assert row["ratio"] == pytest.approx(ratio, **rounding)
        assert row["limit_ns"] == pytest.approx(50, **rounding)
        assert row["seconds"] == seconds[row["contender"]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (partial(bench.race, {}), r"steps=\[\]"),
        (partial(bench.race, {"a": print}, rounds=0), "rounds must be .* got 0"),
        (partial(bench.race, {"a": print}, seconds=float("nan")), "seconds=nan"),
        (partial(bench.limit, 0), "n must be a whole number >= 1, got 0"),
        (partial(bench.limit, 1e6), "n must be a whole number >= 1, got 1000000.0"),
        (partial(bench.limit, 10, threads=0), "threads must be a whole number >= 1, got 0"),
        (partial(bench.contenders, SHAPES, True), "threads must be a whole number >= 1, got True"),
        (partial(bench.contenders, []), r"shapes must be at least one shape, got \[\]"),
        (partial(bench.contenders, SHAPES, device="tpu"), "device must be .* 'tpu'"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def growth_of(fixed_us, per_tensor_us, per_parameter_ns):
    sizes = [(10**k, 1) for k in range(4, 9)] + [(1000 * 4**k, 4**k) for k in range(6)]
    return [
        dict(
            contender="a",
            n=n,
            tensors=tensors,
            seconds=1e-6 * (fixed_us + per_tensor_us * tensors) + 1e-9 * per_parameter_ns * n,
        )
        for n, tensors in sizes
    ]


def test_a_fit_finds_the_costs_that_made_the_times():
    found = report.fit(growth_of(5, 2, 0.25))["a"]
    exact = {"fixed_us": 5, "per_tensor_us": 2, "per_parameter_ns": 0.25}
    assert found == pytest.approx(exact, rel=1e-6)  # solved in float64


def test_no_fitted_cost_is_negative():
    assert min(report.fit(growth_of(-1, 3, 0.25))["a"].values()) == 0


@pytest.mark.slow
def test_the_step_is_timed_within_the_epochs_of_training(monkeypatch):
    digits = data.load("digits", device="cpu")
    few = data.Data(*(tensor[:130] for tensor in digits))  # two batches

    def timed(step):
        step()
        steps.append(step.__self__)
        return 0.002

    def race(epochs, rounds, seconds):
        return {name: [run() or 0.5 for _ in range(rounds)] for name, run in epochs.items()}

    steps = []
    monkeypatch.setattr(data, "load", lambda *arguments, **options: few)
    monkeypatch.setattr(measure, "timed", timed)
    monkeypatch.setattr(measure, "race", race)
    rows = measure.loop(1, "cpu", rounds=1)
    assert {"adamlib (numba)", "torch for-loop", "torch fused"} <= {r["contender"] for r in rows}
    assert len(steps) == 2 * len(rows) and len(set(steps)) == len(rows)
    assert all((row["step_ms"], row["epoch_s"], row["threads"]) == (2.0, 0.5, 1) for row in rows)


def test_growth_and_numpy_say_how_much_they_measured():
    rows = measure.growth([(10,)] * 3, 1, "cpu", rounds=1)
    assert {(row["n"], row["tensors"], row["threads"]) for row in rows} == {(30, 3, 1)}
    assert {"adamlib (numba)", "torch fused"} <= {row["contender"] for row in rows}
    rows = measure.on_numpy(100, rounds=1)
    assert [(row["how"], row["parameters"]) for row in rows] == [
        ("plain", 100),
        ("blocks", 100),
        ("numba", 100),
    ]


def test_a_cold_start_finds_an_empty_cache_and_a_warm_one_what_the_cold_one_left(monkeypatch):
    seen = []

    def run(command, env, **options):
        folder = Path(env["XDG_CACHE_HOME"])
        seen.append(("adamlib.optim" in command[-1], len(list(folder.iterdir()))))
        (folder / f"{len(seen)}").touch()
        return subprocess.CompletedProcess(command, 0, stdout=b"0.5\n")

    monkeypatch.setattr(measure.subprocess, "run", run)
    (row,) = measure.start("cpu", rounds=2)
    assert seen == 2 * [(True, 0), (True, 1), (False, 2)] and set(row.values()) == {0.5}


@pytest.mark.slow
def test_a_fresh_process_takes_its_first_step(monkeypatch):
    monkeypatch.setattr(measure, "STARTS", {"first_step_cold_s": "adamlib.optim"})
    (row,) = measure.start("cpu", rounds=1)
    assert 0 < row["first_step_cold_s"] < 600  # seconds, not another unit or the time of day


def test_the_command_writes_a_labelled_record_and_prints_the_ratios(tiny, tmp_path, capsys):
    arguments = ["--case", "tiny", "--threads", "1", "--device", "cpu", "--output", str(tmp_path)]
    shell.main(arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["bench-cpu.json"]
    record = json.loads((tmp_path / "bench-cpu.json").read_text(encoding="utf-8"))
    about = record["about"]
    assert about["command"].startswith("python -m adamlib.bench --case tiny")
    assert about["torch"] == torch.__version__ and about["threads"] == [1]
    assert all(about[key] for key in ("device", "date", "cores", "python", "numpy"))
    assert about["commit"] or not (Path(bench.__file__).parents[2] / ".git").exists()
    rows = {row["contender"]: row for row in record["step"]}
    assert rows["torch fused"]["ratio"] == 1 and rows["torch fused"]["parameters"] == 30
    for row in rows.values():
        assert len(row["seconds"]) == 7 and row["limit_ns"] > 0
        assert row["ns"] == pytest.approx(1e9 * np.median(row["seconds"]) / 30)
    printed = capsys.readouterr().out
    assert "tiny: 30 parameters in 3 tensors" in printed
    assert f"{rows['torch foreach']['ratio']:.2f}" in printed


def test_the_command_leaves_the_number_of_threads_as_it_was(tiny, capsys):
    torch.set_num_threads(2)
    shell.main(["--case", "tiny", "--threads", "1", "--device", "cpu"])
    assert torch.get_num_threads() == 2 and "torch fused" in capsys.readouterr().out


def record_of(contender, threads, ns):
    row = dict(case="ConvNet", threads=threads, parameters=2_140_362, tensors=8, limit_ns=0.4)
    return {**row, "contender": contender, "ns": ns, "ratio": ns / 0.8}


def test_a_table_says_how_many_times_fused_and_what_share_of_the_limit():
    names = {"torch fused": 0.8, "adamlib (numba, bf16 buffers)": 0.5, "torch for-loop": 80.0}
    rows = [record_of(name, threads, ns) for threads in (1, 2) for name, ns in names.items()]
    lines = report.tables({"step": rows}).splitlines()
    assert lines[0].startswith("ConvNet: 2,140,362 parameters in 8 tensors")
    assert lines[2].split()[-2:] == ["0.40", "0.40"]  # the memory's line
    assert lines[4].split()[-6:] == ["0.50", "0.62", "80%"] * 2
    assert lines[5].split()[-3:] == ["80.00", "100.00", "0%"]
    assert len({len(line) for line in lines[1:2] + lines[3:]}) == 1 and len(lines[1]) <= 80


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threads", "0"], "threads must be from 1 to"),
        (["--threads", "1", "100000"], "got [1, 100000]"),
        (["--case", "VGG"], "invalid choice: 'VGG'"),
        (["--device", "tpu"], "invalid choice: 'tpu'"),
        (["--output", "no/such/folder/x.json"], "no/such/folder"),
    ],
)
def test_the_command_explains_bad_input_before_it_measures(arguments, message, capsys, monkeypatch):
    monkeypatch.setattr(shell, "measured", None)
    with pytest.raises(SystemExit) as stop:
        shell.main(arguments)
    assert stop.value.code == 2 and message in capsys.readouterr().err


def test_without_numba_the_command_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setattr(shell.compiler, "installed", lambda package: False)
    with pytest.raises(SystemExit):
        shell.main([])
    assert "pip install numba" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_cuda_is_refused(capsys):
    with pytest.raises(SystemExit):
        shell.main(["--device", "cuda"])
    assert "device must be" in capsys.readouterr().err


@pytest.mark.parametrize("make", [others.lions, others.muons])
def test_other_rules_and_their_peers_move_the_weights(make):
    for name, step in make([(4, 3), (2, 3, 1, 1)]).items():
        weights = step.__self__.param_groups[0]["params"]
        before = [w.detach().clone() for w in weights]
        step()
        assert not any(map(torch.equal, before, weights)), name


def test_a_row_of_other_rules_has_its_ratio_to_pytorch(monkeypatch):
    monkeypatch.setattr(others, "LION", TINY)
    monkeypatch.setattr(others, "MUON", {"tiny": [(4, 3)]})
    monkeypatch.setattr(others, "race", lambda steps, rounds: {name: [0.5] for name in steps})
    rows = others.others(1, 2)
    assert {row["contender"] for row in rows} >= {"adamlib Lion", "adamlib Muon", "torch Muon"}
    assert {(row["ms"], row["ratio"], row["threads"]) for row in rows} == {(500.0, 1.0, 1)}
    text = report.tables({"step": [], "others": rows})
    assert "Other rules: tiny, threads: 1" in text and "adamlib Muon" in text


def test_everything_that_is_asked_for_is_measured():
    def parts(*arguments):
        return [part for part, _, _ in shell.jobs(shell.parse(["--device", "cpu", *arguments]))]

    whole = parts("--threads", "1")
    assert whole.count("step") == len(bench.CASES) and whole.count("parameters") == 11
    assert {"growth", "loop", "numpy", "start", "limit", "others"} <= {*whole, "growth"}
    assert set(parts("--case", "ConvNet")) == {"step"}
    assert len(parts("--quick", "--threads", "1")) < len(whole)

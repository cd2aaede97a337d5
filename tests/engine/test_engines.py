"""How a rule is taken apart, compiled, kept on disk and run over tensors and arrays."""

import ast
import functools
import math
import os
import shutil
import subprocess
import sys

import building
import numpy as np
import pytest
import torch
from oracle import (
    BFLOAT16,
    CLOSE,
    NAMES,
    channels_last,
    distance,
    every_class,
    ours,
    ramp,
    same_bits,
    shapes,
    walk,
    weights_of,
)

from adamlib import files, optim, rules
from adamlib.engine import compiler, kernels, plain, staging

RATE = 0.5


# rules that staging can take apart: the loop's own words as names, results that depend on another


def hands_on(w, g, t, last=0, before=0, *, lr=0.1):
    return w - lr * g - lr * before, w, last


def clashes(w, g, t, bits=0, start=0, *, lr=0.1, decay=0.5, sign=2.0):
    i = sign * g + decay * start
    n = (i > bits) * i
    c0 = n * n
    sqrt = decay * bits + c0
    number = (sqrt**2 + 1) ** 0.5
    job = 0 * t
    w_ = lr * number + job
    at_w = 2 * w_
    new1 = at_w - w_
    times = 2 * new1 - w_
    return w - times, sqrt, number


def swapped(w, g, t, a=0, b=0, *, lr=0.1):
    a = a + g
    return w - lr * b, b + w, a


def lion(w, g, t, m=0, *, lr=0.1, betas=(0.9, 0.99)):
    beta1 = betas[0]
    c = beta1 * m + (1 - beta1) * g
    sign = c / (abs(c) + 1e-30)
    m = betas[1] * m + (1 - betas[1]) * g
    return w - lr * sign, m


def bare(w, g, t):
    return (w - g,)


def required(w, g, t, *, lr=0.1, rate):
    return (w - lr * rate * g,)


def number_first(w, g, t, n=2, m=0, *, lr=0.1):
    n = n + lr
    m = m + g / n
    return w - m, n, m


def number_last(w, g, t, m=0, left=1, *, lr=0.1):
    return w - lr * left * m, m + left * g, left / 2


def numbers_of_each_other(w, g, t, a=1, b=2, *, lr=0.1):
    a, old = a + b, a
    return w - lr * a * g, a, old


def rate_of_its_own(w, g, t, *, lr=0.1):
    lr = lr / t
    return (w - lr * g,)


OWN = [hands_on, clashes, swapped, lion, bare, rate_of_its_own]
NUMBERED = {number_first: ["n"], number_last: ["left"], numbers_of_each_other: ["a", "b"]}
OWN += [*NUMBERED]


# rules that it cannot


def augmented(w, g, t, *, lr=0.1):
    w -= lr * g
    return (w,)


def branching(w, g, t, *, lr=0.1):
    if t > 1:
        w = w - lr * g
    return (w,)


def calling(w, g, t, *, lr=0.1):
    w = w - max(lr, 0.2) * g
    return (w,)


def outside(w, g, t, *, lr=0.1):
    w = w - RATE * g
    return (w,)


def cubed(w, g, t, *, lr=0.1):
    w = w - lr * g**3
    return (w,)


def unpacking(w, g, t, *, lr=0.1):
    g, w = lr * g, w
    return (w - g,)


def chained(w, g, t, *, lr=0.1):
    w = w - lr * (0 < g < 1)
    return (w,)


def several(w, g, t, *, lr=0.1, **more):
    return (w - lr * g,)


def scalar_twice(w, g, t, *, lr=0.1):
    w = w - lr * g
    lr = lr / t
    return (w - lr * g,)


def single(w, g, t, *, lr=0.1):
    return w - lr * g


def nothing(w, g, t, *, lr=0.1):
    w = w - lr * g


def fewer(w, g, t, m=0, *, lr=0.1):
    m = m + g
    return (w - lr * m,)


REFUSED = {
    augmented: "w -= lr",
    branching: "if t > 1",
    calling: "max",
    outside: "RATE",
    cubed: r"g \*\* 3",
    unpacking: "g, w = ",
    chained: "0 < g < 1",
    several: "def without",
    scalar_twice: "lr twice",
    single: "return w - lr",
    nothing: "nothing must return w",
    fewer: "fewer must return w, m",
    max: "source",
    functools.partial(rules.adam, lr=0.1): "source",
}


@pytest.mark.parametrize("rule", REFUSED, ids=lambda rule: getattr(rule, "__name__", "partial"))
def test_what_cannot_be_compiled_is_named_and_auto_runs_it_plain(rule):
    with pytest.raises(ValueError, match=REFUSED[rule]):
        staging.stage(rule)
    assert not compiler.can_compile(rule)


@pytest.mark.parametrize("rule", [*(getattr(rules, name) for name in NAMES), *OWN])
def test_a_rule_taken_apart_computes_what_the_rule_computes(rule):
    staged = staging.stage(rule)
    t, values = 3, (0.5, -0.3, 0.2, 0.7, 0.4)
    expected = rule(*values[:2], t, *values[2 : len(buffers_of(rule)) + 2])
    given = dict(zip(["w", "g", *buffers_of(rule)], values, strict=False))
    numbers = {name: given.pop(name) for name in staged.numbers}
    words = {}
    exec(staged.constants, words)
    constants, new = (words[each](t, **numbers) for each in ("constants", "renewed"))
    assert len(constants) == staged.count and [*new] == [*numbers]
    names = {f"c{k}": c for k, c in enumerate(constants)}
    names |= {"sqrt": math.sqrt, "number": float}
    names |= dict(zip(staged.arrays, given.values(), strict=True))
    exec("\n".join(staged.lines), names)
    found = [new[x] if x in new else names[staging.own(x)] for x in ("w", *buffers_of(rule))]
    assert found == pytest.approx(expected, rel=1e-14)  # roundings


def buffers_of(rule):
    """The names of a rule's buffers."""
    return rule.__code__.co_varnames[3 : rule.__code__.co_argcount]


def test_a_buffer_into_which_no_array_flows_is_a_number():
    for rule in (*(getattr(rules, name) for name in NAMES), *OWN):
        numbers = ["product"] if rule is rules.nadam else NUMBERED.get(rule, [])
        assert [*staging.stage(rule).numbers] == numbers


@every_class
def test_nothing_that_is_the_same_for_all_elements_is_left_in_the_loop(name):
    staged = staging.stage(getattr(rules, name))
    tree = list(ast.walk(ast.parse("\n".join(staged.lines))))
    used = {node.id for node in tree if isinstance(node, ast.Name)}
    assert not used & {"t", *staged.hyper, "beta1", "beta2"}
    assert not [node for node in tree if isinstance(node, ast.Constant | ast.Pow)]
    constants = {f"c{k}" for k in range(staged.count)}
    for node in tree:
        if isinstance(node, ast.BinOp):
            sides = [
                {n.id for n in ast.walk(x) if isinstance(n, ast.Name)}
                for x in (node.left, node.right)
            ]
            assert not sides[0] | sides[1] <= constants
            assert not (isinstance(node.op, ast.Div) and sides[1] <= constants)


# The NumPy path


def arrays_for(rule, n=20, dtype=np.float64):
    count = rule.__code__.co_argcount - 1  # t is no array
    return [np.linspace(-1, 1, n).astype(dtype) ** (2 if k > 1 else 1) + k for k in range(count)]


@pytest.mark.parametrize(
    "options", [{"engine": "blocks", "block": 7}, {"engine": "numba"}, {}], ids=str
)
@pytest.mark.parametrize("rule", [*(getattr(rules, name) for name in NAMES), *OWN])
def test_an_update_in_place_is_the_rule(rule, options):
    for shape in ((20,), (5, 4), (), (0,)):
        n = math.prod(shape)
        arrays = [a.reshape(shape) for a in arrays_for(rule, n)]
        w, g, *state = [a.copy() for a in arrays]
        for t in (1, 2):
            w, *state = rule(w, g, t, *state)
            if options.get("engine") == "numba" and compiler.numbers(rule):
                with pytest.raises(ValueError, match="engine must be 'auto' or 'blocks' for"):
                    kernels.update(rule, arrays[0], arrays[1], t, *arrays[2:], **options)
                return
            kernels.update(rule, arrays[0], arrays[1], t, *arrays[2:], **options)
        for array, expected in zip((arrays[0], *arrays[2:]), (w, *state), strict=True):
            np.testing.assert_allclose(array, expected, rtol=1e-14, atol=1e-15)  # roundings


def test_an_update_takes_hyperparameters_and_a_gradient_that_cannot_be_written():
    for engine in ("blocks", "numba"):
        w, g = np.ones(3, dtype=np.float32), np.ones(3, dtype=np.float32)
        g.setflags(write=False)
        kernels.update(rules.gradient_descent, w, g, 1, engine=engine, lr=0.25)
        assert (w == 0.75).all()


def test_a_hyperparameter_may_have_no_usual_value():
    w = np.ones(3)
    kernels.update(required, w, np.ones(3), 1, engine="numba", lr=0.5, rate=0.5)
    assert (w == 0.75).all()
    with pytest.raises(TypeError, match="'rate'"):
        kernels.update(required, w, np.ones(3), 1, engine="numba")


def locked(a):
    a.setflags(write=False)
    return a


ONES = np.ones(4)
WRONG = {
    "a view with gaps": (np.ones(8)[::2], ONES, ValueError, "contiguous"),
    "another shape": (np.ones(4), np.ones(3), ValueError, r"contiguous.*\(3,\)"),
    "another dtype": (np.ones(4), np.ones(4, dtype=np.float32), ValueError, "contiguous.*float32"),
    "integers": (np.ones(4, dtype=int), np.ones(4, dtype=int), ValueError, "contiguous.*int64"),
    "float16": (np.ones(4, np.float16), np.ones(4, np.float16), ValueError, "contiguous.*float16"),
    "bytes in the other order": (
        np.ones(4, ">f8"),
        np.ones(4, ">f8"),
        ValueError,
        "contiguous.*>f8",
    ),
    "a list": ([1.0] * 4, ONES, ValueError, "contiguous.*1.0"),
    "memory that cannot be written": (locked(np.ones(4)), ONES, ValueError, "writable"),
}


@pytest.mark.parametrize("engine", ["blocks", "numba"])
@pytest.mark.parametrize("wrong", WRONG)
def test_an_update_names_what_it_cannot_take_and_changes_nothing(wrong, engine):
    w, g, error, words = WRONG[wrong]
    before = np.array(w)
    with pytest.raises(error, match=words):
        kernels.update(rules.gradient_descent, w, g, 1, engine=engine)
    assert (np.array(w) == before).all()


@pytest.mark.parametrize("engine", ["blocks", "numba"])
def test_an_update_names_missing_buffers_unknown_hyperparameters_and_engines(engine):
    w = np.ones(4)
    with pytest.raises(ValueError, match="adam has 2 buffers, got 1"):
        kernels.update(rules.adam, w, ONES, 1, np.zeros(4), engine=engine)
    with pytest.raises(TypeError, match="'rl'"):
        kernels.update(rules.gradient_descent, w, ONES, 1, engine=engine, rl=0.1)
    with pytest.raises(ValueError, match=r"engine must be.*'cuda'"):
        kernels.update(rules.gradient_descent, w, ONES, 1, engine="cuda")
    assert (w == 1).all()


# Kernels on disk


@pytest.fixture
def cold(monkeypatch, tmp_path):
    """A cache folder of this test alone, and no kernel loaded."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(compiler, "kernel", functools.cache(compiler.kernel.__wrapped__))
    return tmp_path / "adamlib"


def descend():
    w = np.ones(3)
    kernels.update(rules.gradient_descent, w, np.ones(3), 1, engine="numba", lr=0.5)
    assert (w == 0.5).all()


def forget(monkeypatch, compiles):
    """Load kernels anew; compiling one is an error unless `compiles`."""
    compiler.kernel.cache_clear()

    def refuse(text):
        raise AssertionError("compiled")

    if not compiles:
        monkeypatch.setattr(compiler, "compiled", refuse)


def test_a_kernel_is_compiled_once_and_kept(cold, monkeypatch):
    descend()
    (path,) = cold.iterdir()  # and no temporary file
    assert path.suffix == ".ll" and path.name.startswith("gradient_descent-f64-f64-")
    forget(monkeypatch, compiles=False)
    descend()
    assert list(cold.iterdir()) == [path]


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage",
    [lambda x: x[:-9], lambda x: b"", lambda x: b"\xff" + x, lambda x: x.replace(b"fmul", b"fadd")],
    ids=["cut off", "empty", "binary", "changed"],
)
def test_a_damaged_file_is_compiled_and_written_anew(cold, monkeypatch, damage):
    descend()
    (path,) = cold.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    forget(monkeypatch, compiles=True)
    descend()
    forget(monkeypatch, compiles=False)
    descend()


def test_a_file_that_cannot_be_written_whole_is_not_written(cold, monkeypatch):
    def full(descriptor):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    descend()
    assert not list(cold.iterdir())
    with pytest.raises(OSError, match="no space"):
        files.write(cold / "x", "text")
    assert not list(cold.iterdir())


def test_a_cache_is_not_needed(cold, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    descend()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(compiler.Path, "home", lambda: exec("raise RuntimeError('no home')"))
    forget(monkeypatch, compiles=True)
    descend()


def test_a_kernel_is_compiled_anew_when_the_words_of_its_loop_change(cold, monkeypatch, tmp_path):
    descend()
    for path in compiler.Path(compiler.__file__).parent.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        changed = text + "#" * (path.stem == "intrinsics")
        (tmp_path / path.name).write_text(changed, encoding="utf-8")
    monkeypatch.setattr(compiler, "__file__", str(tmp_path / "compiler.py"))
    forget(monkeypatch, compiles=True)
    descend()
    assert len(list(cold.iterdir())) == 2


def test_a_second_process_loads_a_kernel_without_numba(cold):
    descend()
    program = """if True:
        import sys
        import numpy as np
        from adamlib import rules
        from adamlib.engine import kernels
        w = np.ones(3)
        kernels.update(rules.gradient_descent, w, np.ones(3), 1, engine="numba", lr=0.5)
        assert (w == 0.5).all()
        assert not {"numba", "torch"} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
    assert len(list(cold.iterdir())) == 1


# Threads


@pytest.mark.parametrize("engine", ["plain", "numba"])
def test_a_bfloat16_weight_halfway_between_two_goes_to_the_even_one(engine):
    w = torch.nn.Parameter(torch.tensor([1, 1 + 2**-7], dtype=torch.bfloat16))  # 2**-7 apart
    w.grad = torch.full_like(w, -1)
    optim.GradientDescent([w], lr=2**-8, engine=engine).step()
    assert w.tolist() == [1, 1 + 2**-6]


@pytest.mark.slow
def test_a_package_in_a_zip_compiles_its_kernels(tmp_path):
    archive = shutil.make_archive(tmp_path / "zipped", "zip", building.ROOT, "adamlib")
    program = """
import torch, adamlib.optim
w = torch.nn.Parameter(torch.ones(2))
w.grad = torch.ones(2)
adamlib.optim.Adam([w], lr=0.5, engine="numba").step()
print(adamlib.optim.__file__, w.tolist())
"""
    environment = {**os.environ, "PYTHONPATH": archive, "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == [f"{archive}/adamlib/optim.py", "[0.5,", "0.5]"], done.stderr


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("runtime", ["OpenMP", "none"])
@pytest.mark.parametrize("options", [{}, BFLOAT16], ids=str)
def test_several_threads_give_the_bits_of_one(threads, monkeypatch, runtime, options):
    if runtime == "none":
        monkeypatch.setattr(kernels, "openmp", lambda: None)
    elif not kernels.openmp():
        pytest.skip("PyTorch has brought no OpenMP runtime that can be called")
    forks, fork = [], kernels.fork

    def count(*args):
        forks.append(args[-1])
        fork(*args)

    monkeypatch.setattr(kernels, "fork", count)

    def make():
        return [ramp(n, dtype=torch.float32) for n in (150_000, 10, 3 * kernels.CHUNK, 70_000)]

    optimizers = [ours("adam", make, "numba", **options) for _ in range(2)]
    for count_of_threads, optimizer in zip((1, 3), optimizers, strict=True):
        threads(count_of_threads)
        walk((optimizer,), 3)
    assert same_bits(*optimizers) and forks == [3, 3, 3]


# Which engine runs


def optimizer_of(own):
    class Own(optim.RuleOptimizer):
        rule = staticmethod(own)

        def __init__(self, params, **options):
            super().__init__(params, {}, **options)

    return Own


def parameters():
    return [torch.nn.Parameter(w) for w in shapes()]


@pytest.mark.parametrize("options", [{}, BFLOAT16], ids=str)
@pytest.mark.parametrize("rule", OWN)
def test_a_rule_of_ones_own_is_an_optimizer_on_every_engine(rule, options):
    cls, names = optimizer_of(rule), ("plain", "numba", "auto")
    plain, numba, auto = trio = [cls(parameters(), engine=e, **options) for e in names]
    walk(trio, 1)
    assert distance(plain, numba) < CLOSE and same_bits(numba, auto)
    for a, b in zip(plain.state.values(), numba.state.values(), strict=True):
        for key, x in a.items():  # a rounding before that at random may lead to the next bfloat16
            torch.testing.assert_close(x, b[key], rtol=2**-7 if options else 1e-14, atol=1e-14)
    assert set(plain.state_dict()["state"][0]) == {"step", *cls.names}


def test_a_rule_that_cannot_be_compiled_runs_plain_unless_numba_is_asked_for():
    cls = optimizer_of(outside)
    mine = cls(parameters())
    oracle = torch.optim.SGD(parameters(), lr=RATE)
    walk((mine, oracle), 3)
    assert distance(mine, oracle) < CLOSE
    with pytest.raises(ValueError, match="RATE"):
        cls(parameters(), engine="numba")


@pytest.fixture
def plain_calls(monkeypatch):
    calls, update = [], plain.update

    def count(rule, t, hyper, *rest):
        calls.append(rule)
        update(rule, t, hyper, *rest)

    monkeypatch.setattr(plain, "update", count)
    return calls


@pytest.mark.parametrize(
    ("make", "lay", "slow"),
    [
        (shapes, torch.clone, 0),
        (lambda: shapes(torch.bfloat16), torch.clone, 0),
        (lambda: shapes(torch.complex64), torch.clone, 0),
        (lambda: [ramp(4, 3).T], lambda g: g.T.contiguous().T, 0),
        (channels_last, lambda g: g.to(memory_format=torch.channels_last), 0),
        (lambda: [ramp(4, 3), ramp(8)[::2], ramp(5)], torch.clone, 1),
        (lambda: [ramp(4, 3).T, ramp(5)], torch.clone, 1),
    ],
    ids=["shapes", "bfloat16", "complex", "transposed", "channels_last", "gaps", "unlike"],
)
def test_only_what_does_not_lie_alike_without_gaps_runs_plain(plain_calls, make, lay, slow):
    optimizer = ours("adam", make, "numba")
    walk((optimizer,), 2, lay=lay)
    assert len(plain_calls) == 2 * slow


def test_every_layer_of_a_model_runs_compiled(plain_calls):
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3),
        torch.nn.Conv2d(4, 4, 1),
        torch.nn.BatchNorm2d(4),
        torch.nn.Flatten(),
        torch.nn.Linear(16, 1),
    ).to(memory_format=torch.channels_last)
    lstm = torch.nn.LSTM(3, 2)
    optimizer = optim.Adam([*model.parameters(), *lstm.parameters()], engine="numba")
    for _ in range(2):
        optimizer.zero_grad()
        x = torch.ones(2, 3, 4, 4).to(memory_format=torch.channels_last)
        (model(x).sum() + lstm(torch.ones(5, 3))[0].sum()).backward()
        optimizer.step()
    assert not plain_calls


def test_without_numba_auto_is_plain_and_numba_names_what_to_install(monkeypatch, plain_calls):
    monkeypatch.setattr(compiler, "installed", lambda package: False)
    compiler.can_compile.cache_clear()
    walk((ours("adam"),), 1)
    compiler.can_compile.cache_clear()
    assert len(plain_calls) == len(shapes())
    with pytest.raises(ValueError, match="pip install"):
        optim.Adam(parameters(), engine="numba")
    with pytest.raises(ValueError, match="Triton"):
        optim.Adam(parameters(), engine="compile")


@pytest.mark.parametrize("error", [ImportError("no NumPy 2.4"), AttributeError("np.long")])
def test_a_numba_that_cannot_be_used_is_told_and_auto_is_plain(cold, monkeypatch, error):
    def broken(text):
        raise error

    monkeypatch.setattr(compiler, "compiled", broken)
    optimizer, plain = ours("adam"), ours("adam", engine="plain")
    with pytest.warns(UserWarning, match=f"numba cannot be used: .*{error}; steps run plain"):
        walk((optimizer,), 2)
    walk((plain,), 2)
    assert same_bits(optimizer, plain)
    w = np.ones(3)
    kernels.update(rules.gradient_descent, w, np.ones(3), 1, lr=0.5)
    assert (w == 0.5).all()
    with pytest.raises(ImportError, match=f"numba cannot be used: .*{error}"):
        walk((ours("adam", engine="numba"),), 1)


def test_a_weight_on_another_device_is_named():
    optimizer = optim.Adam([torch.nn.Parameter(torch.ones(3, device="meta"))], engine="numba")
    weights_of(optimizer)[0].grad = torch.ones(3, device="meta")
    with pytest.raises(ValueError, match="runs on the CPU, got a parameter on meta"):
        optimizer.step()

"""Steps, groups and copies: the contract of torch.optim, for every class and engine."""

import copy
import pickle
import weakref

import pytest
import torch
from oracle import (
    BFLOAT16,
    CLOSE,
    ENGINES,
    NEAR,
    PAIRS,
    buffers_of,
    channels_last,
    distance,
    every_class,
    every_engine,
    fit,
    ours,
    ramp,
    same_bits,
    saved,
    shapes,
    stored,
    theirs,
    walk,
    weights_of,
)
from torch.optim import lr_scheduler
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.utils._python_dispatch import TorchDispatchMode

from adamlib import optim
from adamlib.engine import kernels

DTYPES = {  # and the tolerance after 12 steps from weights of about 1
    torch.float64: CLOSE,
    torch.float32: 2e-6,  # a few roundings
    torch.bfloat16: 2**-5,  # torch rounds each operation to 8 bits, ours the result of a step
    torch.float16: 2**-8,  # likewise, to 11 bits
    torch.complex128: CLOSE,
    torch.complex64: 2e-6,  # a few roundings
}


@pytest.mark.slow
@every_class
@every_engine
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_and_size_goes_as_in_torch(name, engine, dtype):
    mine = ours(name, lambda: shapes(dtype), engine)
    other = theirs(name, lambda: shapes(dtype))
    walk((mine, other), 12)
    assert distance(mine, other) < max(DTYPES[dtype], NEAR[engine])
    for w in weights_of(mine):
        buffers = buffers_of(mine.state[w])
        assert all(x.dtype == w.dtype and x.shape == w.shape for x in buffers)


@every_class
@every_engine
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_weights_of_two_bytes_are_computed_in_float32_and_rounded_once(name, engine, dtype):
    narrow = ours(name, lambda: shapes(dtype), engine)
    wide = ours(name, lambda: [w.float() for w in shapes(dtype)], engine)
    walk((narrow, wide), 1, lay=lambda g: g.to(dtype).to(g.dtype))
    for w, exact in zip(weights_of(narrow), weights_of(wide), strict=True):
        assert torch.equal(w, exact.to(dtype))


LAYOUTS = {  # weights, and how a gradient is laid out
    "weights with gaps": (lambda: [ramp(4, 6)[:, ::2], ramp(9)[::3]], torch.clone),
    "transposed": (lambda: [ramp(4, 3).T], lambda g: g.T.contiguous().T),
    "channels_last": (channels_last, lambda g: g.to(memory_format=torch.channels_last)),
    "gradients of another layout": (
        lambda: [ramp(4, 3), ramp(2, 3, 4, 5), ramp(4, 3).T],
        lambda g: g.transpose(0, 1).clone(memory_format=torch.contiguous_format).transpose(0, 1),
    ),
    "gradients with gaps": (lambda: [ramp(5)], lambda g: torch.stack([g, g], -1)[..., 0]),
    "gradients of one number": (lambda: [ramp(3, 4)], lambda g: g[0, 0].expand(3, 4)),
    "gradients to be negated": (lambda: [ramp()], lambda g: torch.complex(g, -g).conj().imag),
}


@every_class
@every_engine
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_goes_as_in_torch(name, engine, layout):
    make, lay = LAYOUTS[layout]
    mine, other = ours(name, make, engine), theirs(name, make)
    walk((mine, other), 3)
    walk((mine, other), 6, seed=1, lay=lay)
    assert distance(mine, other) < NEAR[engine]


@every_engine
def test_a_complex_gradient_to_be_conjugated_is_its_conjugate(engine):
    lazy, eager = (ours("adam", lambda: [ramp(3, dtype=torch.complex128)], engine) for _ in "ab")
    walk((lazy,), 2, lay=torch.conj)
    walk((eager,), 2, lay=torch.conj_physical)
    assert same_bits(lazy, eager)


@every_engine
def test_an_infinite_weight_without_gradient_stays(engine):
    optimizer = ours("adam", lambda: [torch.tensor([-torch.inf, 1.0])], engine)
    (w,) = weights_of(optimizer)
    w.grad = torch.zeros_like(w)
    optimizer.step()
    assert w.tolist() == [-torch.inf, 1.0]


@every_class
def test_engines_agree_and_auto_is_numba_on_the_cpu(name):
    plain, numba, auto = optimizers = [ours(name, engine=e) for e in ("plain", "numba", "auto")]
    walk(optimizers, 12)
    assert distance(plain, numba) < CLOSE and same_bits(numba, auto)


OPTIONS = {
    "maximize": {"maximize": True},
    "weight_decay": {"weight_decay": 0.3},
    "both": {"maximize": True, "weight_decay": 0.3},
    "lr of no dimension": {"lr": torch.tensor(0.05, dtype=torch.float64)},
    "lr of one element": {"lr": torch.tensor([0.05], dtype=torch.float64, requires_grad=True)},
}


@every_class
@every_engine
@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_goes_as_in_torch(name, engine, option):
    mine = ours(name, engine=engine, **OPTIONS[option])
    other = theirs(name, **OPTIONS[option])
    walk((mine, other), 12)
    assert distance(mine, other) < NEAR[engine]


@every_class
@every_engine
def test_a_clock_stands_while_its_gradient_is_missing(name, engine):
    def groups(engine):
        a, b, c, d = (torch.nn.Parameter(fit(ramp(n), engine)) for n in (4, 5, 2, 3))
        return [
            {"params": [a, b, c]},
            {"params": d, "lr": 0.3, "weight_decay": 0.1},
            {"params": []},
        ]

    cls, other_cls, hyper, switches = PAIRS[name]
    mine = cls(groups(engine), **hyper, engine=engine)
    other = other_cls(groups("plain"), **hyper, **switches)
    for steps, absent in ((3, [1, 2]), (2, [2, 3]), (2, [0, 2]), (2, [0, 1, 2, 3]), (3, [2])):
        walk((mine, other), steps, seed=steps, absent=absent)
    assert distance(mine, other) < NEAR[engine]
    a, b, c, d = weights_of(mine)
    assert [mine.state[w]["step"] for w in (a, b, d)] == [8, 8 - 1, 8]
    assert c not in mine.state and torch.equal(c, fit(ramp(2), engine))


@every_class
@every_engine
def test_an_added_group_goes_as_in_an_optimizer_of_its_own(name, engine):
    mine, alone = ours(name, engine=engine), ours(name, engine=engine, lr=0.3)
    late = [torch.nn.Parameter(w.detach().clone()) for w in weights_of(alone)]
    walk((mine,), 3)
    mine.add_param_group({"params": iter(late), "lr": 0.3})
    for k in range(3):
        walk((alone,), 1, seed=k)
        for w, twin in zip(late, weights_of(alone), strict=True):
            w.grad = twin.grad
        mine.step()
    assert all(map(torch.equal, late, weights_of(alone)))


def test_a_group_is_the_callers_dict():
    group = {"params": torch.nn.Parameter(ramp(3)), "name": "head"}
    optimizer = optim.Adam([group])
    group["lr"] = 0.0
    walk((optimizer,), 1)
    assert optimizer.param_groups[0] is group and torch.equal(group["params"][0], ramp(3))


@every_class
def test_parameters_keep_their_names(name):
    optimizer = PAIRS[name][0](torch.nn.Linear(3, 2).named_parameters())
    optimizer.add_param_group({"params": [("late", torch.nn.Parameter(ramp(2)))]})
    for _ in range(2):
        state_dict = optimizer.state_dict()
        for groups in (optimizer.param_groups, state_dict["param_groups"]):
            assert [g["param_names"] for g in groups] == [["weight", "bias"], ["late"]]
        optimizer.load_state_dict(stored(state_dict))


@every_engine
def test_weights_may_move_in_memory_and_change_their_layout(engine):
    still, moving = (ours("adam", engine=engine) for _ in "ab")
    for k in range(6):
        walk((still, moving), 1, seed=k)
        for w in weights_of(moving):
            w.data = w.data.clone() if k != 3 or w.ndim < 2 else w.data.t().contiguous().t()
    assert distance(still, moving) < NEAR[engine]


@every_engine
def test_a_gradient_written_into_the_same_memory_is_read_anew(engine):
    fresh, reused = (ours("adam", engine=engine) for _ in "ab")
    kept = [torch.empty_like(w) for w in weights_of(reused)]
    for k in range(4):
        walk((fresh,), 1, seed=k)
        for w, g, twin in zip(weights_of(reused), kept, weights_of(fresh), strict=True):
            w.grad = g.copy_(twin.grad)
        reused.step()
    assert same_bits(fresh, reused)


@every_engine
def test_a_model_may_change_its_dtype_between_steps(engine):
    mine = ours("adam", lambda: shapes(torch.float32), engine)
    walk((mine,), 2)
    for w in weights_of(mine):
        w.data, w.grad = w.data.double(), None
    double = ours("adam", lambda: [w.detach().cpu().clone() for w in weights_of(mine)], engine)
    double.load_state_dict(mine.state_dict())
    walk((mine, double), 1, seed=1)
    assert all(w.dtype == torch.float64 for w in weights_of(mine))
    assert distance(mine, double) < max(1e-8, NEAR[engine])  # buffers of one stay in float32


@every_engine
@pytest.mark.parametrize("size", [3, 7])
def test_a_weight_of_another_size_than_its_buffers_is_an_error(engine, size):
    optimizer = ours("adam", lambda: [ramp(5)], engine)
    walk((optimizer,), 1)
    (w,) = weights_of(optimizer)
    w.data, w.grad = torch.cat([w.data, w.data])[:size] if size > 5 else w.data[:size], None
    before = w.detach().clone()
    with pytest.raises((ValueError, RuntimeError), match=f"{size}"):
        walk((optimizer,), 1)
    assert torch.equal(w, before)


@every_engine
def test_a_graph_that_a_step_has_outdated_cannot_run_backward(engine):
    optimizer = ours("adam", lambda: [ramp(3)], engine)
    loss = (weights_of(optimizer)[0] ** 2).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@every_engine
def test_zero_grad_zeroes_or_frees_the_memory(engine):
    optimizer = ours("adam", engine=engine)
    walk((optimizer,), 2)
    optimizer.zero_grad(set_to_none=False)
    assert all((w.grad == 0).all() for w in weights_of(optimizer))
    gradients = [weakref.ref(w.grad) for w in weights_of(optimizer)]
    optimizer.step()
    optimizer.zero_grad()
    assert [g() for g in gradients] == [None] * len(gradients)


class Operations(TorchDispatchMode):
    """Lists the operations of torch that are called."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.append(str(function))
        return function(*args, **kwargs or {})


@pytest.mark.parametrize("options", [{}, BFLOAT16], ids=str)
@pytest.mark.parametrize("engine", ENGINES[1:])
def test_a_compiled_step_allocates_no_tensor(engine, options):
    optimizer = ours("adam", lambda: shapes(torch.float32), engine, **options)
    walk((optimizer,), 2)
    with Operations() as operations:
        optimizer.step()
    assert all(name.startswith("profiler.") for name in operations.names)


@every_class
@every_engine
def test_a_closure_runs_with_gradients_and_its_loss_comes_back(name, engine):
    optimizer = ours(name, lambda: [ramp(3)], engine)
    (w,) = weights_of(optimizer)

    def closure():
        optimizer.zero_grad()
        loss = (w**2).sum()
        loss.backward()
        return loss

    with torch.no_grad():
        loss = optimizer.step(closure)
    assert loss.item() == 2 and not torch.equal(w, fit(ramp(3), engine))
    assert optimizer.step() is None


HOOKS = [
    f"{when}_{side}"
    for when in ("step", "state_dict", "load_state_dict")
    for side in ("pre", "post")
]


def calls_of_hooks(optimizer):
    calls = []
    handles = [
        getattr(optimizer, f"register_{kind}_hook")(lambda o, *_, kind=kind: calls.append(kind))
        for kind in HOOKS
    ]
    for register in (register_optimizer_step_pre_hook, register_optimizer_step_post_hook):
        handles.append(register(lambda *_, name=register.__name__: calls.append(name)))
    walk((optimizer,), 1)
    optimizer.load_state_dict(optimizer.state_dict())
    for handle in handles:
        handle.remove()
    walk((optimizer,), 1)
    return calls


@every_class
def test_every_hook_is_called_in_torchs_order(name):
    calls = calls_of_hooks(ours(name))
    assert calls == calls_of_hooks(theirs(name)) and len(calls) == 8


def test_a_hook_can_change_what_it_is_given():
    optimizer = ours("adam", lambda: [ramp(3)])
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: 7), {}))
    assert optimizer.step() == 7
    optimizer.register_state_dict_post_hook(lambda o, state_dict: {**state_dict, "extra": 1})
    assert optimizer.state_dict()["extra"] == 1
    optimizer.register_load_state_dict_pre_hook(lambda o, state_dict: state_dict["nested"])
    optimizer.load_state_dict({"nested": optimizer.state_dict()})


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "torch.save": lambda x: torch.load(saved(x), weights_only=False),
}


@every_class
@pytest.mark.parametrize("options", [{"engine": "plain"}, {"engine": "numba"}, BFLOAT16], ids=str)
@pytest.mark.parametrize("how", COPIES)
def test_a_copy_goes_on_to_the_same_bits_and_leaves_the_original_alone(name, options, how):
    optimizer = ours(name, lambda: shapes(torch.float32), **options)
    lr_scheduler.StepLR(optimizer, 3)  # wraps the method step
    walk((optimizer,), 3)
    before = [w.detach().clone() for w in weights_of(optimizer)]
    twin = COPIES[how](optimizer)
    assert (twin.engine, twin.state_dtype) == (optimizer.engine, optimizer.state_dtype)
    walk((twin,), 3, seed=1)
    assert all(map(torch.equal, before, weights_of(optimizer)))
    assert not torch.equal(before[0], weights_of(twin)[0])
    walk((optimizer,), 3, seed=1)
    assert same_bits(optimizer, twin)


@every_class
def test_a_shallow_copy_shares_weights_and_buffers(name):
    mine, other = ours(name), theirs(name)
    for optimizer in (mine, other):
        walk((optimizer,), 2)
        walk((copy.copy(optimizer),), 2, seed=1)
        walk((optimizer,), 2, seed=2)
    assert distance(mine, other) < CLOSE


@every_class
def test_the_text_of_an_optimizer_names_it_and_lists_its_groups(name):
    text = repr(ours(name, lr=0.25))
    assert text.startswith(f"{PAIRS[name][0].__name__} (\nParameter Group 0\n")
    assert "    lr: 0.25\n" in text and "    weight_decay: " in text


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, about itself
def test_a_training_step_that_torch_compiles_can_hold_a_step():
    compiled, eager = (ours("adam", lambda: [ramp(3)], "numba") for _ in "ab")

    def train(optimizer):
        (weights_of(optimizer)[0] ** 2).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    run = torch.compile(train, backend="eager")
    for _ in range(3):
        run(compiled)
        train(eager)
    assert same_bits(compiled, eager)


@every_class
def test_gradients_flow_through_steps_to_weights_gradients_and_hyperparameters(name):
    cls, _, hyper, _ = PAIRS[name]

    def run(w, g, lr, decay):
        w = w.clone()
        optimizer = cls([w], **{**hyper, "lr": lr, "weight_decay": decay}, differentiable=True)
        for k in (1, 2):
            w.grad = g * k
            optimizer.step()
        return w

    numbers = [0.5, -1.0, 2.0], [0.3, -0.2, 0.7], 0.1, 0.05
    inputs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in numbers]
    assert torch.autograd.gradcheck(run, inputs)


@every_class
def test_a_group_may_become_differentiable(name):
    mine, other = ours(name), ours(name)
    walk((mine, other), 2)
    for optimizer in (mine, other):
        group = optimizer.param_groups[0]
        for w in group["params"]:
            w.requires_grad_(False)
    mine.param_groups[0]["differentiable"] = True
    mine.param_groups[0]["lr"] = lr = torch.tensor(0.01, dtype=torch.float64, requires_grad=True)
    other.param_groups[0]["lr"] = lr.item()
    walk((mine, other), 2, seed=1)
    assert weights_of(mine)[0].requires_grad and distance(mine, other) < CLOSE


@every_class
@every_engine
def test_buffers_of_two_bytes_are_so_for_every_tensor_and_stay_so(name, engine):
    def make():  # each dtype is another kernel to compile
        kinds = (
            [torch.float32, torch.float64, torch.bfloat16] if name == "adam" else [torch.float32]
        )
        layouts = [w for make, _ in LAYOUTS.values() for w in make()]
        return [w.to(dtype) for dtype in kinds for w in (*shapes(), *layouts)]

    optimizer = ours(name, make, engine, **BFLOAT16)
    for _ in range(2):
        walk((optimizer,), 1)
        optimizer.load_state_dict(stored(optimizer.state_dict()))
    for w in weights_of(optimizer):
        buffers = buffers_of(optimizer.state[w])
        assert all(x.dtype == torch.bfloat16 and x.shape == w.shape for x in buffers)


@every_class
@pytest.mark.parametrize("layout", ["transposed", "channels_last", "two chunks"])
def test_engines_round_up_and_down_at_random_in_the_same_places(name, layout):
    two_chunks = (lambda: [ramp(kernels.CHUNK + 9)], torch.clone)
    make, lay = LAYOUTS.get(layout, two_chunks)
    one, two, again = (
        ours(name, lambda: [w.float() for w in make()], engine, **BFLOAT16)
        for engine in ("plain", "numba", "numba")
    )
    walk((one, two, again), 1, lay=lay)  # a rounding of float32 elsewhere shows in later steps
    # a difference of points shows the last digits of float32, which engines round on their own
    share = 2**-6 if name == "schedule_free" else 0
    for a, b in zip(weights_of(one), weights_of(two), strict=True):
        for x, y in zip(buffers_of(one.state[a]), buffers_of(two.state[b]), strict=True):
            assert (x != y).double().mean() <= share
    walk((two, again), 5, lay=lay)
    assert same_bits(two, again)


@pytest.mark.slow
@every_engine
def test_rounding_at_random_is_unbiased_where_rounding_to_the_nearest_is_not(engine):
    def mean(dtype, state_dtype):
        make = lambda: [torch.ones(256, dtype=dtype)]  # noqa: E731
        optimizer = ours("rmsprop", make, engine, lr=0.0, alpha=0.999, state_dtype=state_dtype)
        (w,) = weights_of(optimizer)
        w.grad = torch.ones_like(w)
        for _ in range(3000):
            optimizer.step()
        return optimizer.state[w]["square_avg"].float().mean().item()

    exact = 1 - 0.999**3000
    assert mean(torch.bfloat16, None) < 0.5 * exact  # a step of 0.1 % is less than half a digit
    # 256 walks; a step errs by up to 2**-8, and 1 / (1 - alpha**2) = 500 of them count:
    # a standard deviation below sqrt(500) * 2**-9 / sqrt(256) = 0.003
    assert mean(torch.float32, torch.bfloat16) == pytest.approx(exact, abs=0.01)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_model_whose_passes_are_cuda_graphs_trains_as_one_without():
    """A graph's gradients stay where they are; a step has to find them there each time."""
    walks = []
    for graphed in (False, True):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
        model, x = model.cuda(), ramp(16, 8, dtype=torch.float32).cuda()
        optimizer = optim.Momentum(model.parameters(), lr=0.1, engine="compile")
        net = torch.cuda.make_graphed_callables(model, (x,)) if graphed else model
        for _ in range(5):
            optimizer.zero_grad()
            net(x).square().mean().backward()
            optimizer.step()
        walks.append(torch.cat([w.detach().flatten() for w in model.parameters()]))
    assert (walks[0] - walks[1]).abs().max() < 1e-5  # float32; the passes may add otherwise

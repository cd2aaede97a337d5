"""Ours beside torch's: optimizers over the same tensors, which are given the same gradients."""

import io
import math

import counterparts
import pytest
import torch

from adamlib import optim
from adamlib.engine.choice import emulated

# our class, torch's counterpart (that of `counterparts` where torch has none in float64),
# hyperparameters of both, switches of torch's
PAIRS = {
    "gradient_descent": (optim.GradientDescent, torch.optim.SGD, {"lr": 0.1}, {}),
    "momentum": (optim.Momentum, torch.optim.SGD, {"lr": 0.01, "momentum": 0.9}, {}),
    "nesterov": (
        optim.Nesterov,
        torch.optim.SGD,
        {"lr": 0.01, "momentum": 0.9},
        {"nesterov": True},
    ),
    "adagrad": (optim.AdaGrad, torch.optim.Adagrad, {"lr": 0.1, "eps": 1e-3}, {}),
    "rmsprop": (optim.RMSProp, torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.9, "eps": 1e-3}, {}),
    # a large eps: where it stands must show
    "adam": (optim.Adam, torch.optim.Adam, {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-3}, {}),
    "adamw": (
        optim.AdamW,
        torch.optim.AdamW,
        {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-3, "weight_decay": 0.1},
        {},
    ),
    "amsgrad": (
        optim.AMSGrad,
        torch.optim.Adam,
        {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-3},
        {"amsgrad": True},
    ),
    "adamax": (
        optim.AdaMax,
        torch.optim.Adamax,
        {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-3},
        {},
    ),
    "lion": (optim.Lion, counterparts.Lion, {"lr": 0.01, "betas": (0.8, 0.99)}, {}),
    "nadam": (
        optim.NAdam,
        counterparts.NAdam,
        {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-3, "momentum_decay": 0.04},
        {},
    ),
    "radam": (  # rectified from step 6 on
        optim.RAdam,
        torch.optim.RAdam,
        {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-3},
        {},
    ),
    "schedule_free": (
        optim.ScheduleFree,
        counterparts.ScheduleFree,
        {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-3},
        {},
    ),
}
NAMES = list(PAIRS)
DEVICE = "cpu" if emulated() else "cuda"  # of the GPU's kernels
NO_CUDA = pytest.mark.skipif(
    not (emulated() or torch.cuda.is_available()), reason="needs a CUDA device"
)
ENGINES = ["plain", "numba", pytest.param("compile", marks=[pytest.mark.gpu, NO_CUDA])]
BFLOAT16 = {"state_dtype": torch.bfloat16}
CLOSE = 1e-14  # a few roundings of float64 in a dozen steps of about 0.1
NEAR = {"plain": CLOSE, "numba": CLOSE, "compile": 5e-6}  # compile has float32 at most

every_class = pytest.mark.parametrize("name", NAMES)
every_engine = pytest.mark.parametrize("engine", ENGINES)


def ramp(*shape, dtype=torch.float64):
    """A tensor from -1 to 1; from -1 + i to 1 - i if it is complex."""
    x = torch.linspace(-1, 1, math.prod(shape), dtype=torch.float64).reshape(shape)
    return torch.complex(x, -x).to(dtype) if dtype.is_complex else x.to(dtype)


def shapes(dtype=torch.float64):
    """Tensors of two, one and no dimension, two of them empty."""
    return [ramp(*shape, dtype=dtype) for shape in ((3, 4), (5,), (), (0,), (2, 0), (1,))]


def channels_last():
    return [ramp(2, 3, 4, 5).to(memory_format=torch.channels_last)]


def on(x, device, dtype):
    """x on `device` in `dtype`, laid out in memory as it was."""
    if (x.device.type, x.dtype) == (device, dtype):
        return x
    memory = torch.empty(0, dtype=x.dtype, device=x.device).set_(x.untyped_storage())
    return memory.to(device, dtype).as_strided(x.shape, x.stride(), x.storage_offset())


def fit(x, engine):
    """x as `engine` takes it: on its device, and not in float64 if that is the GPU."""
    narrow = {torch.float64: torch.float32, torch.complex128: torch.complex64}
    return on(x, DEVICE, narrow.get(x.dtype, x.dtype)) if engine == "compile" else x


def ours(name, make=shapes, engine="auto", **options):
    """Our optimizer over the tensors that `make` returns."""
    weights = [torch.nn.Parameter(fit(w, engine)) for w in make()]
    return PAIRS[name][0](weights, engine=engine, **{**PAIRS[name][2], **options})


def theirs(name, make=shapes, **options):
    """The counterpart in torch.optim over the same tensors, on the CPU."""
    _, cls, hyper, switches = PAIRS[name]
    return cls([torch.nn.Parameter(w) for w in make()], **{**hyper, **switches, **options})


def weights_of(optimizer):
    return [w for group in optimizer.param_groups for w in group["params"]]


def buffers_of(state):
    """The buffers of a weight that are arrays: not the clock, not a number."""
    return [x for key, x in state.items() if key not in ("step", "mu_product")]


def walk(optimizers, steps, seed=0, absent=(), lay=torch.clone):
    """Step all optimizers with the same gradients, laid out in memory as `lay` does it.

    The weights numbered in `absent` get none.
    """
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        for k, weights in enumerate(zip(*map(weights_of, optimizers), strict=True)):
            g = torch.randn(weights[0].shape, dtype=weights[-1].dtype, generator=generator)
            for w in weights:
                w.grad = None if k in absent else lay(on(g, w.device.type, w.dtype))
        for optimizer in optimizers:
            optimizer.step()


def distance(optimizer, other):
    """The largest difference of two optimizers' weights."""
    pairs = zip(weights_of(optimizer), weights_of(other), strict=True)
    differences = [(a.detach().cpu() - b.detach().cpu()).abs() for a, b in pairs if a.numel()]
    return max(x.max().item() for x in differences)


def same_bits(optimizer, other):
    """Whether weights, buffers and clocks are the same to the last bit."""
    for a, b in zip(weights_of(optimizer), weights_of(other), strict=True):
        one, two = optimizer.state.get(a, {}), other.state.get(b, {})
        if not torch.equal(a, b) or one.keys() != two.keys():
            return False
        for x, y in zip(one.values(), two.values(), strict=True):
            if not (torch.equal(x, y) and x.dtype == y.dtype if torch.is_tensor(x) else x == y):
                return False
    return True


def saved(x):
    """A file with x in it."""
    file = io.BytesIO()
    torch.save(x, file)
    file.seek(0)
    return file


def stored(state_dict):
    """What a checkpoint gives back."""
    return torch.load(saved(state_dict), weights_only=True)

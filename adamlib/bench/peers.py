"""The contenders: who takes a step of Adam over given tensors."""

import functools
import os
import shutil
import sys
from contextlib import suppress
from functools import partial
from math import prod

import torch

from adamlib import data, optim
from adamlib.bench.timing import use
from adamlib.engine.compiler import installed

PLAIN_AT_MOST = 30_000_000  # parameters: the rule's temporaries are seven times the weights
KEPT = 8_000_000  # float32: after the first one of 32 MB, glibc keeps freed blocks up to this size
COMPILED_AT_MOST = {"cpu": 16, "cuda": 200}  # tensors: each one costs the compiler time
JITTED_AT_MOST = 200  # the same for XLA


def optimizers(device):
    """Return a dict name -> function of the weights that makes an optimizer: Adam, lr=1e-3."""
    engine = "compile" if device.type == "cuda" else "numba"
    ours = partial(optim.Adam, engine=engine)
    found = {
        f"adamlib ({engine})": ours,
        f"adamlib ({engine}, bf16 buffers)": partial(ours, state_dtype=torch.bfloat16),
        "adamlib (plain)": partial(optim.Adam, engine="plain"),
        "torch for-loop": partial(torch.optim.Adam, foreach=False),
        "torch foreach": partial(torch.optim.Adam, foreach=True),
        "torch fused": partial(torch.optim.Adam, fused=True),
    }
    with suppress(ImportError):  # it may be there and not go with this PyTorch
        from pytorch_optimizer import AdamC  # Adam, as long as it has no weight decay

        found["pytorch_optimizer"] = AdamC
    return found


def contenders(shapes, threads=None, device="cpu"):
    """Return a dict name -> function of no argument that takes one step of Adam.

    All work on the same memory, 16 bytes per parameter, so that each finds the caches as the others
    do; the bf16 buffers are 4 bytes more, and optax has 16 of its own. Who is not installed or too
    slow is absent; the first call of "torch compiled" takes most of a minute. `threads` is set for
    the whole process. Raises ValueError for no shapes, threads < 1 and an unknown device.
    """
    if not shapes:
        raise ValueError(f"shapes must be at least one shape, got {shapes!r}")
    use(threads)
    device, steps = data.pick_device(device), {}
    weights, *moments = tensors(shapes, device)
    for name, make in makers(shapes, device).items():
        optimizer = make(weights)
        where = device if "fused" in name or "compiled" in name else "cpu"  # torch's own choice
        for w, m, v in zip(weights, *moments["bf16" in name], strict=True):
            clock = 0 if name.startswith("adamlib") else torch.zeros((), device=where)
            optimizer.state[w] = {"step": clock, "exp_avg": m, "exp_avg_sq": v}
        steps[name] = optimizer.step
        if name == "torch compiled":
            steps[name] = later(compiled, optimizer.step)
    if device.type == "cpu" and len(shapes) <= JITTED_AT_MOST and installed("optax"):
        steps["optax (jit)"] = later(optax_step, weights)
    return steps


def tensors(shapes, device):
    """Return (weights with gradients, [m, v], [m, v] in bfloat16): lists of tensors."""
    torch.empty(KEPT)  # and freed at once
    weights = [torch.nn.Parameter(torch.randn(shape, device=device)) for shape in shapes]
    for w in weights:
        w.grad = torch.randn_like(w)
    full = [[torch.zeros_like(w) for w in weights] for _ in range(2)]
    half = [[torch.zeros_like(w, dtype=torch.bfloat16) for w in weights] for _ in range(2)]
    return weights, full, half


def makers(shapes, device):
    """Return `optimizers` with the control and what can be compiled, without what is too slow."""
    found = optimizers(device)
    if sum(map(prod, shapes)) > PLAIN_AT_MOST:
        del found["adamlib (plain)"]
    found["torch fused (again)"] = found["torch fused"]
    if len(shapes) <= COMPILED_AT_MOST.get(device.type, 0) and compiler(device):
        found["torch compiled"] = partial(torch.optim.Adam, foreach=True)
    return found


def compiler(device):
    """Return whether torch.compile finds what it needs: a C++ compiler, on a GPU Triton."""
    if device.type == "cuda":
        return installed("triton")
    return shutil.which(os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++"))


def later(make, *arguments):
    """Return a function that calls what `make` returns, which its first call makes."""
    made = functools.cache(partial(make, *arguments))
    return lambda: made()()


def compiled(step):
    """Return a step of torch.optim compiled by PyTorch."""
    torch._dynamo.reset()  # after a few models it would run as it is, uncompiled
    return torch.compile(step)


def optax_step(weights):
    """Return optax's step under jit, on copies; it returns the weights."""
    import jax
    import optax
    from jax.extend.backend import clear_backends

    os.environ["NPROC"] = str(torch.get_num_threads())
    clear_backends()  # so that XLA starts new threads, as many
    adam = optax.adam(1e-3)
    w = [jax.numpy.array(w.detach().numpy()) for w in weights]
    g = [jax.numpy.array(w.grad.numpy()) for w in weights]
    state = adam.init(w)

    def update(w, state, g):
        updates, state = adam.update(g, state, w)
        return optax.apply_updates(w, updates), state

    update = jax.jit(update, donate_argnums=(0, 1))  # in place, as the others

    def step():
        nonlocal w, state
        w, state = jax.block_until_ready(update(w, state, g))
        return w

    return step

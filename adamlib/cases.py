"""The cases and the contenders of `adamlib.bench`: who takes which step over which tensors."""

import functools
import os
from functools import partial
from math import prod

import torch

from adamlib import data, engines, optim
from adamlib.kernels import installed
from adamlib.model import ConvNet

PLAIN_AT_MOST = 30_000_000  # parameters: the rule's temporaries are five times the weights
COMPILED_AT_MOST = {"cpu": 16, "cuda": 200}  # tensors: each one costs the compiler time
JITTED_AT_MOST = 200  # the same for XLA


def resnet50():
    """Return the 161 shapes of ResNet-50 (He et al., 2016): convolutions and their norms."""
    shapes, inner = [(64, 3, 7, 7), (64,), (64,)], 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            kernels = [(width, inner, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1)]
            if block == 0:
                kernels.append((4 * width, inner, 1, 1))  # the shortcut has to change its width
            for kernel in kernels:
                shapes += [kernel, kernel[:1], kernel[:1]]
            inner = 4 * width
    return [*shapes, (1000, inner), (1000,)]


def gpt2():
    """Return the 148 shapes of GPT-2 small (Radford et al., 2019): 12 blocks of width 768."""
    d = 768
    norm = [(d,), (d,)]
    attention = [(d, 3 * d), (3 * d,), (d, d), (d,)]
    network = [(d, 4 * d), (4 * d,), (4 * d, d), (d,)]
    return [(50_257, d), (1024, d), *12 * [*norm, *attention, *norm, *network], *norm]


#: Name -> the shapes of a model's parameters.
CASES = {
    "ConvNet": [tuple(w.shape) for w in ConvNet().parameters()],
    "2,000 × 1k": [(1000,)] * 2000,
    "ResNet-50": resnet50(),
    "one of 50M": [(50_000_000,)],
    "GPT-2 small": gpt2(),
}


def optimizers(device, parameters):
    """Return a dict name -> function of the weights that makes an optimizer: Adam, lr=1e-3."""
    engine = "compile" if device.type == "cuda" else "numba"
    half = dict(engine=engine, state_dtype=torch.bfloat16)
    makers = {
        f"adamlib ({engine})": partial(optim.Adam, engine=engine),
        f"adamlib ({engine}, bf16 buffers)": partial(optim.Adam, **half),
        "adamlib (plain)": partial(optim.Adam, engine="plain"),
        "torch for-loop": partial(torch.optim.Adam, foreach=False),
        "torch foreach": partial(torch.optim.Adam, foreach=True),
        "torch fused": partial(torch.optim.Adam, fused=True),
    }
    if parameters > PLAIN_AT_MOST:
        del makers["adamlib (plain)"]
    if installed("pytorch_optimizer"):
        from pytorch_optimizer import AdamC  # Adam, as long as it has no weight decay

        makers["pytorch_optimizer"] = AdamC
    return makers


def contenders(shapes, threads=None, device="cpu"):
    """Return a dict name -> function of no argument that takes one step of Adam.

    All work on the same weights, gradients and buffers, so that each finds the caches as the
    others do (16 bytes per parameter; the bf16 buffers are 4 more, and optax has 16 of its own).
    "torch fused (again)" is the control: how far two measurements of one thing are apart.
    What is not installed or would take too long is absent.
    `threads` is set for the whole process. Raises ValueError for no shapes and for threads < 1.
    """
    if not shapes:
        raise ValueError(f"shapes must be at least one shape, got {shapes!r}")
    use(threads)
    device, size = data.pick_device(device), sum(map(prod, shapes))
    weights = [torch.nn.Parameter(torch.randn(shape, device=device)) for shape in shapes]
    for w in weights:
        w.grad = torch.randn_like(w)
    full = [[torch.zeros_like(w) for w in weights] for _ in range(2)]
    half = [[torch.zeros_like(w, dtype=torch.bfloat16) for w in weights] for _ in range(2)]
    makers = optimizers(device, size)
    makers["torch fused (again)"] = makers["torch fused"]
    if len(shapes) <= COMPILED_AT_MOST[device.type] and can_compile(device):
        makers["torch compiled"] = partial(torch.optim.Adam, foreach=True)
    steps = {}
    for name, make in makers.items():
        optimizer = make(weights)
        start = 0 if name.startswith("adamlib") else torch.tensor(0.0)
        for w, m, v in zip(weights, *(half if "bf16" in name else full), strict=True):
            own = start.clone() if isinstance(start, torch.Tensor) else start
            optimizer.state[w] = {"step": own, "exp_avg": m, "exp_avg_sq": v}
        steps[name] = optimizer.step
    if "torch compiled" in steps:
        steps["torch compiled"] = torch.compile(steps["torch compiled"])
    if device.type == "cpu" and len(shapes) <= JITTED_AT_MOST and installed("optax"):
        steps["optax (jit)"] = optax(weights, threads)
    return steps


def use(threads):
    """Let PyTorch, and with it the numba engine, run on this many threads; None changes nothing."""
    if threads is not None:
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise ValueError(f"threads must be a whole number >= 1, got {threads!r}")
        torch.set_num_threads(threads)


@functools.cache
def can_compile(device):
    """Return whether torch.compile works here: it wants a C++ compiler, on a GPU Triton."""
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(8, device=device))
    except RuntimeError:
        return False
    return True


def optax(weights, threads):
    """Return optax's step under jit, buffers donated, on copies that its first call makes."""
    arrays, compiled = [], []

    def start():
        import jax
        import optax
        from jax.extend.backend import clear_backends

        os.environ["NPROC"] = str(threads or torch.get_num_threads())
        clear_backends()  # so that XLA's new threads are this many
        adam = optax.adam(1e-3)

        def step(w, state, g):
            updates, state = adam.update(g, state, w)
            return optax.apply_updates(w, updates), state

        w, g = ([jax.numpy.array(x.numpy()) for x in column] for column in (
            [w.detach() for w in weights], [w.grad for w in weights]))
        arrays[:] = w, adam.init(w), g
        compiled.append((jax.jit(step, donate_argnums=(0, 1)), jax.block_until_ready))

    def step():
        if not compiled:
            start()
        run, wait = compiled[0]
        arrays[:2] = wait(run(*arrays))
        return arrays[0]

    return step


def traffic(w, g, t, m=0, v=0, *, c=0.0):
    """Return (w, m, v): reads and writes what Adam does, and with c = 0 changes nothing."""
    w = w + c * g
    m = m + c * g
    v = v + c * g
    return w, m, v


def copying(n, device="cpu"):
    """Return a function that reads four arrays of n and writes three of them in place."""
    device = data.pick_device(device)
    columns = [[torch.ones(n, device=device)] for _ in range(4)]
    engine = "compile" if device.type == "cuda" else "numba"
    return partial(engines.Runner(traffic, engine, False), 1, {"c": 0.0}, 1, 0, columns)

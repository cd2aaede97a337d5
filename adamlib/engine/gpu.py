"""The GPU kernel's words (load, round, store) and its launch, in Triton.

Triton keeps what it compiled in its own cache on disk. Hyperparameters are arguments of the
kernel: a schedule compiles nothing anew.
"""

import contextlib
import functools
import linecache

import numpy as np
import torch
import triton
import triton.language as tl

from adamlib.engine import compiler, kernels, writers

BLOCK = 2048  # elements per program, 16 bytes of each array per thread and more


@triton.jit
def address(entry, start, kind: tl.constexpr, ALIGN: tl.constexpr):
    """The pointer to element `start` of the array whose address stands at `entry`."""
    return tl.multiple_of(tl.load(entry).to(tl.pointer_type(kind)) + start, ALIGN)


@triton.jit
def load(pointer, i, n, WHOLE: tl.constexpr):
    """The elements at i, widened to float32; those beyond n are undefined."""
    x = tl.load(pointer + i) if WHOLE else tl.load(pointer + i, mask=i < n)
    return x.to(tl.float32)


@triton.jit
def store(pointer, i, x, n, WHOLE: tl.constexpr):
    """Store x at i, rounded to the array's dtype, nowhere beyond n."""
    if WHOLE:
        tl.store(pointer + i, x.to(pointer.dtype.element_ty))
    else:
        tl.store(pointer + i, x.to(pointer.dtype.element_ty), mask=i < n)


@triton.jit
def noise(i, start, seed):
    """Thirty-two random bits for element start + i, those of `intrinsics.noise`."""
    x = (i + start).to(tl.uint32) * 0x9E3779B1 + seed.to(tl.uint32)
    x = (x ^ (x >> 15)) * 0x85EBCA77
    return x ^ (x >> 13)


@triton.jit
def round_at_random(x, bits):
    """x as a bfloat16, up or down at random so that its mean is x."""
    half = ((x.to(tl.uint32, bitcast=True) + (bits & 0xFFFF)) >> 16).to(tl.uint16)
    return tl.where(x == x, half, 0x7FC0).to(tl.uint16).to(tl.bfloat16, bitcast=True)


@triton.jit
def sqrt(x):
    """A word of the rules."""
    return tl.sqrt(x)


@triton.jit
def times(decay, w):
    """The product; 0 where decay is, also for a weight that is infinite."""
    return tl.where(decay != 0, decay * w, 0.0)


@triton.jit
def absolute(x):
    """A word of the rules: abs."""
    return tl.abs(x)


@triton.jit
def number(x):
    """A comparison as 0 or 1."""
    return x.to(tl.float32)


@functools.cache
def kernel(rule, types):
    """Return the Triton kernel of `rule`."""
    text = writers.grid(compiler.staged(rule)[0], types)
    name = f"<{rule.__name__} {' '.join(types)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)  # Triton reads it there
    names = dict(globals(), abs=absolute)
    exec(compile(text, name, "exec"), names)
    return names["kernel"]


class Launch:
    """A compiled rule over tensors of given lengths; fill `table` with their addresses and call.

    As `kernels.Launch`; the addresses are of memory on `device`.
    """

    def __init__(self, rule, types, lengths, device):
        self.kernel, self.constants = kernel(rule, types), compiler.staged(rule)[1]
        self.chunks = torch.from_numpy(kernels.pieces(lengths, BLOCK)).to(device)
        self.table = np.zeros((len(lengths), len(types)), dtype=np.int64)
        self.sent, self.align = self.table.copy(), 16
        self.entries = torch.from_numpy(self.table).to(device, copy=True)

    def __call__(self, t, hyper, sign=1, decay=0, threads=None):
        """Take step t; the gradient is sign * g + decay * w."""
        if not len(self.chunks):
            return
        if not np.array_equal(self.table, self.sent):  # PyTorch hands out the same memory again
            self.sent[:] = self.table
            self.align = 1 if (self.sent % 16).any() else 16
            self.entries.copy_(torch.from_numpy(self.sent))
        seed = np.uint32(kernels.seed(t)).astype(np.int32).item()
        numbers = (float(sign), float(decay), *map(float, self.constants(t, **hyper)))
        device = self.chunks.device
        with torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext():
            grid = (len(self.chunks),)
            options = dict(BLOCK=BLOCK, ALIGN=self.align, num_warps=8)
            self.kernel[grid](self.chunks, self.entries, seed, *numbers, **options)

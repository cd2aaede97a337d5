"""A compiled rule launched over many tensors, or over NumPy arrays."""

import ctypes
import functools
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from adamlib.engine import compiler

CHUNK = 65_536  # elements per piece of work: with its buffers it fits in a core's cache


class Launch:
    """A compiled rule over tensors of given lengths; fill `table` with their addresses and call.

    `table` is (tensors, arrays): one row of addresses per tensor, in the order w, g, buffers. The
    arrays must be dense, of the dtypes that `types` says, and alive. Each tensor is cut into `rows`
    equal parts; a hyperparameter is a number, or an array (rows,) with one for each part.
    """

    def __init__(self, rule, types, lengths, rows=1):
        self.address, _ = compiler.kernel(rule, types)
        self.random = "sr16" in types
        self.constants = compiler.staged(rule)[1]
        self.size = sum(lengths)
        self.chunks = pieces(lengths, CHUNK, rows)
        self.table = np.empty((len(lengths), len(types)), dtype=np.int64)
        wide = np.float64 if "f64" in types else np.float32
        self.numbers = np.empty((rows, 2 + compiler.staged(rule)[0].count), dtype=wide)
        parts = (self.chunks, self.table, self.numbers)
        self.job = np.array([0, len(self.chunks), *(part.ctypes.data for part in parts), 0])

    def __call__(self, t, hyper, sign=1, decay=0, threads=1):
        """Take step t; the gradient is sign * g + decay * w."""
        numbers = (sign, decay, *self.constants(t, **hyper))
        if len(self.numbers) == 1:
            self.numbers[:] = numbers
        else:
            for column, value in enumerate(numbers):
                self.numbers[:, column] = value
        self.job[0], self.job[5] = 0, seed(t) if self.random else 0
        threads = min(threads, len(self.chunks), 1 + self.size // CHUNK)
        if threads > 1:
            fork(self.address, self.job.ctypes.data, threads)
        else:
            FUNCTION(self.address)(self.job.ctypes.data)


def pieces(lengths, size, rows=1):
    """Return (pieces, 4) int64: tensor, start, length and row, none longer than `size` elements."""
    found = []
    for k, n in enumerate(n // rows for n in lengths):  # a row's elements
        starts = [(row, start) for row in range(rows) for start in range(0, n, size)]
        found += [(k, row * n + start, min(size, n - start), row) for row, start in starts]
    return np.array(found, dtype=np.int64).reshape(-1, 4)


def seed(t):
    """Return the 32 bits of step t that `noise` starts from."""
    return t * 0xC2B2AE3D % 2**32


FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_int64)


@functools.cache
def openmp():
    """Return GOMP_parallel of the OpenMP runtime that PyTorch has loaded, or None."""
    try:
        fork = ctypes.CDLL(None).GOMP_parallel
    except (AttributeError, TypeError, OSError):
        return None
    fork.argtypes, fork.restype = (
        (ctypes.c_int64, ctypes.c_int64, ctypes.c_uint, ctypes.c_uint),
        None,
    )
    return fork


@functools.cache
def pool():
    """Return threads for where there is no such runtime."""
    return ThreadPoolExecutor()


def fork(address, job, threads):
    """Run the kernel at `address` in several threads, which share its chunks.

    PyTorch's own threads are the ones to take: after an operation they wait for the next one
    spinning, and a second set of threads would have to share the cores with them.
    """
    if openmp():
        openmp()(address, job, threads, 0)
    else:
        list(pool().map(FUNCTION(address), [job] * threads))


TYPES = {np.dtype(np.float64): "f64", np.dtype(np.float32): "f32"}


def update(rule, w, g, t, *buffers, engine="auto", block=16_384, **hyper):
    """Take step t of `rule` in place: w and the buffers, NumPy arrays, get their new values.

    engine="blocks" runs the rule over `block` elements at a time, so that its temporaries stay in
    the cache; "numba" compiles it; "auto" is numba where it is installed and can compile the rule.
    A rule that keeps a number among its buffers takes it as an array like the others, in blocks.
    Raises ValueError unless all arrays are C-contiguous and of one shape and dtype, float32 or
    float64.
    """
    arrays = (w, g, *buffers)
    if not all(
        isinstance(a, np.ndarray)
        and (a.shape, a.dtype, a.flags.c_contiguous) == (w.shape, w.dtype, True)
        and a.flags.aligned
        and (a.flags.writeable or a is g)
        and a.dtype in TYPES
        for a in arrays
    ):
        found = [f"{a.dtype} {a.shape}" if isinstance(a, np.ndarray) else repr(a) for a in arrays]
        raise ValueError(
            f"w, g and buffers must be contiguous float arrays alike, and writable, got {found}"
        )
    if rule.__code__.co_argcount != 1 + len(arrays):  # t is no array
        count = rule.__code__.co_argcount - 3
        raise ValueError(f"{rule.__name__} has {count} buffers, got {len(buffers)}")
    if engine not in ("auto", "blocks", "numba"):
        raise ValueError(f"engine must be 'auto', 'blocks' or 'numba', got {engine!r}")
    if engine == "numba" and compiler.numbers(rule):
        raise ValueError(f"engine must be 'auto' or 'blocks' for {rule.__name__}, got 'numba'")
    if engine == "numba" or (
        engine == "auto" and compiler.can_compile(rule) and not compiler.numbers(rule)
    ):
        try:
            launch = Launch(rule, (TYPES[w.dtype],) * len(arrays), [w.size])
        except compiler.UnusableError:
            if engine == "numba":
                raise
        else:
            launch.table[0] = [a.ctypes.data for a in arrays]
            launch(t, hyper)
            return
    flat = [a.reshape(-1) for a in arrays]
    for start in range(0, w.size, block):
        w_, g_, *old = (a[start : start + block] for a in flat)
        held = {id(a) for a in (w_, *old)}  # a rule may hand on what is written over below
        answer = [x.copy() if id(x) in held else x for x in rule(w_, g_, t, *old, **hyper)]
        for array, new in zip((w_, *old), answer, strict=True):
            array[:] = new

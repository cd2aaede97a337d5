"""Where tensors lie in memory: looked at before every step, a stale address would corrupt it."""

import ctypes
import functools
from collections.abc import Callable
from operator import attrgetter, is_
from typing import NamedTuple

import numpy as np
import torch

from adamlib.engine import compiler

MANY = 32  # tensors: with fewer of them Python is as fast as a compiled loop
LAYOUT = attrgetter("dtype"), attrgetter("device"), torch.Tensor.stride, torch.Tensor.size


class Column:
    """One tensor for each weight, and how they lay when last looked at.

    `new` says that there are others at every step, as gradients are: none is held then.
    """

    def __init__(self, new):
        self.new, self.tensors, self.addresses, self.layouts = new, (), [], None
        self.asked = self.alike = None

    def look(self, tensors):
        """Return (whether an address is another than last time, whether a layout is).

        Raises RuntimeError for a sparse tensor and KeyError for None.
        """
        stay = same(tensors, self.tensors)
        many = len(tensors) >= MANY and loops()
        dense = many and (stay or (self.alike is not None and self.alike(tensors)))
        if dense:
            moved = self.ask(tensors, stay)
        else:
            addresses, self.asked = addresses_of(tensors), None
            moved, self.addresses = addresses != list(self.addresses), addresses
        if not (stay or self.new):
            self.tensors = list(tensors)  # the user may change his own list
        if (stay and not moved) or (dense and not stay):
            return moved, False
        layouts = [list(map(what, tensors)) for what in LAYOUT]
        changed, self.layouts = layouts != self.layouts, layouts
        self.alike = comparison(tensors, *layouts[2:]) if many and self.new else None
        return moved, changed

    def ask(self, tensors, stay):
        """Return whether an address is another than last time; `tensors` must all be dense."""
        if not stay or self.asked is None:
            objects = np.fromiter(map(id, tensors), np.int64, len(tensors))
            found = np.array(self.addresses, dtype=np.int64)
            parts = loops().tell, objects.ctypes.data, found.ctypes.data
            self.asked = np.array([len(tensors), *parts, 0]), objects, found
        job, _, self.addresses = self.asked
        job[4] = 0
        loops().ask(job.ctypes.data)
        return bool(job[4])


class Owners:
    """Which state is whose, found again only after one has come into the dict of all, or gone."""

    def __init__(self):
        self.entries, self.found = ((), ()), {}

    def look(self, state):
        """Forget what was found unless the dict holds the same objects as last time."""
        entries = list(state), list(state.values())
        if not all(map(same, entries, self.entries)):
            self.entries, self.found = entries, {}

    def states(self, state, number, weights):
        """Return the states of the weights of group `number`."""
        known, found = self.found.get(number, ((), ()))
        if not same(weights, known):
            found = list(map(state.__getitem__, weights))
            self.found[number] = list(weights), found
        return found


def comparison(tensors, strides, sizes):
    """Return a function of others: whether they are dense too and lie as `tensors` do."""
    known = dict(dynamic_dims_sizes=[*map(list, sizes)], dynamic_dims_strides=[*map(list, strides)])
    count, check = len(tensors), loops().guards(*tensors, **known).check
    return lambda others: len(others) == count and check(*others)


ASK = """\
def kernel(job):  # where are n tensors? PyTorch's own function tells, one after the other
    n, tell = load_i64(job, 0), load_i64(job, 1)
    objects, found = load_i64(job, 2), load_i64(job, 3)
    for k in range(n):
        address = call(tell, load_i64(objects, k))
        if address != load_i64(found, k):
            store_i64(found, k, address)
            store_i64(job, 4, 1)
"""


class Loops(NamedTuple):
    """What looks at many tensors without a turn through Python for each."""

    ask: Callable  # `ASK` compiled, of the address of its job
    owner: object  # of that code
    tell: int  # the address of a C function: object of a tensor -> address of its elements
    guards: type  # compares dtype, device, sizes, strides and kind


@functools.cache
def loops():
    """Return the `Loops`, None where this PyTorch lacks them or numba is not to be had."""
    try:
        from torch._C._dynamo import guards  # for Dynamo's guards and Inductor's programs

        code, owner = compiler.entry("addresses", ASK)
        tell = guards._torchinductor_pyobject_tensor_data_ptr
        ask = ctypes.PYFUNCTYPE(None, ctypes.c_int64)(code)  # holds the lock of the interpreter
        x = torch.zeros(2)[1:]
        if ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)(tell)(x) != x.data_ptr():
            return None  # it is PyTorch's own business what this function does
        return Loops(ask, owner, tell, guards.TensorGuards)
    except (ImportError, AttributeError):
        return None


def same(column, other):
    """Return whether two lists hold the very same objects."""
    return len(column) == len(other) and all(map(is_, column, other))


def addresses_of(column):
    """Return the addresses of tensors; RuntimeError for a sparse one, KeyError for None."""
    try:
        return list(map(torch.Tensor.data_ptr, column))
    except TypeError:
        raise KeyError("a buffer that is None") from None
    except RuntimeError as error:
        layouts = sorted({str(x.layout) for x in column} - {"torch.strided"})
        if not layouts:
            raise
        advice = "Embedding(sparse=False) gives dense ones; torch.optim.SGD and Adagrad take sparse"
        raise RuntimeError(f"no sparse gradients are supported, got {layouts}; {advice}") from error

"""The CPU loop's words (load, round, store), as LLVM instructions.

An address is an int64, `i` counts elements from there. Arithmetic is in float32 or float64; the
two-byte formats are widened when they are read and rounded when they are stored.
"""

from math import sqrt  # noqa: F401 (a word of the loops, too)

from llvmlite import ir
from numba import float32, njit, types
from numba.extending import intrinsic

I16, I32, I64, F32 = ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()
number = float32  # of a comparison: 1 or 0


@njit(inline="always")
def times(decay, w):
    """The product; 0 where decay is, also for a weight that is infinite."""
    return decay * w if decay != 0 else decay


def pointer(build, address, i, kind):
    return build.gep(build.inttoptr(address, kind.as_pointer()), [i])


def loader(kind, number, widen=lambda build, x: x):
    """Return the intrinsic (address, i) -> the `number` stored there as `kind`."""

    @intrinsic
    def load(context, address, i):
        def emit(context, build, signature, values):
            return widen(build, build.load(pointer(build, *values, kind)))

        return number(types.int64, types.int64), emit

    return load


def storer(kind, number, narrow=lambda build, x: x):
    """Return the intrinsic (address, i, x) that stores the `number` x as `kind`."""

    @intrinsic
    def store(context, address, i, x):
        def emit(context, build, signature, values):
            address, i, x = values
            build.store(narrow(build, x), pointer(build, address, i, kind))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, number), emit

    return store


def widen_bf16(build, x):
    """A bfloat16 is the upper half of a float32."""
    return build.bitcast(build.shl(build.zext(x, I32), I32(16)), F32)


def upper_half(build, x, add):
    """The upper half of the bits of x, to which `add` (below 2^16) is added first; nan stays."""
    bits = build.bitcast(x, I32)
    half = build.trunc(build.lshr(build.add(bits, add(bits)), I32(16)), I16)
    return build.select(build.fcmp_unordered("uno", x, x), I16(0x7FC0), half)


def round_bf16(build, x):
    """To the nearest, ties to even, as PyTorch does."""

    def add(bits):
        return build.add(I32(0x7FFF), build.and_(build.lshr(bits, I32(16)), I32(1)))

    return upper_half(build, x, add)


load_i64, store_i64 = (make(I64, types.int64) for make in (loader, storer))
load_f64, store_f64 = (make(ir.DoubleType(), types.float64) for make in (loader, storer))
load_f32, store_f32 = (make(F32, types.float32) for make in (loader, storer))
load_bf16 = loader(I16, types.float32, widen_bf16)
store_bf16 = storer(I16, types.float32, round_bf16)
load_f16 = loader(ir.HalfType(), types.float32, lambda build, x: build.fpext(x, F32))
store_f16 = storer(ir.HalfType(), types.float32, lambda build, x: build.fptrunc(x, ir.HalfType()))


@intrinsic
def plus(context, total, x):
    """The sum; of a long one the compiler may choose the order, and so take many at a time."""

    def emit(context, build, signature, values):
        return build.fadd(*values, flags=("reassoc",))

    return types.float32(types.float32, types.float32), emit


@intrinsic
def take(context, address):
    """The counter at `address`, which goes up by one; no two threads get the same."""

    def emit(context, build, signature, values):
        counter = build.inttoptr(values[0], I64.as_pointer())
        return build.atomic_rmw("add", counter, I64(1), "monotonic")

    return types.int64(types.int64), emit


@intrinsic
def call(context, function, x):
    """What the C function at the address `function` returns for x."""

    def emit(context, build, signature, values):
        kind = ir.FunctionType(I64, [I64]).as_pointer()
        return build.call(build.inttoptr(values[0], kind), values[1:])

    return types.int64(types.int64, types.int64), emit


@intrinsic
def noise(context, i, start, seed):
    """Thirty-two random bits for element start + i, which `seed` changes from step to step."""

    def emit(context, build, signature, values):
        i, start, seed = (build.trunc(value, I32) for value in values)
        x = build.add(build.mul(build.add(i, start), I32(0x9E3779B1)), seed)
        x = build.mul(build.xor(x, build.lshr(x, I32(15))), I32(0x85EBCA77))
        return build.xor(x, build.lshr(x, I32(13)))

    return types.uint32(types.int64, types.int64, types.int64), emit


@intrinsic
def store_sr16(context, address, i, x, bits, k):
    """Store x as a bfloat16, up or down at random so that its mean is x; buffer k = 0, 1, 2."""

    def emit(context, build, signature, values):
        address, i, x, bits, k = values
        shift = build.mul(build.trunc(k, I32), I32(8))
        random = build.and_(build.lshr(bits, shift), I32(0xFFFF))
        half = upper_half(build, x, lambda _: random)
        build.store(half, pointer(build, address, i, I16))
        return context.get_dummy_value()

    sign = types.void(types.int64, types.int64, types.float32, types.uint32, types.int64)
    return sign, emit

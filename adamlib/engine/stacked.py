"""What a stack of networks runs compiled: a rule, network by network, and what is no product."""

import ctypes
import functools
import inspect

import torch

from adamlib.engine import choice, compiler, kernels

TYPES = {torch.float32: "f32", torch.float64: "f64"}


def stepper(rule, weights, hyper):
    """Return a function (t, gradients) that takes step t with all weights (K, ...), in place."""
    return (compiled if can_compile(rule, weights, hyper) else plain)(rule, weights, hyper)


def plain(rule, weights, hyper):
    """Return the step as PyTorch operations."""
    states = [()] * len(weights)

    @torch.no_grad()
    def step(t, gradients):
        for i, (w, g) in enumerate(zip(weights, gradients, strict=True)):
            new, *states[i] = rule(w, g, t, *states[i], **hyper)
            w.copy_(new)

    return step


def compiled(rule, weights, hyper):
    """Return the step as one compiled loop."""
    K, starts = len(weights[0]), starts_of(rule)
    buffers = [[torch.full_like(w, start) for w in weights] for start in starts]
    types = (TYPES[weights[0].dtype],) * (2 + len(starts))
    launch = kernels.Launch(rule, types, [w.numel() for w in weights], K)
    hyper = {name: numbers(value, K) for name, value in hyper.items()}
    for k, column in enumerate((weights, weights, *buffers)):  # 1 is for the gradients
        launch.table[:, k] = [x.data_ptr() for x in column]

    def step(t, gradients):
        gradients = [g.contiguous() for g in gradients]
        launch.table[:, 1] = [g.data_ptr() for g in gradients]
        launch(t, hyper, threads=torch.get_num_threads())
        hyper.update(compiler.staged(rule)[2](t, **hyper))

    step.alive = weights, buffers  # whose addresses the table holds
    return step


def can_compile(rule, weights, hyper):
    """Return whether a rule can be compiled for a stack with these hyperparameters."""
    K, kind = len(weights[0]), weights[0].dtype
    alike = all(w.ndim == 3 and len(w) == K and w.is_contiguous() for w in weights)
    if not alike or kind not in TYPES or choice.best("auto", rule, weights[0]) != "numba":
        return False
    try:
        numbers(tuple(hyper.values()), K)
        compiler.kernel(rule, (TYPES[kind],) * (2 + len(starts_of(rule))))
    except (ValueError, compiler.UnusableError):
        return False
    return True


def starts_of(rule):
    """Return what the buffers of a rule that are arrays start from."""
    given, own = list(inspect.signature(rule).parameters.values())[3:], compiler.numbers(rule)
    return [a.default for a in given if a.kind is not a.KEYWORD_ONLY and a.name not in own]


def numbers(value, K):
    """Return a hyperparameter with an array (K,) for a tensor (K, 1, 1); ValueError for others."""
    if isinstance(value, tuple | list):
        return tuple(numbers(each, K) for each in value)
    if not torch.is_tensor(value):
        return value
    if value.numel() == 1:
        return value.item()
    if value.shape != (K, 1, 1):
        raise ValueError(f"a hyperparameter must have shape ({K}, 1, 1), got {value.shape}")
    return value.double().numpy().reshape(-1)


def of_part(value, part, K):
    """Return a hyperparameter as it is for a part of the K networks, a slice."""
    if isinstance(value, tuple | list):
        return tuple(of_part(each, part, K) for each in value)
    return value[part] if torch.is_tensor(value) and value.shape == (K, 1, 1) else value


RELU = """\
def kernel(job):  # h = h + bias where that is above 0, else 0; a nan stays
    rows, n, h, bias = load_i64(job, 0), load_i64(job, 1), load_i64(job, 2), load_i64(job, 3)
    zero = number(0)
    for row in range(rows):
        b = load_f32(bias, row)
        for i in range(n):
            x = load_f32(h, i) + b
            store_f32(h, i, zero if x <= zero else x)
        h += 4 * n
"""
MASK = """\
def kernel(job):  # d = d where h is above 0, else 0; the sums of its rows
    rows, n = load_i64(job, 0), load_i64(job, 1)
    d, h, sums = load_i64(job, 2), load_i64(job, 3), load_i64(job, 4)
    zero = number(0)
    for row in range(rows):
        total = zero
        for i in range(n):
            x = load_f32(d, i)
            x = zero if load_f32(h, i) <= zero else x
            store_f32(d, i, x)
            total = plus(total, x)
        store_f32(sums, row, total)
        d, h = d + 4 * n, h + 4 * n
"""


def relu_(h, bias):
    """Make h (k, width, B) relu(h + bias) in place; bias (k, width, 1)."""
    if not run("relu", RELU, h, bias):
        h.add_(bias).relu_()


def mask_(d, h, sums):
    """Make d (k, width, B) 0 in place where h is not above 0; write its sums over B to `sums`."""
    if not run("mask", MASK, d, h, sums):
        torch.ops.aten.threshold_backward.grad_input(d, h, 0, grad_input=d)
        torch.sum(d, 2, keepdim=True, out=sums)


def run(name, text, x, *others):
    """Run a pass over the rows of x if it can be compiled for these tensors; return whether."""
    fit = all(a.dtype == torch.float32 and a.is_contiguous() for a in (x, *others))
    if not fit or x.device.type != "cpu" or not (code := entry(name, text)):
        return False
    numbers = [x.shape[0] * x.shape[1], x.shape[2], *(a.data_ptr() for a in (x, *others))]
    job = (ctypes.c_int64 * len(numbers))(*numbers)
    kernels.FUNCTION(code[0])(ctypes.addressof(job))
    return True


@functools.cache
def entry(name, text):
    """Return (address of a compiled pass, its owner), None where numba is not to be had."""
    try:
        return compiler.entry(name, text) if compiler.installed("numba") else None
    except compiler.UnusableError:
        return None

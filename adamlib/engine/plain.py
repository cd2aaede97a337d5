"""The rule as it is: tensor by tensor, as PyTorch operations."""

import torch

from adamlib.engine import compiler, kernels


def update(rule, t, hyper, sign, decay, stochastic, w, g, *buffers):
    """Take step t of one weight with PyTorch's operations; two-byte formats compute in float32.

    Buffers of the rule that are numbers stand in `hyper`, and are not changed.
    """
    rule = of_arrays(rule) if compiler.numbers(rule) else rule
    tensors = (w, g, *buffers)
    copy = torch.is_grad_enabled()  # what a graph refers to must not change in place
    w_, g_, *old = (x.to(torch.promote_types(x.dtype, torch.float32), copy=copy) for x in tensors)
    g_ = -g_ if sign < 0 else g_
    g_ = g_ + decay * w_ if decay else g_
    held = {x.data_ptr() for x in tensors}  # a rule may hand on what is written over below
    answer = rule(w_, g_, t, *old, **hyper)
    new_w, *new = (x.clone() if x.data_ptr() in held else x for x in answer)
    w.copy_(new_w)
    for k, (buffer, value) in enumerate(zip(buffers, new, strict=True)):
        buffer.copy_(round_at_random(value, t, k) if stochastic else value)


def of_arrays(rule):
    """Return a rule as a function of arrays alone, which takes its numbers as hyperparameters."""
    names, numbers = (
        rule.__code__.co_varnames[3 : rule.__code__.co_argcount],
        compiler.numbers(rule),
    )

    def update(w, g, t, *old, **hyper):
        arrays = zip((name for name in names if name not in numbers), old, strict=True)
        w, *new = rule(w, g, t, **dict(arrays), **hyper)
        return w, *(x for name, x in zip(names, new, strict=True) if name not in numbers)

    return update


def round_at_random(x, t, k):
    """Return x with bfloat16's digits, up or down at random so that the mean is x.

    The bits are those of `intrinsics.noise`: a hash of the element's index and the step t.
    """
    i = torch.empty_like(x, dtype=torch.int64)  # counts elements as they lie in memory
    i.as_strided((x.numel(),), (1,)).copy_(torch.arange(x.numel(), device=x.device))
    bits = i * 0x9E3779B1 + kernels.seed(t) & 0xFFFFFFFF
    bits = (bits ^ bits >> 15) * 0x85EBCA77 & 0xFFFFFFFF
    bits = (bits ^ bits >> 13) >> 8 * k & 0xFFFF
    half = (x.float().view(torch.int32) + bits.int() & -0x10000).view(torch.float32)
    return torch.where(x.isnan(), x, half)

"""`rules.orthogonal` in another order of products, in bfloat16 where the processor multiplies it.

With G = X Xᵀ, small if X is wide, a step is X <- q(G) X and takes G to q(G) G q(G). So a few steps
need X at their beginning and at their end only. The fewer digits, the fewer steps go by: what
rounding makes of G's eigenvalues near 0 grows by 12 each. float64 runs the rule as it is.
"""

import functools

import torch

from adamlib import rules

A, B, C = rules.orthogonal.__defaults__[-1]  # the tests hold what is here to that rule
SMALL = 128  # rows: of fewer, bfloat16 is no faster, and its roundings average out less
STRIPE = 128  # rows of a symmetric product that are computed together


def orthogonal(x, steps=5, eps=1e-7):
    """Return `rules.orthogonal` of matrices x (..., m, n), to the roundings of x's dtype."""
    if x.dtype == torch.float64:
        return rules.orthogonal(x, steps, eps)
    shape, x = x.shape, x.reshape(-1, *x.shape[-2:])
    few, many = sorted(shape[-2:])
    at_once = 2 if x.dtype == torch.bfloat16 else 5  # of bfloat16, 3 have up to ten times the error
    if many < 1.5 * few:
        at_once = 1  # G is no smaller than X
    g = gram(x)
    norm = g.diagonal(dim1=-2, dim2=-1).sum(-1, dtype=torch.float32)[:, None, None] ** 0.5
    norm = norm.clamp(min=eps).to(x.dtype)
    x, g = x / norm, g / norm / norm
    while steps > 0:
        x = several(x, g, min(steps, at_once))
        steps -= at_once
        g = gram(x) if steps > 0 else None
    return x.reshape(shape)


def several(x, g, steps):
    """Return x (k, m, n) after some steps; g is its `gram`."""
    tall, p = x.shape[-2] > x.shape[-1], None
    for left in reversed(range(steps)):
        b = torch.baddbmm(g, g, g, beta=B, alpha=C)  # q(G) = A + b
        if steps == 1:
            return torch.baddbmm(x, x, b, beta=A) if tall else torch.baddbmm(x, b, x, beta=A)
        if p is None:
            p = b.clone()
            p.diagonal(dim1=-2, dim2=-1).add_(A)
        else:
            p = torch.baddbmm(p, b, p, beta=A)
        if left:
            g = torch.baddbmm(g, b, g, beta=A)
            g = torch.baddbmm(g, g, b, beta=A)
    return x @ p if tall else p @ x


def gram(x):
    """Return the smaller of x xᵀ and xᵀ x for x (k, m, n); what is below the diagonal is copied."""
    x = x.mT if x.shape[-2] > x.shape[-1] else x
    m = x.shape[-2]
    g = x.new_empty(len(x), m, m)
    for each, out in zip(x, g, strict=True):  # a batch of stripes would be copied first
        for start in range(0, m, STRIPE):
            end = min(m, start + STRIPE)
            torch.mm(each[start:end], each[start:].mT, out=out[start:end, start:])
            out[end:, start:end] = out[start:end, end:].mT
    return g


def product_dtype(dtype, shape, device):
    """Return the dtype to multiply matrices (m, n) of `dtype` in."""
    if dtype == torch.float64:
        return dtype
    return torch.bfloat16 if min(shape) >= SMALL and narrow(device.type) else torch.float32


@functools.cache
def narrow(device):
    """Return whether products of bfloat16 are fast on this kind of device."""
    return device == "cuda" or (device == "cpu" and torch.cpu._is_avx512_bf16_supported())

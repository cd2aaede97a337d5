"""The checkers of chapter 16."""

import numpy as np

from adamlib.check.verdict import call, checker


@checker("bfloat16 numbers whose mean over u is x")
def rounded(answer):
    """Check chapter 16's rounded(x, u): x as a bfloat16, up or down as u says, with mean x."""
    x = np.float32([1, 1.01, -0.3, 200.7, 1e-30]).repeat(4096)
    got = call(answer, x, np.tile(np.arange(4096) / 4096, 5))  # u, evenly over [0, 1)
    if np.shape(got) != x.shape or (np.float32(got).view("u4") % 2**16).any():
        return "it must return one bfloat16 for each x: a float32 whose lower 16 bits are 0"
    off, kinds = np.abs((got / x).reshape(5, -1).mean(axis=1) - 1).max(), len(np.unique(got))
    return f"the mean is {off:.2%} off; 5 numbers x gave {kinds}" if off > 1e-5 else None

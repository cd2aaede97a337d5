"""The checkers of chapter 6."""

from numbers import Real

import numpy as np

from adamlib.check.verdict import call, checker


@checker("divide by one minus the product of all betas so far")
def corrected_mean(answer):
    """Check chapter 6's corrected_mean(values, betas), where beta changes at every step."""
    rng = np.random.default_rng(0)
    for betas in (np.full(5, 0.9), np.array([0.0, 0.5, 0.9, 0.99]), rng.uniform(0, 1, 30)):
        start = ", ".join(f"{beta:.2g}" for beta in betas[:4])
        where = f"for {len(betas)} betas, {start}{', ...' * (len(betas) > 4)}:"
        ones = call(answer, np.ones(len(betas)), betas, where=where)
        if not isinstance(ones, Real):
            return f"{where} it must return one number, not {ones!r}"
        if not np.isclose(ones, 1):
            return f"{where} the mean of ones comes out as {ones:.6g}: weights must add up to 1"
        values = rng.standard_normal(len(betas))
        weights = (1 - betas) * np.append(np.cumprod(betas[:0:-1])[::-1], 1.0)
        got = call(answer, values, betas, where=where)
        if not np.isclose(got, weights @ values / weights.sum()):
            return f"{where} the weights add up to 1, but are not those of the running average"

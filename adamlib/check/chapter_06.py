"""The checkers of chapter 6."""

from numbers import Real

import numpy as np

from adamlib.check.verdict import call, verdict


def corrected_mean(answer):
    """Check chapter 6's corrected_mean(values, betas), where beta changes at every step."""
    rng, problem = np.random.default_rng(0), None
    for betas in (np.full(5, 0.9), np.array([0.0, 0.5, 0.9, 0.99]), rng.uniform(0, 1, 30)):
        ones, problem = call(answer, np.ones(len(betas)), betas)
        if problem is None and not isinstance(ones, Real):
            problem = f"it must return one number, not {ones!r}"
        elif problem is None and not np.isclose(ones, 1):
            problem = f"the mean of ones comes out as {ones:.6g}: weights must add up to 1"
        values = rng.standard_normal(len(betas))
        got, problem = (None, problem) if problem else call(answer, values, betas)
        weights = (1 - betas) * np.append(np.cumprod(betas[:0:-1])[::-1], 1.0)
        if problem is None and not np.isclose(got, weights @ values / weights.sum()):
            problem = "the weights add up to 1, but they are not those of the running average"
        if problem:
            start = ", ".join(f"{beta:.2g}" for beta in betas[:4])
            problem = f"for {len(betas)} betas, {start}{', ...' * (len(betas) > 4)}: {problem}"
            break
    verdict(problem, "divide by one minus the product of all betas so far")

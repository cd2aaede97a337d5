"""The checkers of chapter 13."""

import numpy as np

from adamlib.check.verdict import call, checker


@checker("every step has the same length, whatever the gradients' size, and the average points")
def signum(answer):
    """Check chapter 13's signum(w, g, t, m=0, *, lr, beta), a rule as those of the book."""
    gradients = np.random.default_rng(0).normal(0.3, 1, (30, 4)) * [1e-6, 1, 1e6, 0]
    for beta in (0.9, 0.0):
        w, state, m = np.ones(4), (), np.zeros(4)
        for t, g in enumerate(gradients, 1):
            where, before = f"in step {t} with beta = {beta}:", w.copy()
            new, *state = call(answer, w, g, t, *state, lr=0.1, beta=beta, where=where)
            m, step = beta * m + (1 - beta) * g, np.subtract(before, new)
            if (w != before).any():
                return f"{where} it must return new weights and leave those that it gets"
            if len(state) != 1:
                return f"{where} it must return w and one buffer, not w and {len(state)}"
            if np.allclose(step, 0.1 * np.sign(m), rtol=1e-9, atol=1e-12):
                continue
            problem = f"{where} after gradients of {g.round(9).tolist()} it moves by {step}"
            if np.allclose(step, 0.1 * np.sign(g)):
                return f"{problem}: the sign of this gradient, not of the average"
            if step[3] or np.isnan(step).any():
                return f"{problem}: a gradient that was always 0 must move nothing"
            if np.allclose(step, -0.1 * np.sign(m)):
                return f"{problem}: uphill"
            return f"{problem}, not by lr = 0.1 along the sign of each average"
        if not np.allclose(state[0], m, rtol=1e-9, atol=1e-12):
            return f"{where} its buffer is {state[0]}, not Adam's average of the gradients, {m}"

"""The checkers of chapter 11."""

import numpy as np

from adamlib.check.verdict import call, checker
from adamlib.rules import adam, adamw


@checker("a weight decays while its step does not lead away from 0, by the share of AdamW")
def cautious(answer):
    """Check chapter 11's rule cautious(w, g, t, m, v, *, lr, betas, eps, weight_decay)."""
    w, g = np.array([2.0, 2.0, -2.0, -2.0, 2.0]), np.array([1.0, -1.0, 1.0, -1.0, 0.0])
    hyper = dict(lr=0.25, betas=(0.5, 0.75), eps=0.5)
    for t, m, name in ((1, 0 * w, "the first step"), (2, -4 * g, "a step against the gradient")):
        for decay in (0.0, 0.5):
            told = ", ".join(f"{k} = {x}" for k, x in hyper.items())
            where = f"for {name} with {told}, v = 1 and weight_decay = {decay:g}"
            given = w, g, t, m, np.ones(5)
            copies = [np.copy(x) for x in given]  # the answer may overwrite its own
            got = call(answer, *copies, **hyper, weight_decay=decay, where=where)
            if not isinstance(got, tuple) or [np.shape(x) for x in got] != [(5,)] * 3:
                return f"{where} it must return the three arrays w, m and v"
            plain, full = adam(*given, **hyper), adamw(*given, **hyper, weight_decay=decay)
            if not np.allclose(got[1:], plain[1:]):
                return f"{where} the buffers are not Adam's: decay touches the weight alone"
            due = np.where((w - plain[0]) * w >= 0, full[0], plain[0])
            if not np.allclose(got[0], due):
                i = int(np.argmax(~np.isclose(got[0], due)))
                found = f"a weight at {w[i]:g} that Adam moves to {plain[0][i]:.3g}"
                return f"{where} {found} goes to {got[0][i]:.4g}, not to {due[i]:.4g}"

"""The checkers of chapter 17."""

import numpy as np

from adamlib import rules
from adamlib.check.verdict import call, checker


@checker("the steps of Adam on the mean gradient, each buffer kept once")
def zero_step(answer):
    """Check chapter 17's zero_step(w, gradients, t, states, **hyper): Adam with shared buffers."""
    for workers, n in ((1, 4), (2, 6), (4, 10)):
        rng, where = np.random.default_rng(0), f"with {workers} workers and {n} weights"
        w = mine = rng.standard_normal(n)
        whole, states = (), [()] * workers
        for t in range(1, 6):
            g, hyper = rng.standard_normal((workers, n)), {"lr": 0.1, "eps": 0.5}
            summed = rules.adam(w, g.sum(axis=0), t, *whole, **hyper)[0]
            w, *whole = rules.adam(w, g.mean(axis=0), t, *whole, **hyper)
            got = call(answer, mine, g, t, states, **hyper)
            if not (isinstance(got, tuple) and len(got) == 2):
                return "it must return the two values w and states"
            mine, states = got
            if np.shape(mine) != (n,) or not np.allclose(mine, w, rtol=1e-9):
                added = np.shape(mine) == (n,) and np.allclose(mine, summed)
                why = ": the gradients are added, not averaged" if added else ""
                return f"{where} it leaves Adam on the mean gradient at step t = {t}{why}"
            sizes = [np.size(state[0]) for state in states if len(state)]
            if len(states) != workers or sum(sizes) != n or max(sizes) > -(-n // workers):
                return f"{where} the workers keep buffers of {sizes} weights, not an equal share"

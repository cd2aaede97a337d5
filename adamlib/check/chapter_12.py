"""The checkers of chapter 12."""

from numbers import Real

import numpy as np

from adamlib import rules
from adamlib.check.verdict import call, checker


def averaged(w, g, t, m=0, *, lr, beta):
    """Return (w, m) after a step along an average of the gradients, as Adam's without a ruler."""
    m = beta * m + (1 - beta) * g
    return w - lr * m, m


@checker("the curvature at which a rule's own matrix lets go")
def edge(answer):
    """Check chapter 12's edge(rule, **hyper): the largest curvature on which the rule holds."""
    for name, rule, hyper, right in (
        ("gradient descent", rules.gradient_descent, {"lr": 0.1}, 20),
        ("gradient descent", rules.gradient_descent, {"lr": 0.5}, 4),
        ("momentum", rules.momentum, {"lr": 0.1, "momentum": 0.5}, 30),
        ("Nesterov's momentum", rules.nesterov, {"lr": 0.1, "momentum": 0.9}, 380 / 28),
        ("an average of gradients", averaged, {"lr": 0.1, "beta": 0.9}, 380),
    ):
        where = f"for {name} with {', '.join(f'{key} = {x:g}' for key, x in hyper.items())}"
        got = call(answer, rule, where=where, **hyper)
        if not (isinstance(got, Real) and np.isfinite(got)):
            return f"{where} it must return one finite number, not {got!r}"
        if np.isclose(got, right, rtol=1e-3):  # room for an answer that walks and looks
            continue
        why = ""
        if np.isclose(got, hyper["lr"] * right, rtol=1e-3):
            why = ": that is the rate times the curvature; the curvature is asked for"
        elif np.isclose(got, 2 / hyper["lr"], rtol=1e-3):
            why = ": there the rule would let go if it had no memory"
        side = "below it the walk grows" if got > right else "above it the walk still shrinks"
        return f"{where} it returns {got:.4g}{why}; just {side}"

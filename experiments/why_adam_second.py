"""Shorter runs, wrong labels and no momentum, for why_adam_second_claims.json: a few minutes.

`python -m experiments why_adam_second`; the questions are those that why_adam.py left.
"""

import time

from adamlib import rules
from experiments import race_tasks, why_adam
from experiments.why_adam import PAIR, SIZES

PLAIN = {"plain": ({"rule": rules.gradient_descent}, range(-10, 6))}


def jobs(digits, noisy, sizes, epochs):
    """Yield (name, images, epochs, batch size, whether the rate falls, contenders)."""
    for name, few, those in (("1 epoch", 1, sizes[:5]), ("3 epochs", 3, sizes[:-1])):
        for size in those:
            yield f"digits, {name}, {size}", digits, few, size, True, PAIR
    for size in sizes:
        yield f"noisy digits, falling, {size}", noisy, epochs, size, True, PAIR
        yield f"digits, falling, {size}", digits, epochs, size, True, PLAIN


def measured(digits):
    """Return the record; its claims are judged where it is shown."""
    began, noisy = time.perf_counter(), race_tasks.images("noisy MLP", 0)
    record = why_adam.record_of(jobs(digits, noisy, (*SIZES, len(digits.y_train)), 20))
    return {"seconds": round(time.perf_counter() - began), "runs": record}

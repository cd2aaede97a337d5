"""Shorter runs, wrong labels and no momentum, for why_adam_second_claims.json: a few minutes.

`python -m experiments why_adam_second`; the questions are those that why_adam.py left.
"""

import time

import torch
from tqdm import tqdm

from adamlib import rules
from experiments import race_tasks, why_adam
from experiments.why_adam import PAIR, SIZES

PLAIN = {"plain": ({"rule": rules.gradient_descent}, range(-10, 6))}


def jobs(digits):
    """Yield (name, images, epochs, batch size, contenders)."""
    for name, epochs, sizes in (("1 epoch", 1, SIZES[:5]), ("3 epochs", 3, SIZES)):
        for size in sizes:
            yield f"digits, {name}, {size}", digits, epochs, size, PAIR
    noisy = race_tasks.images("noisy MLP", 0)
    for size in (*SIZES, len(digits.y_train)):
        yield f"noisy digits, falling, {size}", noisy, 20, size, PAIR
        yield f"digits, falling, {size}", digits, 20, size, PLAIN


def measured(digits):
    """Return the record; its claims are judged where it is shown."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    began, record = time.perf_counter(), {}
    work = [(*job[:-1], *each) for job in jobs(digits) for each in job[-1].items()]
    for run, images, epochs, size, name, (how, ks) in tqdm(work, unit="contender"):
        found = why_adam.compared(how, ks, images, epochs, size, falls=True, rare=False)
        record.setdefault(run, {})[name] = found[""]
    return {"seconds": round(time.perf_counter() - began), "runs": record}

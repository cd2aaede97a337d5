"""why_adam.py and why_adam_second.py without short batches, for why_adam_whole_claims.json.

`python -m experiments why_adam_whole` takes about ten minutes of one core.
"""

import itertools
import time

from experiments import race_tasks, why_adam, why_adam_second

SIZES, FEW = (8, 16, 32, 64, 128, 256, 640, 1280), (8, 16, 32, 64, 128, 192, 384)
STEPS = {16: 5, 128: 42, 1280: 420}


def first(images, count):
    """Return the first `count` training images."""
    return images._replace(x_train=images.x_train[:count], y_train=images.y_train[:count])


def tasks(digits):
    """Return what why_adam.tasks returns, of 1,280 or 384 images."""
    zipf = race_tasks.images("Zipf softmax", 0)
    zipf = zipf._replace(x_train=zipf.x_train[2:], y_train=zipf.y_train[2:])  # digit 0 comes first
    few = ("balanced digits", why_adam.balanced(digits, 384), 70, FEW, False)
    return [
        ("digits", first(digits, 1280), 21, SIZES, True),
        ("Zipf digits", zipf, 70, FEW, True),
        few,
    ]


def measured(digits):
    """Return the record; its claims are judged where it is shown."""
    began, noisy = time.perf_counter(), first(race_tasks.images("noisy MLP", 0), 1280)
    second = why_adam_second.jobs(first(digits, 1280), noisy, SIZES, 21)
    merged = {}
    for job in itertools.chain(why_adam.jobs(tasks(digits), STEPS), second):
        assert len(job[1].y_train) % job[3] == 0
        merged[job[0]] = (*job[:-1], merged[job[0]][-1] | job[-1] if job[0] in merged else job[-1])
    record = why_adam.record_of(merged.values())
    return {"seconds": round(time.perf_counter() - began), "runs": record}

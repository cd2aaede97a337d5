"""The checkers of chapter 2."""

from itertools import islice

import numpy as np

from adamlib.check.verdict import call, checker


@checker("each example once, in a new order in each epoch")
def epoch_batches(answer):
    """Check chapter 2's epoch_batches(n, size, rng): the index batches of one shuffled epoch."""

    def listed(rng):  # an answer that yields may never end
        return [np.asarray(batch).tolist() for batch in islice(answer(10, 3, rng), 20)]

    listed.__name__ = getattr(answer, "__name__", "the answer")
    rng, epochs = np.random.default_rng(0), []
    for _ in range(400):
        got = call(listed, rng)
        seen = [i for batch in got for i in batch]
        if missing := set(range(10)) - set(seen):
            note = ": the last, shorter batch belongs to it" if len(seen) == 9 else ""
            if len(set(seen)) < len(seen):
                note = ", and others come twice: an epoch is drawn without replacement"
            return f"{sorted(missing)} of 0 to 9 do not come in the epoch{note}"
        if len(seen) > 10:
            return f"an epoch of 10 has {len(seen)} entries: some come twice"
        if [len(batch) for batch in got] != [3, 3, 3, 1]:
            return f"the batches have the sizes {[len(b) for b in got]}, not 3, 3, 3 and 1"
        epochs.append(got)
    if epochs[0] == epochs[1]:
        return "each epoch has the same order: draw a new one each time"
    if len(last := {batches[-1][0] for batches in epochs}) < 10:
        return f"only {sorted(last)} ever come last: shuffle the examples, not the batches"
    if listed(np.random.default_rng(1)) != listed(np.random.default_rng(1)):
        return "the order does not come from rng: the same seed must give the same batches"

"""What comes second or late: other tensors, a newcomer, a loud neighbor; and the speed."""

from functools import partial
from time import perf_counter

import torch

from adamlib.diagnose.couplings import apart, random
from adamlib.diagnose.lab import UnknownError, quietly

WAIT, AFTER, BLOCK = 300, 30, 64
UNWRITTEN = "of a length by chance, from memory that was never written"


def place(lab, groups, **setting):
    """By how much steps change with a tensor's place in the list, or its group's."""
    try:
        rows = [
            [g] * 3 for g in (0.7, -0.2, 0.01, 0.4, -0.03, *[1e4] * 6)
        ]  # one gradient says little
        first, *others = lab.walk(rows, starts=[1.0] * 3, groups=groups, **(setting or lab.bare))
    except Exception as error:
        raise UnknownError("no such setting") from error
    return float(f"{max(apart(first, other) for other in others):.2g}")


def newcomer(lab, quiet):
    """How much longer the longest of 30 steps of a tensor is that had no gradient (None) or zeros
    while another walked, than of a fresh one."""
    after = [[g, g] for g in (lab.unit * random(AFTER, scale=1.0)).tolist()]
    rows = [[lab.unit, quiet]] * WAIT + after
    fresh = lab.walk(after, starts=[1.0, 1.0], **lab.bare)[1].flatten(1)[:, 0]
    torch.use_deterministic_algorithms(True, warn_only=True)  # what is never written is not finite
    try:
        late = lab.walk(rows, starts=[1.0, 1.0], **lab.bare)[1].flatten(1)[WAIT:, 0]
    finally:
        torch.use_deterministic_algorithms(False)
    if apart(late, fresh) < 1e-6:
        return 1.0
    if not bool(late.isfinite().all()):
        late = lab.walk(rows, starts=[1.0, 1.0], **lab.bare)[1].flatten(1)[WAIT:, 0]
        return UNWRITTEN if bool(late.isfinite().all()) else "not finite"
    longer = float(
        f"{float(late.max() / fresh.max()):.3g}"
    )  # the way down: some pull back at times
    return longer if longer != 1 else f"others, by {apart(late, fresh):.1g} of the longest"


def loud_neighbor(lab):
    """By how much steps of small gradients change beside one that is 10^4 times as large, in a
    tensor so large that 8-bit buffers share a scale in it."""
    quiet = 1e-2 * random(10, 1).expand(10, BLOCK * BLOCK)
    loud = quiet.clone()
    loud[:, -1] *= 1e4
    shape = (BLOCK, BLOCK) if lab.shape == (2, 2) else (-1,)
    how = {"starts": [torch.ones(BLOCK * BLOCK).view(shape)], "dtype": torch.float32, **lab.bare}
    plain, beside = (
        lab.walk([[row.reshape(shape)] for row in g], **how)[0].flatten(1)[:, :-1]
        for g in (quiet, loud)
    )
    return float(f"{apart(plain, beside):.2g}")


def speed(lab, steps=50):
    """Steps a second on ten tensors of 10,000 weights, over those of torch.optim.Adam's loop."""

    start = torch.ones(100, 100)
    trial = lab.open(starts=[start] * 10, dtype=torch.float32)
    weights = [torch.nn.Parameter(start.clone()) for _ in range(10)]
    loop = torch.optim.Adam(weights, foreach=False)
    times = {loop: [], trial.optimizer: []}
    while len(times[loop]) < steps and sum(times[trial.optimizer]) < 1.0:  # in turn: others work
        for optimizer, moved in ((loop, weights), (trial.optimizer, trial.weights)):
            for w in moved:
                w.grad = torch.full_like(w, 0.1)
            begun = perf_counter()
            quietly(optimizer.step)
            times[optimizer].append(perf_counter() - begun)
    one, other = (sorted(each)[len(each) // 2] for each in times.values())
    return float(f"{one / other:.2g}")


QUESTIONS = {
    "steps change with the place in the list": partial(place, groups=False),
    "steps change with the place among the groups": partial(place, groups=True),
    "decay changes with the place in the list": partial(place, groups=False, weight_decay=0.1),
    "decay changes with the place among the groups": partial(place, groups=True, weight_decay=0.1),
    "after 300 steps without a gradient, steps are longer by": partial(newcomer, quiet=None),
    "after 300 steps with zeros, steps are longer by": partial(newcomer, quiet=0.0),
    "steps beside a gradient 10^4 times as large change by": loud_neighbor,
    "steps a second, over torch.optim.Adam's loop": speed,
}

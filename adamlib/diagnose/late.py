"""What comes second or late: other tensors, a resumed run, a loud neighbor; and the speed."""

import copy
import io
from functools import partial
from time import perf_counter

import torch

from adamlib.diagnose.couplings import apart, random
from adamlib.diagnose.lab import UnknownError, quietly

WAIT, AFTER, BLOCK = 300, 30, 64


def place(lab, groups, **setting):
    """By how much steps change with a tensor's place in the list, or its group's."""
    try:
        rows = [[g] * 3 for g in (0.7, -0.2, 0.01, 0.4, -0.03)]  # under one gradient Adam is deaf
        first, *others = lab.walk(rows, starts=[1.0] * 3, groups=groups, **(setting or lab.bare))
    except Exception as error:
        raise UnknownError("no such setting") from error
    return float(f"{max(apart(first, other) for other in others):.2g}")


def newcomer(lab, quiet):
    """How much longer the longest of 30 steps of a tensor is that had no gradient (None) or zeros
    while another walked, than of a fresh one."""
    rows = [[1.0, quiet]] * WAIT + [[1.0, 1.0]] * AFTER
    fresh = lab.walk([[1.0, 1.0]] * AFTER, starts=[1.0, 1.0], **lab.bare)[1].flatten(1)[:, 0]
    late = lab.walk(rows, starts=[1.0, 1.0], **lab.bare)[1].flatten(1)[WAIT:, 0]
    if apart(late, fresh) < 1e-6:
        return 1.0
    return float(f"{float(late.abs().max() / fresh.abs().max()):.3g}")


def accepts_groups(lab):
    """Whether an optimizer takes more than one group of weights."""
    try:
        lab.walk([[0.7, 0.7]], groups=True)
    except Exception:
        return False
    return True


def resumed(lab, dtype):
    """Whether a run goes on bit for bit in a fresh optimizer that loads its state from a file."""
    g = random(20, 2, *lab.shape)

    def leg(trial, steps):
        for t in steps:
            torch.manual_seed(t)  # for what is random in a step
            for group in trial.optimizer.param_groups:
                group["lr"] = lab.lr * (1 + t * 7 % 5)
            trial.step(list(g[t]))

    groups = accepts_groups(lab)
    one, other = (lab.open(starts=[0.01, 0.01], dtype=dtype, groups=groups) for _ in range(2))
    leg(one, range(10))
    file, words = io.BytesIO(), ""
    torch.save(one.optimizer.state_dict(), file)
    try:
        state = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    except Exception:
        words = ", but needs weights_only=False"
        state = torch.load(io.BytesIO(file.getvalue()), weights_only=False)
    for w, kept in zip(other.weights, one.weights, strict=True):
        w.data.copy_(kept.data)
    quietly(other.optimizer.load_state_dict, state)
    leg(one, range(10, 20))
    leg(other, range(10, 20))
    gaps = [
        float((a - b).detach().double().abs().max())
        for a, b in zip(one.weights, other.weights, strict=True)
    ]
    if max(gaps) == 0:
        return "goes on bit for bit" + words
    return f"is off by {max(gaps) / lab.lr:.1g} lr after ten steps" + words


def deep_copy(lab):
    """Whether a copy of optimizer and weights takes the same next step."""
    trial = lab.open(**lab.bare)
    trial.step([0.7])
    optimizer, weights = copy.deepcopy((trial.optimizer, trial.weights))
    moves = []
    for one in (trial, type(trial)(weights, optimizer, lab.closure)):
        torch.manual_seed(1)
        moves += one.step([0.3])
    return "takes the same step" if torch.equal(*moves) else "takes another step"


def loud_neighbor(lab):
    """By how much steps of small gradients change beside one that is 10^4 times as large, in a
    tensor so large that 8-bit buffers share a scale in it."""
    quiet = torch.full((BLOCK * BLOCK,), 1e-2)
    loud = quiet.clone()
    loud[-1] = 1e2
    shape = (BLOCK, BLOCK) if lab.shape == (2, 2) else (-1,)
    how = {"starts": [torch.ones_like(quiet).view(shape)], "dtype": torch.float32, **lab.bare}
    plain, beside = (
        lab.walk([[g.view(shape)]] * 10, **how)[0].flatten(1)[:, :-1] for g in (quiet, loud)
    )
    return float(f"{apart(plain, beside):.2g}")


def speed(lab, steps=50):
    """Steps a second on ten tensors of 10,000 weights, over those of torch.optim.Adam's loop."""

    def seconds(optimizer, weights):
        times = []
        while len(times) < steps and sum(times) < 1.0:
            for w in weights:
                w.grad = torch.full_like(w, 0.1)
            start = perf_counter()
            quietly(optimizer.step)
            times.append(perf_counter() - start)
        return sorted(times)[len(times) // 2]

    start = torch.ones(100, 100)
    trial = lab.open(starts=[start] * 10, dtype=torch.float32)
    weights = [torch.nn.Parameter(start.clone()) for _ in range(10)]
    loop = torch.optim.Adam(weights, foreach=False)
    ratio = seconds(loop, weights) / seconds(trial.optimizer, trial.weights)
    return float(f"{ratio:.2g}")


QUESTIONS = {
    "steps change with the place in the list": partial(place, groups=False),
    "steps change with the place among the groups": partial(place, groups=True),
    "decay changes with the place in the list": partial(place, groups=False, weight_decay=0.1),
    "decay changes with the place among the groups": partial(place, groups=True, weight_decay=0.1),
    "after 300 steps without a gradient, steps are longer by": partial(newcomer, quiet=None),
    "after 300 steps with zeros, steps are longer by": partial(newcomer, quiet=0.0),
    "a run resumed from a file, float32,": partial(resumed, dtype=torch.float32),
    "a run resumed from a file, bfloat16,": partial(resumed, dtype=torch.bfloat16),
    "a deep copy": deep_copy,
    "steps beside a gradient 10^4 times as large change by": loud_neighbor,
    "steps a second, over torch.optim.Adam's loop": speed,
}

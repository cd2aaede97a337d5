"""Whether a run goes on from a file or a copy."""

import copy
import io
from functools import partial

import torch

from adamlib.diagnose.couplings import random
from adamlib.diagnose.lab import UnknownError, quietly


def accepts_groups(lab):
    """Whether an optimizer takes more than one group of weights."""
    try:
        lab.walk([[0.7, 0.7]], groups=True)
    except Exception:
        return False
    return True


def resumed(lab, dtype, **setting):
    """Whether a run goes on bit for bit in a fresh optimizer that loads its state from a file."""
    g = random(20, 2, *lab.shape)

    def leg(trial, steps):
        for t in steps:
            torch.manual_seed(t)  # for what is random in a step
            for group in trial.optimizer.param_groups:
                group["lr"] = lab.lr * (1 + t * 7 % 5)
            trial.step(list(g[t]))

    groups = accepts_groups(lab)
    how = dict(starts=[0.01, 0.01], dtype=dtype, groups=groups, **setting)
    one, other = (lab.open(**how) for _ in range(2))
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


def decayed(lab):
    """Whether a run with weight decay goes on bit for bit."""
    try:
        lab.open(weight_decay=0.1).step([0.7])
    except Exception as error:
        raise UnknownError("no such setting") from error
    return resumed(lab, torch.float32, weight_decay=0.1)


def deep_copy(lab):
    """Whether a copy of optimizer and weights takes the same next step."""
    trial = lab.open(**lab.bare)
    trial.step([0.7])
    optimizer, weights = copy.deepcopy((trial.optimizer, trial.weights))
    moves = []
    for one in (trial, type(trial)(weights, optimizer, lab.closure)):
        torch.manual_seed(1)
        try:
            moves += one.step([0.3])
        except Exception as error:
            return f"is made, but its step raises {type(error).__name__}"
    gap = float((moves[0] - moves[1]).nan_to_num().abs().max()) / lab.lr
    return f"takes another step, by {gap:.1g} lr" if gap else "takes the same step"


QUESTIONS = {
    "a run resumed from a file, float32,": partial(resumed, dtype=torch.float32),
    "a run resumed from a file, bfloat16,": partial(resumed, dtype=torch.bfloat16),
    "a run resumed from a file, with decay,": decayed,
    "a deep copy": deep_copy,
}

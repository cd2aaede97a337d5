"""The contract of torch.optim: learning rates, groups, gradients, closures, types."""

from functools import partial

import torch

from adamlib.diagnose.couplings import apart
from adamlib.diagnose.lab import UnknownError, quietly

G = 0.7  # a gradient


def factor(lab, times):
    """Return how much longer step 4 is for `times` the learning rate before it."""

    def fourth(times):
        def change(t, optimizer):
            for one in optimizer.param_groups if t == 3 else ():
                one["lr"] = times * lab.lr

        return float(lab.walk([[G]] * 4, change, **lab.bare)[0][3].flatten()[0])

    return ratio(fourth(times), fourth(1), times)


def faster_group(lab):
    """Return how much longer the first step is in the second of two groups, with a tenfold lr."""
    trial = lab.open([1.0, 1.0], groups=True, **lab.bare)
    trial.optimizer.param_groups[1]["lr"] = 10 * lab.lr
    moves = zip(*(trial.step([G, G]) for _ in range(8)), strict=True)
    rows = zip(*([float(m.flatten()[0]) for m in each] for each in moves), strict=True)
    walked = [ratio(other, one, 10) for one, other in rows if one]  # some only look at first
    return 10 if 10 in walked else walked[0]  # where weights count, later steps differ


def ratio(one, other, times):
    """Return one / other; `times` where it is that but for rounding."""
    if not abs(other) > 0:
        raise UnknownError("the first steps only look, or are not finite")
    found = one / other
    return times if abs(found - times) < 1e-4 * max(1, times) else float(f"{found:.4g}")


def tensor_rate(lab):
    """What an lr in a tensor does."""
    rate = torch.tensor(lab.lr, dtype=torch.float64)
    moves, plain = (lab.walk([[G]] * 3, lr=lr, **lab.bare)[0] for lr in (rate, lab.lr))
    if abs(float(rate) / lab.lr - 1) > 1e-6:
        return "is changed by steps"
    if not bool(moves.isfinite().all()) and bool(plain.isfinite().all()):
        return "makes weights not finite"
    return "works" if torch.allclose(moves, plain, rtol=1e-6) else "makes other steps"


def after(lab, **setting):
    """What a step does to the gradients."""
    try:
        trial = lab.open(**(setting or lab.bare))
        trial.step([G])
    except Exception as error:
        raise UnknownError("no such setting") from error
    if getattr(trial.optimizer, "elsewhere", False):
        raise UnknownError("it sees copies")
    for k, g in enumerate([*[G] * 3, *[1e4] * 9, *[1e4] * 9]):
        trial = lab.open(**(setting or lab.bare)) if k == 12 else trial
        trial.step([g])
        grad = trial.weights[0].grad
        if grad is None:
            return "cleared"
        if not torch.equal(grad, torch.full_like(grad, g)):
            return "changed" if g == G else "changed, where large"
    return "as before"


def closure(lab):
    """How step() treats a closure."""
    trial, calls = lab.open(**lab.bare), []

    def loss():
        calls.append(torch.is_grad_enabled())
        for w in trial.weights:
            w.grad = torch.full_like(w, G)
        return torch.tensor(7.0)

    returned = quietly(trial.optimizer.step, loss)
    if len(calls) != 1:
        return f"is called {len(calls)} times"
    if not calls[0]:
        return "runs without gradients"
    return "works" if returned is not None and float(returned) == 7 else "loses its loss"


def follows(lab):
    """Whether steps depend on the losses that a closure returns: falling, or rising ones."""
    moves = []
    for losses in (torch.linspace(9, 1, 150), torch.linspace(1, 9, 150)):
        trial = lab.open(**lab.bare)
        trial.closure = True
        for trial.loss in losses.tolist():
            move = trial.step([G])
        moves += move
    return "follow its losses" if apart(*moves) > 1e-9 else "do not depend on its losses"


def without(lab):
    """Whether a weight moves that has no gradient."""
    moves = lab.walk([[G, None]] * 4, starts=[1.0, 1.0], **lab.bare)[1]
    return "moves" if bool(moves.any()) else "stays"


def pause(lab):
    """Whether a weight moves whose gradient is missing for a while, of two weights either."""
    starts = [1.0, torch.ones(3) if lab.shape == (2,) else 1.0]
    gaps = enumerate(([None, G], [G, None]))
    walks = (lab.walk([[G, G]] * 4 + [gap] * 3, starts=starts, **lab.bare)[k] for k, gap in gaps)
    return "moves on" if any(bool(moves[4:].any()) for moves in walks) else "stays"


def own_rate(lab):
    """Whether the learning rate in the groups is what it was after some large steps."""
    trial = lab.open(**lab.bare)
    rates = [trial.optimizer.param_groups[0].get("lr") for _ in range(12) if trial.step([1e4])]
    return "stays" if set(rates) == {lab.group.get("lr")} else "is changed by steps"


def zeros(lab):
    """What zero gradients do to a fresh weight."""
    moves = lab.walk([[0.0]] * 4, **lab.bare)[0]
    if not bool(moves.isfinite().all()):
        return "not finite"
    return "move the weight" if bool(moves.any()) else "leave the weight"


QUESTIONS = {
    "a tenfold lr makes the next step longer by": partial(factor, times=10),
    "lr = 0 leaves of the next step": partial(factor, times=0),
    "a group with a tenfold lr steps longer by": faster_group,
    "lr as a tensor": tensor_rate,
    "lr in the groups": own_rate,
    "gradients after a step": after,
    "gradients after a step with decay": partial(after, weight_decay=0.1),
    "gradients after a step with maximize": partial(after, maximize=True),
    "gradients after a step, bfloat16": partial(after, dtype=torch.bfloat16),
    "a closure": closure,
    "steps with a closure": follows,
    "a weight without a gradient": without,
    "a weight whose gradient pauses": pause,
    "zero gradients from the start": zeros,
}

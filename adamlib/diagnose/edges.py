"""The edges of the contract: odd shapes, other types, later groups, infinite gradients, typos."""

from functools import partial

import torch

from adamlib.diagnose.contract import G
from adamlib.diagnose.couplings import apart
from adamlib.diagnose.lab import UnknownError, quietly


def of_shape(lab, shape):
    """Whether a tensor of this shape, beside an ordinary one, walks."""
    trial = lab.open(starts=[1.0, torch.ones(shape)], **lab.bare)
    move = [trial.step([G, G])[1] for _ in range(8)][-1]  # the first steps may only look
    return "works" if bool(move.isfinite().all() & (move != 0).all()) else "does not move"


def later_group(lab):
    """Whether a group that is added in mid-run steps as a fresh one does."""
    (fresh,) = lab.walk([[G]] * 12, **lab.bare)
    trial = lab.open(**lab.bare)
    for _ in range(300):
        trial.step([G])
    late = torch.nn.Parameter(torch.ones(lab.shape, dtype=lab.dtype))
    quietly(trial.optimizer.add_param_group, {"params": [late]})
    trial.weights.append(late)
    moves = torch.stack([trial.step([G, G])[1] for _ in range(12)])
    if apart(moves, fresh) < 1e-6:
        return "steps like a fresh one"
    return "steps otherwise than a fresh one" if bool(moves.any()) else "never moves"


def infinite(lab):
    """What one infinite gradient leaves behind."""
    trial = lab.open(starts=[1.0, 1.0], **lab.bare)
    trial.step([float("inf"), G])
    own, other = [trial.step([-G, -G]) for _ in range(100)][-1]
    if not bool(other.isfinite().all()):
        return "spoils all weights"
    if not bool(own.isfinite().all()):
        return "spoils its weight"
    if not bool(own.any()):
        return "freezes its weight"
    return "is forgotten" if bool((own * other > 0).all()) else "drives its weight one way for good"


def modes(lab):
    """What eval() and train(), where an optimizer has them, do to a weight."""
    trial = lab.open(**lab.bare)
    if not callable(getattr(trial.optimizer, "eval", None)):
        raise UnknownError("it has no modes")
    for _ in range(8):
        trial.step([G])
    (w,), steps = trial.weights, (trial.optimizer.eval, trial.optimizer.train)
    places = [w.detach().clone(), *(quietly(turn) or w.detach().clone() for turn in steps)]
    first, away, back = (place.double() for place in places)
    if float((back - first).abs().max()) > 1e-6 * lab.lr:
        return "moves the weights, and train() does not take them back"
    return "changes nothing" if torch.equal(first, away) else "moves the weights, train() back"


def misspelled(lab):
    """Whether a keyword that no one knows is taken."""
    if getattr(lab.open().optimizer, "elsewhere", False):
        raise UnknownError("its adapter answers")
    try:
        quietly(lab.factory, lab.open().weights, weight_decy=0.1)
    except Exception as error:
        return f"raises {type(error).__name__}"
    return "is accepted"


def bfloat16(lab):
    """How far bfloat16 weights go, of the way that float64 ones go."""
    way = [
        float(lab.walk([[1.0]] * 20, lr=1e-3, dtype=dtype, **lab.bare)[0].sum())
        for dtype in (torch.bfloat16, torch.float64)
    ]
    return "stand still" if way[0] == 0 else f"go {way[0] / way[1]:.2g} of the way"


def buffers(lab, dtype):
    """The types of the buffers of such weights."""
    start = torch.ones((64, 64) if lab.shape == (2, 2) else 4096)  # some are small in large ones
    trial = lab.open(starts=[start], dtype=dtype, **lab.bare)
    if getattr(trial.optimizer, "elsewhere", False):
        raise UnknownError("they are the other library's")
    for _ in range(2):
        trial.step([G])
    kinds = {str(x.dtype)[6:] for x in tensors(trial.optimizer.state) if x.numel() > 1}
    return ", ".join(sorted(kinds)) or "none"


def tensors(state):
    """Yield the tensors in nested dictionaries and lists."""
    if torch.is_tensor(state):
        yield state
    elif isinstance(state, dict | list | tuple):
        for part in state.values() if isinstance(state, dict) else state:
            yield from tensors(part)


QUESTIONS = {
    "a tensor of a single number": partial(of_shape, shape=()),
    "a tensor of no number": partial(of_shape, shape=(0,)),
    "a group added later": later_group,
    "an infinite gradient": infinite,
    "eval()": modes,
    "a misspelled keyword": misspelled,
    "bfloat16 weights at 1, in 20 steps of 1e-3,": bfloat16,
    "buffers of bfloat16 weights": partial(buffers, dtype=torch.bfloat16),
    "buffers of float64 weights": partial(buffers, dtype=torch.float64),
}

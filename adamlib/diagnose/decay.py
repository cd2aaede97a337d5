"""What weight decay does: where it goes."""

import math

import torch

from adamlib.diagnose.strength import DECAY, RATE, past, shrink

START, STEPS = 2.0, 12
NOTHING = 2e-15  # of a weight: rounding


def decay(lab, known):
    """The kind of decay, from walks with and without, weights without a gradient, a large step."""
    found = kind(lab, known)
    own = lab.group.get("weight_decay")
    if "weight_decay" not in lab.group and "past the gradient, times lr" in found["weight decay"]:
        own = float(f"{float(lab.walk([[0.0]])[0].flatten()[0]) / lab.lr:.4g}")
    if isinstance(own, (int, float)):
        found = {"weight decay as set": float(own)} | found
    return found


def kind(lab, known):
    """What an argument weight_decay does."""
    try:
        digits = known.get("float64 weights", "keep their digits") == "keep their digits"
        rate = lab.slow.get("lr", lab.lr) if digits else 10 * RATE
        shares = [added(lab, g, rate) for g in (1.0, -1e-3)]
        extra, after = (torch.stack(each) for each in zip(*shares, strict=True))  # (2, STEPS)
        if spread(after) < min(0.02, spread(extra)):
            extra = after
    except Exception:
        return {"weight decay": "cannot be set"}
    top = float(extra.flatten()[extra.abs().argmax()])
    quiet = 0.0 if math.isfinite(shrink(lab, RATE, 0.0)) else 1.0  # the gradient of what follows
    if shrink(lab, RATE, DECAY, quiet) == shrink(lab, RATE, 0.0, quiet):
        if shrink(lab, RATE, DECAY, quiet, moved=3.0) != shrink(lab, RATE, 0.0, quiet, moved=3.0):
            return {"weight decay": "past the gradient, towards where the weight was at first"}
        if abs(top) < NOTHING:
            return {
                "weight decay": "no effect" + (" on vectors" if of_matrices(lab, quiet) else "")
            }
    tied = isinstance(known.get("a step depends on"), list)
    if abs(top) < NOTHING and not tied:
        return {"weight decay": "only where there is no gradient"}
    one = extra[0]
    linear = abs(known.get("length grows with the gradient to the power", 0.0) - 1) < 1e-3
    grows = float((one[:3] / one[0] - 1).abs().max()) > 0.02
    apart = spread(extra) > 0.02
    if fed(lab, rate):
        same = linear and known.get("direction") == "the gradient"
        return {"weight decay": "in the gradient" + (" or past it: here the same" if same else "")}
    if tied and (apart or grows or abs(top) < NOTHING):
        return {
            "weight decay": "unknown: what it adds depends on the gradient, and steps on others"
        }
    whole, none = (extra / top - 1).abs() < 0.02, extra.abs() < 1e-3 * abs(top)
    if apart and abs(top / rate / DECAY - 1) < 0.02 and bool((whole | none).all()):
        return {"weight decay": "past the gradient, in some steps"}
    if apart or (linear and (grows or remembered(lab, rate))):
        up, down = (shrink(lab, RATE, DECAY, starts=[w]) for w in (1.0, -1.0))
        size = max(abs(up), abs(down))  # 0: the first step only looks
        if math.isfinite(up) and abs(up + down) > 0.01 * size:
            either = linear and known.get("direction") == "the gradient"
            where = "in the gradient or past it" if either else "in the gradient"
            return {"weight decay": f"{where}, whatever the weight"}
        return {"weight decay": "by a rule of its own: neither in the gradient nor past it"}
    if float(one[0]) < 0:
        return {"weight decay": "of the wrong sign: weights grow"}
    found = past(lab, quiet)
    share = (
        top / DECAY / (1 if "times lr over" in str(found) or "not times" in str(found) else rate)
    )
    if "share" in found and abs(share / found.pop("share") - 1) > 0.02:
        return {"weight decay": "by a rule of its own: neither in the gradient nor past it"}
    return found


def added(lab, g, rate):
    """Return what decay adds to each step along a constant gradient, over the weight before that
    step, and over the weight after it."""

    def walk(size):
        (moves,) = lab.walk([[g]] * STEPS, starts=[START], lr=rate, weight_decay=size)
        return moves.flatten(1)[:, 0]

    moves, plain = walk(DECAY), walk(0.0)
    before = START - torch.cat([torch.zeros(1, dtype=torch.float64), moves.cumsum(0)[:-1]])
    return (moves - plain) / before, (moves - plain) / (before - plain)


def of_matrices(lab, g):
    """Whether a matrix decays."""
    how = {"starts": [torch.ones(4, 4)]}
    return shrink(lab, RATE, DECAY, g, **how) != shrink(lab, RATE, 0.0, g, **how)


def spread(extra):
    """Return by how much what decay adds differs between two gradients, as a share."""
    return float((extra[0] - extra[1]).abs().max() / extra.abs().max().clamp(min=1e-300))


def fed(lab, rate):
    """Whether weights walk as without decay, along gradients to which decay has been added."""
    decayed, by_hand = (
        lab.open(starts=[START], lr=rate, weight_decay=size) for size in (DECAY, 0.0)
    )
    gaps, parts = [], []
    for g in (0.3, -0.1, 1e-3, 0.2, -0.4, 0.05):
        (one,) = decayed.step([g])
        (other,) = by_hand.step([g + DECAY * by_hand.weights[0].detach()])
        gaps.append(float((one - other).abs().max()))
        parts.append(float(one.abs().max()))
    return max(gaps) < 1e-3 * max(parts)


def remembered(lab, rate):
    """Whether decay goes on as before for a while when the weight's sign is turned by hand."""

    def turn(t, optimizer):
        for group in optimizer.param_groups if t == STEPS - 1 else ():
            for w in group["params"]:
                w.data.neg_()

    moves = [
        lab.walk([[1.0]] * STEPS, turn, starts=[START], lr=rate, weight_decay=size)[0].flatten(1)
        for size in (DECAY / 10, 0.0)
    ]
    before, after = (moves[0] - moves[1])[-2:, 0].tolist()
    return abs(after / before + 1) > 0.02

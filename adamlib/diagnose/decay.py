"""What weight decay does: where it goes, how strong it is, and in which order it comes."""

import math

import torch

RATE, DECAY, STRONG, START, STEPS = 1e-3, 0.1, 0.5, 2.0, 12
NOTHING = 2e-15  # of a weight: rounding


def decay(lab, known):
    """The kind of decay, from walks with and without, weights without a gradient, a large step."""
    found = kind(lab, known)
    own = lab.group.get("weight_decay", 0.0) or 0.0
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
        extra = torch.stack([added(lab, g, rate) for g in (1.0, -1e-3)])  # (2, STEPS)
    except Exception:
        return {"weight decay": "cannot be set"}
    top = float(extra.flatten()[extra.abs().argmax()])
    quiet = 0.0 if math.isfinite(shrink(lab, RATE, 0.0)) else 1.0  # the gradient of what follows
    if shrink(lab, RATE, DECAY, quiet) == shrink(lab, RATE, 0.0, quiet):
        if shrink(lab, RATE, DECAY, quiet, moved=3.0) != shrink(lab, RATE, 0.0, quiet, moved=3.0):
            return {"weight decay": "past the gradient, towards where the weight was at first"}
        if abs(top) < NOTHING:
            return {"weight decay": "no effect"}
    tied = isinstance(known.get("a step depends on"), list)
    if abs(top) < NOTHING and not tied:
        return {"weight decay": "only where there is no gradient"}
    one, other = extra
    linear = abs(known.get("length grows with the power", 0.0) - 1) < 1e-3
    grows = float((one[:3] / one[0] - 1).abs().max()) > 0.02
    apart = float((one - other).abs().max()) > 0.02 * abs(top)
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
        mirrored = not math.isfinite(up) or abs(up + down) <= 0.01 * size
        return {"weight decay": "in the gradient" + ("" if mirrored else ", whatever the weight")}
    if float(one[0]) < 0:
        return {"weight decay": "of the wrong sign: weights grow"}
    if linear and known.get("direction") == "the gradient":
        return {"weight decay": "in the gradient or past it: here the same"}
    return past(lab, quiet)


def added(lab, g, rate):
    """Return what decay adds to each step along a constant gradient, over that step's weight."""

    def walk(size):
        (moves,) = lab.walk([[g]] * STEPS, starts=[START], lr=rate, weight_decay=size)
        return moves.flatten(1)[:, 0]

    moves = walk(DECAY)
    weights = START - torch.cat([torch.zeros(1, dtype=torch.float64), moves.cumsum(0)[:-1]])
    return (moves - walk(0.0)) / weights


def remembered(lab, rate):
    """Whether decay goes on as before for a while when the weight's sign is turned by hand."""

    def turn(t, optimizer):
        for group in optimizer.param_groups if t == STEPS - 1 else ():
            for w in group["params"]:
                w.data.neg_()

    moves = [
        lab.walk([[1.0]] * STEPS, turn, starts=[START], lr=rate, weight_decay=size)[0].flatten(1)
        for size in (DECAY, 0.0)
    ]
    before, after = (moves[0] - moves[1])[-2:, 0].tolist()
    return abs(after / before + 1) > 0.02


def shrink(lab, rate, decay, g=0.0, moved=None, **how):
    """Return by how much the first step moves a weight at 1, or at `moved` since the start."""
    trial = lab.open(lr=rate, weight_decay=decay, **how)
    for w in trial.weights if moved is not None else ():
        w.data.fill_(moved)
    return float(trial.step([g])[0].flatten()[0])


def past(lab, quiet):
    """How strong a decay past the gradient is, what it shrinks towards, and when it comes."""
    none, one, fast = (
        shrink(lab, rate, size, quiet)
        for rate, size in ((RATE, 0.0), (RATE, DECAY), (10 * RATE, DECAY))
    )
    one, fast = one - none, fast - shrink(lab, 10 * RATE, 0.0, quiet)
    if one == 0:
        return {"weight decay": "unknown: the first step does not decay"}
    times = {10: "times lr", 1: "not times lr"}.get(round(fast / one, 1), "by a rule of its own")
    answer = {"weight decay": f"past the gradient, {times}"}
    share = one / DECAY / (RATE if times == "times lr" else 1)
    if abs(share - 1) > 1e-3:
        answer["a decay of 1 takes, of a weight"] = float(f"{share:.4g}")
    kept = {"dtype": torch.float32}
    vanishes = [n for n in range(4, 10) if shrink(lab, 10.0**-n, 1.0, **kept) == 0]
    if vanishes:
        answer["vanishes in float32 from lr times decay of"] = 10.0 ** -vanishes[0]
    return {**answer, "order": order(lab, times == "times lr")}


def order(lab, scaled):
    """Whether a weight decays before or after the step, from one large step."""
    step, both = (shrink(lab, STRONG, size, 1.0) for size in (0.0, STRONG))
    share = STRONG * (STRONG if scaled else 1)
    forms = {
        "decay, then the step": share + step,
        "the step, then decay": step + share * (1 - step),
        "the step, then a division": 1 - (1 - step) / (1 + share),
    }
    near = [name for name, moved in forms.items() if abs(both - moved) < 1e-6]
    return near[0] if near else "another"

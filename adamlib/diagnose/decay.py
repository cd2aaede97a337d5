"""What weight decay does: where it goes, how strong it is, and in which order it comes."""

import math

import torch

RATE, DECAY, STRONG, START = 1e-3, 0.1, 0.5, 2.0


def decay(lab, known):
    """The kind of decay, from weights without a gradient and from one large step."""
    own = float(lab.group.get("weight_decay") or 0.0)
    return {"weight decay by default": own, **kind(lab, known)}


def shrink(lab, rate, decay, g=0.0, moved=None, **how):
    """Return by how much the first step moves a weight at 1, or at `moved` since the start."""
    trial = lab.open(lr=rate, weight_decay=decay, **how)
    for w in trial.weights if moved is not None else ():
        w.data.fill_(moved)
    return float(trial.step([g])[0].flatten()[0])


def kind(lab, known):
    """What an argument weight_decay does."""
    try:
        none, one, fast, strong = (
            shrink(lab, rate, size)
            for rate, size in ((RATE, 0.0), (RATE, DECAY), (10 * RATE, DECAY), (RATE, 2 * DECAY))
        )
    except Exception:
        return {"weight decay": "cannot be set"}
    if not math.isfinite(none):
        return {
            "weight decay": "in the gradient" if in_gradient(lab) else "unknown: no finite step"
        }
    if abs(one - none) < 1e-12:
        with_gradient = [shrink(lab, RATE, size, g=1.0) for size in (0.0, DECAY)]
        no_effect = abs(with_gradient[1] - with_gradient[0]) < 1e-12
        return {"weight decay": "no effect" if no_effect else "only beside a gradient"}
    if one < none:
        return {"weight decay": "of the wrong sign: weights grow"}
    one, fast, strong = one - none, fast - none, strong - none
    if known.get("divided by") == "nothing" and known.get("direction") == "the gradient":
        return {"weight decay": "in the gradient or past it: here the same"}
    if abs(strong / one - 2) > 0.02 or in_gradient(lab):
        return {"weight decay": "in the gradient"}
    times = {10: "times lr", 1: "not times lr"}.get(round(fast / one, 1), "by a rule of its own")
    answer = {"weight decay": f"past the gradient, {times}"}
    share = one / DECAY / (RATE if times == "times lr" else 1)
    if abs(share - 1) > 1e-3:
        answer["a decay of 1 takes, of a weight"] = float(f"{share:.4g}")
    if abs(shrink(lab, RATE, DECAY, moved=3.0) / one - 3) > 0.05:
        answer["weight decay"] += ", towards where the weight was at first"
    vanishes = [n for n in range(4, 10) if shrink(lab, 10.0**-n, 1.0, dtype=torch.float32) == 0]
    if vanishes:
        answer["vanishes in float32 from lr times decay of"] = 10.0 ** -vanishes[0]
    return {**answer, "order": order(lab)}


def in_gradient(lab, steps=40):
    """Whether decay is more than a share of the weight: whether what it adds to a step, over the
    weight of that step, changes while the gradients do."""

    def walk(size):
        g = torch.linspace(0.2, 2.0, steps, dtype=torch.float64)
        signs = torch.tensor([1.0, 1.0, -1.0]).repeat(steps)[:steps]
        rows = [[float(x)] for x in g * signs]
        (moves,) = lab.walk(rows, starts=[START], **{**lab.slow, "weight_decay": size})
        return moves.flatten(1)[:, 0]

    moves = walk(DECAY)
    weights = START - torch.cat([torch.zeros(1, dtype=torch.float64), moves.cumsum(0)[:-1]])
    added = (moves - walk(0.0)) / weights
    return bool((added / added[0] - 1).abs().max() > 0.02)


def order(lab):
    """Whether a weight decays before or after the step, from one large step."""
    share, step, both = (
        shrink(lab, STRONG, size, g=g) for size, g in ((STRONG, 0.0), (0.0, 1.0), (STRONG, 1.0))
    )
    forms = {
        "decay, then the step": share + step,
        "the step, then decay": step + share * (1 - step),
    }
    near = [name for name, moved in forms.items() if abs(both - moved) < 1e-6]
    division = abs(share - 1 / 3 / 2) < 0.04 and "the step, then a division"
    return near[0] if near else division or "another"

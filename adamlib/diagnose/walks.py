"""Long walks of one weight along constants, a flip, a spike; how long steps are, how they grow."""

import torch

from adamlib.diagnose.couplings import apart
from adamlib.diagnose.lab import UnknownError

LONG, TAIL, SPIKE = 3760, 240, 10.0
SHOWN = (1, 2, 5, 10, 50, 200, 2000, 4000)


def walks(lab):
    """Walk along a constant, with one flip or one spike in it, and along alternating signs; return
    (properties, lengths of the steps, in lr)."""
    known = settled(lab)
    ones = torch.full((LONG + TAIL,), lab.unit, dtype=torch.float64)
    flip, spike, alternating = ones.clone(), ones.clone(), ones.clone()
    flip[LONG] *= -1
    spike[LONG] *= SPIKE
    alternating[1::2] *= -1
    names = ("ones", "flip", "spike", "alternating")
    found = lab.lengths(torch.stack([ones, flip, spike, alternating]), **lab.slow)
    return known, dict(zip(names, found - drift(lab, **lab.slow), strict=True))


def drift(lab, **how):
    """Return how far an entry goes downhill in a step whatever the sign of its gradient, in lr."""
    up, down = lab.lengths([[lab.unit] * 3, [-lab.unit] * 3], **how)[:, -1].tolist()
    return (up + down) / 2


def settled(lab):
    """Find a gradient so large that steps have settled how they grow with it, and the power of it
    with which they grow, at step 200 and at the first; return which are too large, if any."""
    own, slow = (lab.lengths([[1.0] * 200], **how)[0] for how in ({}, lab.slow))
    at = {}
    if abs(float(own[0] - slow[0])) > 1e-3 * abs(float(own[0])):  # steps that are no multiple of lr
        lab.slow = {}
    elif lab.slow and apart(own, slow) > 1e-3:
        at = {"lengths and memories are at lr": lab.slow["lr"]}
    if lab.rounded:  # steps from 0 lose no digits; some come back to where they were
        ones = lab.lengths([[1.0] * 60], **lab.slow)
        lab.reset = True
        lab.reset = apart(ones, lab.lengths([[1.0] * 60], **lab.slow)) < 2e-3
    sizes = lab.full * torch.tensor([1e-6, 1e-4, 1e-2, 1.0], dtype=torch.float64)
    s = lab.lengths(sizes[:, None].expand(4, 200), **lab.slow)
    finite = int(s.isfinite().all(1).cummin(0).values.sum())  # those below the first that is not
    if finite < 3:
        raise UnknownError(f"steps along a gradient of {sizes[finite]:g} are not finite")
    s, lab.full = s[:finite], float(sizes[finite - 1])
    if not bool((s[:, -1] > 0).all()):
        raise UnknownError("no step under a constant gradient")
    first = int((s != 0).all(0).float().argmax())
    ratios = (s[1:, [first, -1]] / s[:-1, [first, -1]]).log10() / 2
    small, large = ratios[0], ratios[-1]
    early = bool(((small - large).abs() < 2e-3).all())
    at_first, growth = (small if early else large).tolist()
    whole = round(growth)
    lab.growth = float(whole) if abs(growth - whole) < 5e-3 else round(growth, 3)
    lab.growth_at_first = round(at_first, 2)
    lab.unit = min(1.0 if early else 1e4, lab.full / 2 / SPIKE)
    name = "steps are not finite from a gradient of"
    return at | ({name: float(sizes[finite])} if finite < len(sizes) else {})


def odd_steps(s):
    """Return k if every k-th step is another than those beside it, else 0."""
    late = s[:LONG]
    odd = (late[1:-1] - late[:-2]).abs() > 0.1 * late.abs().max()
    odd &= (late[1:-1] - late[2:]).abs() > 0.1 * late.abs().max()
    at = odd.nonzero().flatten() + 2  # counted from 1
    return int(at[0]) if len(at) > 9 and bool((at % at[0] == 0).all()) and at[0] > 2 else 0


def lengths(lab, found):
    """How long the steps are under a constant gradient, in lr."""
    s = found["ones"]
    shown = {t: float(f"{s[t - 1]:.5g}") for t in SHOWN}
    odd, top = odd_steps(s), float(s.max())
    more = {"the longest of 4,000 such steps, in lr": float(f"{top:.4g}")}
    return ({} if lab.unit == 1 else {"the constant gradient": lab.unit}) | {
        "length under a constant gradient, in lr": shown,
        **(
            {"another step comes every": odd, "that one, in lr": float(f"{s[odd - 1]:.4g}")}
            if odd
            else {}
        ),
        **(more if top > 1.01 * max(shown.values()) else {}),
        "length grows with the gradient to the power": lab.growth,
        "length grows at first with the gradient to the power": lab.growth_at_first,
    }


def digits(lab):
    """Whether float64 weights are stepped in float32."""
    if lab.dtype != torch.float64:
        return {}
    (moves,) = lab.walk([[0.3]] * 5, **lab.bare)
    weights = 1 - moves.cumsum(0)
    lab.rounded = bool((weights == weights.float()).all() & moves.any())
    return {"float64 weights": "are stepped in float32" if lab.rounded else "keep their digits"}


def drifts(lab):
    """How far a weight goes in a step whatever the sign of its gradient, at 0 and at 1."""
    found = {}
    if not lab.elementwise:
        return found
    at0 = drift(lab, start=0.0, **lab.bare)
    found["drift in a step, in lr"] = float(f"{at0:.3g}") if abs(at0) > 1e-7 else 0.0
    more = drift(lab, start=1.0, **lab.bare) - at0
    if abs(more) > 1e-7 and lab.dtype == torch.float64 and not lab.rounded:
        found["share of a weight that goes unasked in a step, per lr"] = float(f"{more:.3g}")
    both = (lab.lengths([[0.3], [-0.3]], start=x, **lab.bare).sum() / 2 for x in (1.0, 0.0))
    first = float(next(both) - next(both))
    if abs(first - more) * lab.lr > 1e-5 and lab.dtype == torch.float64 and not lab.rounded:
        found["share of a weight that goes unasked in the first step"] = float(
            f"{first * lab.lr:.3g}"
        )
    return found


def of_mean(found):
    """Whether steps are as long under alternating gradients as under constant ones."""
    ratio = float(found["alternating"][-1].abs() / found["ones"][-1])
    return abs(ratio - 1) < 0.01 and abs(float(found["flip"][LONG] / found["ones"][LONG])) < 0.95

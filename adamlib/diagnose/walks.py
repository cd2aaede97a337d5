"""Long walks of one weight along constants, a flip, a spike; how long steps are, how they grow."""

import torch

from adamlib.diagnose.lab import UnknownError

LONG, TAIL, SPIKE = 3760, 240, 10.0
SHOWN = (1, 2, 5, 10, 50, 200, 2000, 4000)


def walks(lab):
    """Walk along a constant, with one flip or one spike in it, along alternating signs, and along
    constants 100, 10^4 and 10^6 times as large; return {} and the lengths of the steps, in lr."""
    lab.unit, lab.growth, lab.growth_at_first = unit(lab)
    ones = torch.full((LONG + TAIL,), lab.unit, dtype=torch.float64)
    flip, spike, alternating = ones.clone(), ones.clone(), ones.clone()
    flip[LONG] *= -1
    spike[LONG] *= SPIKE
    alternating[1::2] *= -1
    names = ("ones", "flip", "spike", "alternating")
    found = lab.lengths(torch.stack([ones, flip, spike, alternating]), **lab.slow)
    return {}, dict(zip(names, found - drift(lab, **lab.slow), strict=True))


def drift(lab, **how):
    """Return how far an entry goes downhill in a step whatever the sign of its gradient, in lr."""
    up, down = lab.lengths([[lab.unit] * 3, [-lab.unit] * 3], **how)[:, -1].tolist()
    return (up + down) / 2


def unit(lab):
    """Return (gradient, growth, growth at first): a gradient so large that steps have settled how
    they grow with it, and the power of it with which they grow, at step 200 and at the first."""
    sizes = torch.tensor([1.0, 1e2, 1e4, 1e6], dtype=torch.float64)
    s = lab.lengths(sizes[:, None].expand(4, 200), **lab.slow)
    if not bool(s.isfinite().all()):
        raise UnknownError("steps along a constant gradient are not finite")
    if not bool((s[:, -1] > 0).all()):
        raise UnknownError("no step under a constant gradient")
    first = int((s != 0).all(0).float().argmax())
    small, large = ((s[k + 1, [first, -1]] / s[k, [first, -1]]).log10() / 2 for k in (0, 2))
    settled = bool(((small - large).abs() < 2e-3).all())
    at_first, growth = (small if settled else large).tolist()
    return (1.0 if settled else 1e4), round(growth, 3), round(at_first, 2)


def lengths(lab, found):
    """How long the steps are under a constant gradient, in lr."""
    s = found["ones"]
    shown = {t: float(f"{s[t - 1]:.5g}") for t in SHOWN}
    return ({} if lab.unit == 1 else {"the constant gradient": lab.unit}) | {
        "length under a constant gradient, in lr": shown,
        "length grows with the power": lab.growth,
        "length grows at first with the power": lab.growth_at_first,
    }


def drifts(lab):
    """How far a weight goes in a step whatever the sign of its gradient, at 0 and at 1; and whether
    float64 weights are stepped in float32."""
    found = {}
    if lab.dtype == torch.float64:
        (moves,) = lab.walk([[0.3]] * 5, **lab.bare)
        weights = 1 - moves.cumsum(0)
        rounded = bool((weights == weights.float()).all() & moves.any())
        found["float64 weights"] = "are stepped in float32" if rounded else "keep their digits"
    if not lab.elementwise:
        return found
    at0 = drift(lab, start=0.0, **lab.bare)
    found["drift in a step, in lr"] = float(f"{at0:.3g}") if abs(at0) > 1e-7 else 0.0
    more = drift(lab, start=1.0, **lab.bare) - at0
    if abs(more) > 1e-7 and found.get("float64 weights") == "keep their digits":
        found["share of a weight that goes unasked in a step, per lr"] = float(f"{more:.3g}")
    return found


def of_mean(found):
    """Whether steps are as long under alternating gradients as under constant ones."""
    ratio = float(found["alternating"][-1].abs() / found["ones"][-1])
    return abs(ratio - 1) < 0.01 and abs(float(found["flip"][LONG] / found["ones"][LONG])) < 0.95

"""Long walks of one weight along constants, a flip, a spike; how long steps are, how they grow."""

import torch

from adamlib.diagnose.lab import UnknownError

LONG, TAIL, SPIKE = 3760, 240, 100.0
SHOWN = (1, 2, 5, 10, 50, 200, 2000, 4000)


def walks(lab):
    """Walk along a constant, with one flip or one spike in it, along alternating signs, and along
    constants 100, 10^4 and 10^6 times as large; return {} and the lengths of the steps, in lr."""
    lab.unit, lab.growth = unit(lab)
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
    """Return (gradient, growth): one so large that steps have settled how they grow with it, and
    the power of it with which they grow."""
    sizes = torch.tensor([1.0, 1e2, 1e4, 1e6], dtype=torch.float64)
    s = lab.lengths(sizes[:, None].expand(4, 200), **lab.slow)[:, -1]
    if not bool((s > 0).all()):
        raise UnknownError("no step under a constant gradient")
    small, large = (float((s[k + 1] / s[k]).log10()) / 2 for k in (0, 2))
    settled = abs(small - large) < 2e-3
    growth = small if settled else large
    return (1.0 if settled else 1e4), (round(growth, 3) if abs(growth) < 1.5 else growth)


def lengths(lab, found):
    """How long the steps are under a constant gradient, in lr."""
    s = found["ones"]
    shown = {t: float(f"{s[t - 1]:.5g}") for t in SHOWN}
    return {
        "length under a constant gradient, in lr": shown,
        "length grows with the power": lab.growth,
    }


def drifts(lab):
    """How far a weight goes in a step whatever the sign of its gradient, at 0 and at 1."""
    if not lab.elementwise:
        return {}
    at0, at1 = (drift(lab, start=start, **lab.bare) for start in (0.0, 1.0))
    found = {"drift in a step, in lr": float(f"{at0:.3g}") if abs(at0) > 1e-7 else 0.0}
    if abs(at1 - at0) > 1e-7:
        found["share of a weight that goes unasked in a step, per lr"] = float(f"{at1 - at0:.3g}")
    return found

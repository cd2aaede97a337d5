"""Schedules: functions of t that return a factor of the learning rate.

t is the number of steps taken before this one, 0, 1, 2, ..., as torch's LambdaLR counts, so that
`LambdaLR(optimizer, partial(cosine, steps=220))` runs one; the t of the rules is one more. Factors
multiply: `lambda t: warm_up(t, steps=20) * cosine(t, steps=220)`. A length counts steps and is at
least 1, a share lies between 0 and 1; all else raises ValueError.
"""

import math


def constant(t: float) -> float:
    """Return 1: the same rate in every step."""
    return 1.0


def step(t: float, *, every: float, factor: float = 0.1) -> float:
    """Return `factor` to the power of the drops so far, one after each `every` steps; StepLR."""
    _check_length("every", every)
    _check_share("factor", factor)
    return factor ** (t // every)


def cosine(t: float, *, steps: float, final: float = 0.0) -> float:
    """Return the glide from 1 to `final` along half a cosine (Loshchilov & Hutter, 2017).

    `final` would be reached in the step after the last; there it stays. Up to then it is
    CosineAnnealingLR, which after its T_max goes up again, with the period of twice T_max.
    """
    _check_length("steps", steps)
    _check_share("final", final)
    return _glide(1.0, final, min(t / steps, 1.0))


def inverse_root(t: float, *, start: float = 1) -> float:
    """Return 1 for the first `start` steps, then a factor that falls like one over their root.

    The default is the rate of section 4 of Kingma & Ba (2015); times `warm_up` of as many steps it
    is the shape of Vaswani et al. (2017), section 5.3.
    """
    _check_length("start", start)
    return min(1.0, math.sqrt(start / (t + 1)))


def warm_up(t: float, *, steps: float) -> float:
    """Return a rise from 1/steps in the first step to 1 in step number `steps`; then 1; LinearLR.

    Goyal et al. (2017), section 2.2, with another start.
    """
    _check_length("steps", steps)
    return min(1.0, (t + 1) / steps)


def one_cycle(
    t: float, *, steps: float, rise: float = 0.3, initial: float = 0.04, final: float = 4e-6
) -> float:
    """Return a glide up from `initial` to 1 in the share `rise` of the steps, then down to `final`.

    The rate (and not the momentum) of OneCycleLR, whose `max_lr` is the base rate, in each of the
    `steps`; after the last one it stays at `final`, where OneCycleLR's goes on. The 1cycle
    policy is Smith & Topin's (2018); the two phases follow fastai.
    """
    _check_length("steps", steps)
    for name, value in (("rise", rise), ("initial", initial), ("final", final)):
        _check_share(name, value)
    top = rise * steps - 1
    if not 0 < top < steps - 1:
        found = f"got {rise!r} of {steps!r} steps; train for more of them"
        raise ValueError(f"rise must leave steps on both sides, {found}")
    if t <= top:
        return _glide(initial, 1.0, t / top)
    return _glide(1.0, final, min((t - top) / (steps - 1 - top), 1.0))


def _glide(start, end, share):
    """Return where a glide along half a cosine stands after a `share` of the way."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def _check_length(name, value):
    if not 1 <= value < math.inf:
        raise ValueError(f"{name} must be a number of steps >= 1, got {value!r}")


def _check_share(name, value):
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be from 0 to 1, got {value!r}")

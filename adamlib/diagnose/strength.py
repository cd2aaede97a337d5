"""How strong a weight decay is, and in which order it comes."""

import torch

RATE, DECAY, STRONG = 1e-3, 0.1, 0.5


def shrink(lab, rate, decay, g=0.0, moved=None, later=1, **how):
    """Return by how much the first step moves a weight at 1, or at `moved` since the start; before
    it lr becomes `later` times what it was."""
    trial = lab.open(lr=rate, weight_decay=decay, **how)
    for group in trial.optimizer.param_groups if later != 1 else ():
        group["lr"] = later * rate
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
    if times == "not times lr":
        rises = shrink(lab, RATE, DECAY, quiet, later=10) - shrink(lab, RATE, 0.0, quiet, later=10)
        times = "times lr over the first lr" if round(rises / one, 1) == 10 else times
    answer = {"weight decay": f"past the gradient, {times}"}
    share = answer["share"] = one / DECAY / (RATE if times == "times lr" else 1)
    if abs(share - 1) > 1e-3:
        answer["a decay of 1 takes, of a weight"] = float(f"{share:.4g}")
    kept = {"dtype": torch.float32}
    vanishes = [n for n in range(4, 10) if gone(lab, 10.0**-n, quiet, **kept)]
    if vanishes:
        answer["vanishes in float32 once lr times decay is"] = 10.0 ** -vanishes[0]
    return {**answer, "order": order(lab, times == "times lr")}


def gone(lab, rate, g, **kept):
    """Whether a decay of 1 does nothing."""
    return shrink(lab, rate, 1.0, g, **kept) == shrink(lab, rate, 0.0, g, **kept)


def order(lab, scaled):
    """Whether a weight decays before or after the step, from one large step."""
    step, both = (shrink(lab, STRONG, size, 1.0) for size in (0.0, STRONG))
    share = STRONG * (STRONG if scaled else 1)
    forms = {
        "decay, then the step": share + step,
        "the step, then decay": step + share * (1 - step),
        "the step, then a division": 1 - (1 - step) / (1 + share),
    }
    shrunk = shrink(lab, STRONG, 0.0, 1.0, starts=[1 - share])
    if abs(share + shrunk - step - share * (1 - step)) < 1e-6:  # steps that grow with the weight
        return "either: here the same"
    near = [name for name, moved in forms.items() if abs(both - moved) < 1e-6]
    return near[0] if near else "another"

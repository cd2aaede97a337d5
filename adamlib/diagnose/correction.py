"""How the two means make up for their start at 0, and where eps stands among it."""

import torch

from adamlib.diagnose.lab import UnknownError
from adamlib.diagnose.memories import LARGEST, MEAN, SUM

STEPS = 400
CLOCKS = {
    "t": lambda t: t,
    "t + 1": lambda t: t + 1,
    "1": lambda t: 0 * t + 1,
    "2 t": lambda t: 2 * t,
}
BOTH, M, V, NEITHER = "both means", "the mean of the gradients", "the mean of their size", "nothing"


def roots(known):
    """Return (beta1, beta2, root): those of the means that could be corrected, 0 for no mean."""
    beta1, beta2 = (known[name].value if name in known else 0.0 for name in ("beta1", "beta2"))
    divided = known["divided by"]
    if not any(name in divided for name in (MEAN, LARGEST)):
        beta2 = 0.0
    power = 1 if "sizes" in divided else 2
    return beta1, beta2, (1 - known["length grows with the gradient to the power"]) / power


def correction(found, known):
    """Which means are corrected for their start at 0, and by which clock."""
    s = found["ones"][:STEPS]
    beta1, beta2, root = roots(known)
    t = torch.arange(1, STEPS + 1, dtype=torch.float64)
    past = known.get("share of the newest gradient past the mean")
    past = (1 - beta1) * ("Nesterov" in known["direction"]) if past is None else past
    raw = (past + (1 - past) * (1 - beta1**t)) / (1 - beta2**t) ** root
    fits = []
    if SUM in known["divided by"]:
        raw = raw / t**root
    for clock, count in CLOCKS.items():
        m, v = 1 - beta1 ** count(t), (1 - beta2 ** count(t)) ** root
        models = {NEITHER: raw}
        models |= {M: raw / m} if beta1 else {}
        models |= {V: raw * v} if beta2 else {}
        models |= {BOTH: raw / m * v, "multiplied": raw * m / v} if beta1 and beta2 else {}
        for name, model in models.items():
            gain = s / model
            error = float((gain / gain[-1] - 1).abs().max())
            strange = round(abs(float(gain[-1].log10())), 4) if gain[-1] > 0 else 9.0
            if clock == "1" and (name != BOTH or strange > 0.01):
                continue  # no more than another learning rate
            fits.append((round(error, 6), strange, len(fits), name, clock, float(gain[-1])))
    error, *_, name, clock, gain = min(fits)
    if not error < 3e-3:
        return {"corrected": "in a way of its own, see the lengths"}
    answer = {"corrected": name, "length of a steady step, in lr": float(f"{gain:.10g}")}
    return answer if name == NEITHER else {**answer, "its clock at step t": clock}


def epsilon(lab, known):
    """Where eps stands: what is left of a step at its reach, below which steps shrink, and how the
    reach moves while the mean fills up."""
    grow = lab.growth
    sizes = [lab.full, *(10.0**-n for n in range(-1, 30, 1 if lab.elementwise else 2))]
    steps = (1, 10, 200) if lab.elementwise else (1, 10)
    s = lab.lengths([[g] * steps[-1] for g in sizes], **lab.slow)
    reach, heights, tiny = {}, [], 1e-9 if lab.elementwise else 1e-5
    up = [g for g, way in zip(sizes, s.sum(1).tolist(), strict=True) if way < 0]
    for t in steps:
        if float(s[0, t - 1]) == 0:  # a first step that only looks
            continue
        g = torch.tensor(sizes, dtype=torch.float64)
        share = s[:, t - 1] / s[0, t - 1] * (lab.full / g) ** grow
        if not bool(share.isfinite().all()):
            return {"eps": "steps are not finite for tiny gradients"}
        indices = range(1, len(sizes) - 1)
        small = [k for k in indices if 0 < float(share[k].abs()) < tiny]
        small = small or [k for k in indices if 0 < float(share[k].abs()) < 1e-5]
        if not small and abs(float(share[-1]) - 1) > 1e-3:
            raise UnknownError("steps along tiny gradients fall in no simple way")
        if not small and not lab.elementwise:
            raise UnknownError("none where all entries are equally small")
        if not small:
            return {"eps": "none, down to a gradient of 1e-29"}
        k = small[0]
        slope = float((share[k] / share[k + 1]).abs().log() / (g[k] / g[k + 1]).log())
        reach[t] = sizes[k] / float(share[k].abs()) ** (1 / slope)
        above = [float(share[k]) for k in indices if sizes[k] > 300 * reach[t]]
        if reach[t] > lab.full / 100 or (above and abs(above[-1] - 1) > 0.1):  # no eps' doing
            del reach[t]
            continue
        at = lab.lengths([[reach[t]] * t], **lab.slow)[0, -1]
        heights.append(float(at / s[0, t - 1]) * (lab.full / reach[t]) ** grow)
    if up:
        return {"goes uphill along a gradient of": up[0]}
    if not reach:
        raise UnknownError("something else moves with the size of the gradient")
    return placed(reach, heights, known)


def placed(reach, heights, known):
    """Put the reach of eps into words."""
    shown = {"reach of eps at step": {t: float(f"{r:.4g}") for t, r in reach.items()}}
    _, beta2, root = roots(known) if "divided by" in known else (0, 0.0, 0.5)
    whole = 1 - known["length grows with the gradient to the power"]
    places = {0.5: ("outside the root", 1), 0.5**root: ("inside the root", root)}
    places = {0.5: ("added to what divides", 1)} if root == 1 else places
    ends = heights[-1], heights[0]
    fits = [(at, place) for x in ends for at, place in places.items() if abs(x - at) < 0.01]
    fits = fits or [(1.0, ("a lower limit", 1))] * (abs(heights[-1] - 1) < 0.01)
    if not fits:
        share = f"at its reach {heights[-1]:.3g} of a step is left"
        return {"eps": f"in no known place: {share}", **shown}
    (at, (place, inside)), *_ = fits
    reach = {t: r for (t, r), x in zip(reach.items(), heights, strict=True) if abs(x - at) < 0.01}
    shown = {"reach of eps at step": {t: float(f"{r:.4g}") for t, r in reach.items()}}
    first, last = min(reach), max(reach)
    size = {t: r ** (whole / inside) for t, r in reach.items()}
    if SUM in known.get("divided by", ""):
        size = {t: x * t ** (root / inside) for t, x in size.items()}
    if not beta2:  # no memory is known that its reach could be compared with, unless it stays
        stays = abs(size[last] / size[first] - 1) < 0.02
        return {
            "eps": place,
            **({"size of eps": float(f"{size[last]:.4g}")} if stays else {}),
            **shown,
        }
    count = CLOCKS[known.get("its clock at step t", "t")]
    corrected = known["corrected"] in (BOTH, V, "multiplied")
    raw = {t: (1 - beta2**t) ** (root / inside) for t in reach}
    divided = {t: (1 - beta2 ** count(t)) ** (root / inside) for t in reach}
    if known["corrected"] == "multiplied":
        divided = {t: 1 / x for t, x in divided.items()}
    start = {t: size[t] * (1 - beta2**t) / beta2**t for t in reach}
    after = {t: size[t] * raw[t] / (divided[t] if corrected else 1) for t in reach}
    before = {t: size[t] * raw[t] for t in reach}
    own = known["corrected"].startswith("in a way")  # by whatever it is that corrects
    for words, x in (
        (", after the correction" if corrected else "", {} if own else after),
        (", before the correction", before),
        (", after the correction" if own else ", whatever the step", size),
    ):
        if x and abs(x[last] / x[first] - 1) < 0.02:
            return {"eps": place + words, "size of eps": float(f"{x[last]:.4g}"), **shown}
    if "inside" in place and abs(start[last] / start[first] - 1) < 0.02:
        return {
            "eps": "hidden by the start of the memory",
            "the memory of size starts at": float(f"{start[first]:.6g}"),
            **shown,
        }
    return {"eps": f"{place}, and its reach moves in a way of its own", **shown}

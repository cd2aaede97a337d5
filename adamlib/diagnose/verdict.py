"""A card's properties in a sentence: which rule it is, and in what it differs."""

from adamlib.diagnose.correction import BOTH, NEITHER, M, V
from adamlib.diagnose.faults import large
from adamlib.diagnose.later import NAMES
from adamlib.diagnose.memories import LARGEST, MAXIMUM, MEAN, SUM
from adamlib.diagnose.portrait import at_rate, steady

ENTRIES = "the other entries of its tensor"
FALL = "share of a weight that goes unasked in the first step"
TOP = "the longest of 4,000 such steps, in lr"
POWER, ALIKE = "with the gradient to the power", "gradients act alike from a size of"
UNASKED = "share of a weight that goes unasked in a step, per lr"
AHEAD, MIXED = "the mean, looking ahead (Nesterov)", "the mean and the newest gradient"
ADAM = f"the root of {MEAN} of the squares"
CORRECTED = {
    NEITHER: "no correction of the two means",
    M: "the mean of the gradients alone is corrected",
    V: "the mean of their size alone is corrected",
    "multiplied": "the means are multiplied by 1 - beta**t instead of divided",
}


def verdict(p):
    """Return a sentence or two: which rule it is, in what it differs, and how far that is known."""
    name, but = base(p)
    gain, own = steady(p), {"momentum", "orthogonalized", *NAMES.values()}
    if gain is not None and own.isdisjoint([name, *name.split()]) and abs(gain - 1) > 1e-3:
        but.append(f"a steady step is {gain:g} lr long{at_rate(p)}")
    off = p.get("foretold within", 0.0)
    if off > 1e-5:
        but.append(f"along random gradients its steps are off by {off:.1g} of one")
    late, first = (p.get(f"length grows {at}{POWER}", 0.0) for at in ("", "at first "))
    if abs(late - first) > 0.2 and name not in NAMES.values():
        but.append(f"at first its steps grow with the power {first:g} of the gradient")
    if p.get("the memory of size starts at"):
        but.append(f"the memory of size starts at {p['the memory of size starts at']:g}")
    if p.get("drift in a step, in lr"):
        but.append(f"every step adds {-p['drift in a step, in lr']:g} lr, whatever the gradient")
    if isinstance(p.get("a step depends on"), list) and not p.get("matrices are orthogonalized"):
        but.append(f"each step depends on {' and '.join(p['a step depends on'])}, too")
    if odd := p.get("another step comes every"):
        but.append(f"every {odd}th step is {p['that one, in lr']:g} lr long")
    if p.get("steps with a closure") == "follow its losses":
        but.append("with a closure its steps follow the losses")
    if isinstance(p.get(ALIKE), float):
        but.append(f"gradients of {p[ALIKE]:g} and more act alike")
    if large(p.get("changes with the weights as a matrix"), 1e-6) and "orthog" not in name:
        but.append("matrices go another way than vectors, of which this card is")
    if p.get(FALL):
        but.append(f"its first step takes {p[FALL]:g} of each weight, unasked")
    if p.get(UNASKED):
        but.append(f"a step takes {p[UNASKED]:g} lr of each weight, unasked")
    joint = ": " if name.startswith("No rule") else ", but "
    text = name + (joint + "; ".join(but) if but else "") + "."
    text += f" Weight decay: {p.get('weight decay', 'unknown')}"
    text += f" ({p['order']})." if p.get("order", "").startswith("the step") else "."
    if p.get("foretold within", 1.0) < 1e-5:
        text += f" {p['foretold by']} foretells 60 random steps."
    else:
        text += " No rule of the book foretells its steps."
    bits = [str(x) for k, x in p.items() if k.startswith("a run resumed")]
    if bits and all(x.startswith("goes on") for x in bits):
        text += " It resumes bit for bit."
    return text


def base(p):
    """Return (name, [how it differs from the rule of that name])."""
    if p.get("foretold by") in NAMES:
        return NAMES[p["foretold by"]], []
    divided, direction = str(p.get("divided by")), str(p.get("direction"))
    orthogonal = p.get("matrices are orthogonalized")
    if orthogonal and ENTRIES in p.get("a step depends on", ()):
        return "Steps of orthogonalized matrices, as Muon's", []
    if orthogonal:
        name, but = base({**p, "matrices are orthogonalized": False})
        name = name.replace("No rule of this book", "a rule of their own").replace("Gra", "gra")
        return f"Steps of orthogonalized matrices, as Muon's; vectors go by {name}", but
    if ENTRIES in p.get("a step depends on", ()) and not p.get("foretold within", 1.0) < 1e-5:
        return "No rule of this book", []
    if direction == "a sign":
        if "newest gradient's size" in divided:
            return "No rule of this book", ["its steps have the sign of a mean"]
        kind = "the gradient" if divided == "its own size" else "a mean"
        one = "of one length, " if kind == "the gradient" or "one length" in divided else ""
        return f"Steps {one}by the sign of {kind}", []
    if divided == "nothing":
        if direction == "the gradient":
            return "Gradient descent", []
        if direction in ("the mean of the gradients", AHEAD):
            how = "Nesterov's momentum" if direction == AHEAD else "momentum"
            return f"Gradient descent with {how} {p['beta1'].value:.4g}", []
        if direction == MIXED:
            how = f"momentum {p['beta1'].value:.4g} and the newest gradient"
            return f"Gradient descent with {how}", []
    if divided.startswith(f"the root of {SUM}") and direction == "the gradient":
        return "AdaGrad", []
    if divided.startswith(MAXIMUM) and direction == "the mean of the gradients":
        return "AdaMax", differences(p)
    if divided.startswith(f"the root of {LARGEST}"):
        return "AMSGrad", differences(p)
    if direction == "the gradient" and divided == ADAM:
        if p.get("corrected") == NEITHER:
            return "RMSProp", [x for x in differences(p) if x != CORRECTED[NEITHER]]
        others = [x for x in differences(p) if x != CORRECTED[V]]
        return "Adam without a memory of direction", others
    cautious = direction.endswith("(cautious)") or direction.startswith("the newest gradient's")
    if (direction in ("the mean of the gradients", AHEAD, MIXED) or cautious) and MEAN in divided:
        decoupled = str(p.get("weight decay")).startswith("past")
        but = [] if divided == ADAM else [f"divided by {divided}"]
        but += ["it looks ahead, as NAdam does"] if direction in (AHEAD, MIXED) else []
        but += [f"its direction is {direction}"] if cautious else []
        return "AdamW" if decoupled else "Adam", but + differences(p)
    s = p.get("length under a constant gradient, in lr", {1: 1.0})
    first, last = s[1], s[max(s)]
    if abs(last - first) <= 0.01 * abs(last):
        return "No rule of this book", []
    of = f" of {p['the constant gradient']:g}" if "the constant gradient" in p else ""
    top = f", {p[TOP]:.3g} at most" if TOP in p else ""
    walk = f"go from {first:.3g} to {last:.3g} lr in 4,000 steps{top}{at_rate(p)}"
    growth = f"its steps under a constant gradient{of} {walk}"
    return "No rule of this book", [growth]


def differences(p):
    """Return in what the corrections and eps are not those of Adam's paper."""
    found = []
    if p.get("corrected") not in (BOTH, None):
        own = "its steps grow or shrink in a way of their own at first"
        found.append(CORRECTED.get(p["corrected"], own))
        if p["corrected"] == M and str(p.get("divided by")).startswith(MAXIMUM):
            found.pop()  # a maximum needs none
    if p.get("its clock at step t", "t") != "t":
        found.append(f"at step t the correction counts {p['its clock at step t']}")
    eps = str(p.get("eps", ""))
    reach = p.get("reach of eps at step", {})
    if "before the correction" in eps:
        first, last = reach[min(reach)], p["size of eps"] ** (0.5 if "inside" in eps else 1)
        where = "the first step" if min(reach) == 1 else f"step {min(reach)}"
        found.append(f"eps before the correction: {first / last:.3g} times larger at {where}")
    elif "inside" in eps:
        found.append("eps inside the root")
    elif "limit" in eps:
        found.append("eps is a lower limit of the root")
    elif "in no known place" in eps or "none" in eps or "not finite" in eps:
        found.append("no eps" if "none" in eps else f"eps {eps}")
    if "beta2" in p and "beta1" in p and p["beta1"].value > p["beta2"].value:
        found.append("the direction fades more slowly than the size (betas swapped?)")
    return found

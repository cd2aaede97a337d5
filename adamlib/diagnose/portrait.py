"""The rule that a card describes, made of the book's own, and whether it foretells new steps."""

import torch

from adamlib import rules
from adamlib.diagnose.correction import BOTH, NEITHER, M, V
from adamlib.diagnose.lab import UnknownError
from adamlib.diagnose.later import foretold, later, walked
from adamlib.diagnose.memories import LARGEST, MAXIMUM, MEAN, SUM
from adamlib.mutants import MUTANTS, edited

CORRECTED = {BOTH: None, M: "only m corrected", V: "only v corrected", NEITHER: "no correction"}
CLOCKED = {"t": None, "t + 1": "clock one ahead", "1": "clock stuck at 1"}
CLOCKED["2 t"] = "clock counts two tensors"
EPS = {
    "outside the root, after the correction": None,
    "outside the root": None,
    "outside the root, before the correction": "eps before the correction",
    "inside the root, after the correction": "eps inside the root",
    "inside the root": "eps inside the root",
    "hidden by the start of the memory": None,
    "none, down to a gradient of 1e-29": None,
}


def steady(known):
    """Return the length of a steady step in lr as it would be without eps; None if not known."""
    gain, eps = known.get("length of a steady step, in lr"), known.get("size of eps", 0.0)
    unit, place = known.get("the constant gradient", 1.0), str(known.get("eps"))
    whole = 1 - known.get("length grows with the gradient to the power", 0.0)
    if gain is not None and ("outside" in place or "added" in place):
        return gain * (1 + eps / unit**whole)
    return gain * (1 + eps / unit**2) ** 0.5 if gain is not None and "inside" in place else gain


def at_rate(p):
    """Return at which rate lengths were taken, where it matters."""
    rate = p.get("lengths and memories are at lr")
    return f" at lr = {rate:g}" if rate else ""


def rule(known):
    """Return (rule, its settings but for lr and decay, lr's factor, names of its changes).

    Raises UnknownError where the card describes none that the book's rules can be made into.
    """
    divided, direction = known.get("divided by"), known.get("direction", "")
    gain = steady(known)
    beta1, beta2 = (known[k].value if k in known else 0.0 for k in ("beta1", "beta2"))
    if (
        gain is None
        or not divided
        or direction
        not in ("the gradient", "the mean of the gradients", "the mean, looking ahead (Nesterov)")
    ):
        raise UnknownError("no rule of the book is like it")
    ahead = "Nesterov" in direction
    if divided == "nothing":
        if not beta1:
            return rules.gradient_descent, {}, gain, []
        if known["corrected"] == NEITHER:
            base = rules.nesterov if ahead else rules.momentum
            return base, {"momentum": beta1}, gain * (1 - beta1), []
    eps = {"eps": known.get("size of eps", 0.0)}
    if "eps" not in known:
        raise UnknownError("no rule of the book is like it")
    if divided == f"the root of {SUM} of the squares" and not beta1 and "outside" in known["eps"]:
        return rules.adagrad, eps, gain, []
    if divided == f"{MAXIMUM} of the sizes" and not ahead and known["corrected"] == M:
        return rules.adamax, {"betas": (beta1, beta2), **eps}, gain, []
    changes = [CORRECTED.get(known["corrected"], ""), EPS.get(known["eps"], "")]
    if known["corrected"] != NEITHER:
        changes.append(CLOCKED.get(known.get("its clock at step t", "t"), ""))
    if known["corrected"] == "multiplied":
        changes[0] = "multiplied, not divided"
    shapes = {
        f"the root of {MEAN} of the squares": None,
        f"the root of {LARGEST} of the squares": None,
        f"{MEAN} of the squares": "no root",
        f"the root of {MEAN} of the sizes": "no square",
    }
    changes.append(shapes.get(divided, ""))
    if changes[3:] and changes[-1] == "no root" and changes[1] == "":
        changes[1] = None  # there eps is added to what divides
    if "" in changes or ahead:
        raise UnknownError("no rule of the book is like it")
    changes = [change for change in changes if change]
    if LARGEST in divided:
        if changes:
            raise UnknownError("no rule of the book is like it")
        return rules.amsgrad, {"betas": (beta1, beta2), **eps}, gain, []
    if "the memory of size starts at" in known:
        changes.append("v starts at 1")
    return rules.adam, {"betas": (beta1, beta2), **eps}, gain, changes


def portrait(lab, known):
    """Whether the rule that the card describes, or a later one, foretells steps that no experiment
    has used."""
    try:
        found = described(lab, known)
    except UnknownError:
        if found := later(lab, known):
            return found
        raise
    return found if found["foretold within"] < 1e-5 else later(lab, known) or found


def described(lab, known):
    """How well the rule that the card describes foretells them."""
    base, settings, gain, changes = rule(known)
    edits = [edit for change in changes for edit in MUTANTS[change][1]]
    if "the memory of size starts at" in known:
        start = known["the memory of size starts at"]
        edits = [(old, f"v={start}") if old == "v=0" else (old, new) for old, new in edits]
    try:
        drawn = edited(base, edits, ", ".join(changes) or "as it is")
    except ValueError as error:
        raise UnknownError("no rule of the book is like it") from error
    limit = known.get("gradients act alike from a size of", torch.inf)
    g, moves = walked(lab)
    gap = foretold(lab, drawn, settings, g.clamp(-limit, limit), moves, gain)
    if limit < torch.inf:
        changes.append(f"gradients clipped at {limit:g}")
    words = f"rules.{base.__name__}" + "".join(f", {change}" for change in changes)
    return {"foretold by": words, "foretold within": float(f"{gap:.1g}")}

"""The book's rules that no answer describes, tried with the settings that stand in the groups."""

import inspect

import torch

from adamlib import rules
from adamlib.diagnose.couplings import apart, wide
from adamlib.diagnose.lab import Measured

STEPS = 60
NAMES = {
    "rules.sign_momentum": "Signum",
    "rules.lion": "Lion",
    "rules.nadam": "NAdam",
    "rules.radam": "RAdam",
    "rules.ademamix": "AdEMAMix",
    "rules.schedule_free": "Schedule-Free AdamW",
    "rules.muon": "Muon",
}


def walked(lab):
    """Return (gradients, movements) of a walk along random gradients."""
    g = wide(lab, STEPS, seed=1)
    how = {"starts": [0.0 if lab.reset else 1.0], **lab.slow, **lab.bare}
    return g, lab.walk([[row] for row in g], lab.back, **how)[0]


def foretold(lab, rule, settings, g, moves, gain=1.0):
    """Return how far a rule is off along a walk, as a share of its longest step."""
    w, state, found = torch.ones(lab.shape, dtype=torch.float64), (), []
    for t, row in enumerate(g, 1):
        new, *state = rule(w, row, t, *state, lr=gain * lab.slow["lr"], **settings)
        found.append(w - new)
        w = new
    return apart(moves, torch.stack(found))


def settings_of(lab, rule):
    """Return the settings of a rule that stand in the groups, but for lr."""
    given = inspect.signature(rule).parameters.values()
    own = {a.name for a in given if a.kind is a.KEYWORD_ONLY} - {"lr"}
    return {name: value for name, value in {**lab.group, **lab.bare}.items() if name in own}


def later(lab, known):
    """Return the properties that say which of these rules foretells new steps; {} for none."""
    walk = walked(lab)
    for words in NAMES:
        rule = getattr(rules, words.removeprefix("rules."))
        settings = settings_of(lab, rule)
        try:
            gap = foretold(lab, rule, settings, *walk)
        except Exception:  # settings of another kind, or weights
            continue
        if gap < 1e-6:
            found = {"foretold by": words, "foretold within": float(f"{gap:.1g}")}
            if "beta1" in known and "betas" in settings:  # NAdam's own rises with the step
                beta1, near = settings["betas"][0], known["beta1"].value
                found["beta1"] = Measured(beta1, max(abs(near - beta1), known["beta1"].within))
            settings.pop("weight_decay", None)  # which has an answer of its own
            text = ", ".join(f"{name} {value}" for name, value in settings.items())
            return found | {"with the settings": text}
    return {}

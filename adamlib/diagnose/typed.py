"""What to type in torch.optim for the same walk, where one of its classes takes it."""

import torch

from adamlib import rules
from adamlib.diagnose.couplings import apart, wide
from adamlib.diagnose.lab import Lab, UnknownError
from adamlib.diagnose.later import STEPS, settings_of
from adamlib.diagnose.portrait import steady

CLASSES = {
    "rules.gradient_descent": "SGD",
    "rules.momentum": "SGD",
    "rules.nesterov": "SGD",
    "rules.adagrad": "Adagrad",
    "rules.adam": "Adam",
    "rules.adam, no correction": "RMSprop",
    "rules.amsgrad": "Adam",
    "rules.adamax": "Adamax",
    "rules.nadam": "NAdam",
    "rules.radam": "RAdam",
}


def typed(lab, known):
    """The call of torch.optim that walks the same way, decay and all; tried on random gradients."""
    try:
        name, settings = arguments(lab, known)
    except UnknownError:
        return {}
    g = wide(lab, STEPS, seed=5)

    def walk(lab):
        return lab.walk([[row] for row in g], starts=[torch.full(lab.shape, 3.0)])[0]

    same = Lab(lambda params: getattr(torch.optim, name)(params, **settings))
    same.shape = lab.shape
    if not apart(walk(lab), walk(same)) < 1e-6:
        return {}
    words = ", ".join(f"{key}={value!r}" for key, value in settings.items())
    return {"the same in torch.optim": f"{name}({words})"}


def arguments(lab, known):
    """Return (class, settings) of torch.optim for what the card says.

    Raises UnknownError where it says nothing that one of them does.
    """
    rule = known["foretold by"]
    if rule == "rules.adam, only v corrected" and known["beta1"].value == 0:
        rule = "rules.adam"  # without a mean there is nothing to correct
    if rule not in CLASSES or lab.dtype != torch.float64 or "the memory of size starts at" in known:
        raise UnknownError("no class of torch.optim is like it")
    name, gain = CLASSES[rule], float(f"{steady(known) or 1.0:.5g}")
    beta1, beta2 = (
        round(known[key].value, 6) if key in known else 0.0 for key in ("beta1", "beta2")
    )
    settings = {"lr": float(f"{lab.lr * gain:.6g}")}
    if name == "SGD" and beta1:
        settings["lr"] = float(f"{lab.lr * gain * (1 - beta1):.6g}")
        settings |= {"momentum": beta1} | ({"nesterov": True} if rule == "rules.nesterov" else {})
    elif name == "RMSprop":
        settings["alpha"] = beta2
    elif name in ("Adam", "Adamax"):
        settings["betas"] = (beta1, beta2)
    if name in ("NAdam", "RAdam"):
        settings = {"lr": lab.lr, **settings_of(lab, getattr(rules, name.lower()))}
    elif name != "SGD":
        settings["eps"] = float(f"{known.get('size of eps', 0.0):.3g}")
    if rule == "rules.amsgrad":
        settings["amsgrad"] = True
    decay, kind = known.get("weight decay as set", 0.0), known.get("weight decay", "")
    if decay and kind.startswith("past the gradient, times lr"):
        name = {"Adam": "AdamW"}.get(name, name)
        settings |= {"decoupled_weight_decay": True} if name in ("NAdam", "RAdam") else {}
    return name, settings | ({"weight_decay": decay} if decay or name == "AdamW" else {})

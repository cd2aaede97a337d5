"""What tells one run from another: what a checkpoint is compared by."""

from collections import Counter
from inspect import signature
from numbers import Number

import torch
from torch.optim.lr_scheduler import LambdaLR

from adamlib.runs.checkpoints import digest
from adamlib.runs.packing import packed

MOVED = ("lr", "initial_lr", "betas", "momentum")  # by a scheduler
MOVING = ("last_epoch", "_step_count", "_last_lr", "_is_initial", "_get_lr_called_within_step")
MOVING += ("T_cur", "T_i", "_schedulers", "lr_lambdas")  # the last two are told part by part
SPEED = ("foreach", "fused", "capturable", "differentiable")  # how a step is computed


def described(model, optimizer, scheduler=None):
    """Return {name: text} of what tells a model, an optimizer and a kind of schedule from others.

    What tells a schedule from others of its kind are its state and rates, see `differences`.
    """
    text = {
        f"the weight {name}": f"{tuple(w.shape)} {str(w.dtype).removeprefix('torch.')}"
        for name, w in tensors_of(model).items()
    }
    text["the optimizer"] = type(optimizer).__name__
    text["the scheduler"] = type(scheduler).__name__
    text["the dtype of its buffers"] = str(getattr(optimizer, "state_dtype", None))
    # a tensor is the one that a scheduler fills
    fixed = {name: x for name, x in optimizer.defaults.items() if not torch.is_tensor(x)}
    text |= {f"the optimizer's {name}": x for name, x in numbers(fixed).items()}
    names = {id(w): name for name, w in model.named_parameters()}
    for i, group in enumerate(optimizer.param_groups):
        text[f"group {i}"] = " ".join(names.get(id(w), "?") for w in group["params"])
        rate = {"lr": group.get("initial_lr", group.get("lr"))}
        settled = {name: x for name, x in group.items() if name not in MOVED}
        text |= {f"{name} of group {i}": x for name, x in numbers({**settled, **rate}).items()}
    return text


def differences(scheduler, stored, rates):
    """Yield (name, there, here) of what makes a schedule another one than the one stored.

    `stored` is the state of that one, `rates` {step: those of the groups} as they were there.
    """
    for name, part, there in parts(scheduler, stored, "the scheduler"):
        here = vars(part) if callable(part) else part.state_dict()
        theirs = type(part).__module__.startswith("torch.optim")  # else what its maker is told
        count = [len(state.get("_schedulers", ())) for state in (there, here)]
        if count[0] != count[1]:
            yield f"{name}'s number of parts", *count
        for key in {**there, **here}:
            if key not in MOVING and (theirs or key in signature(type(part)).parameters):
                found = [state.get(key, "absent") for state in (there, here)]
                found = [dict(x) if isinstance(x, Counter) else x for x in found]
                if packed(found[0], key, {}) != packed(found[1], key, {}):
                    yield f"{name}'s {key}", *found
    if isinstance(scheduler, LambdaLR):
        for t, were in {**rates, stored["last_epoch"]: stored["_last_lr"]}.items():
            groups = zip(were, scheduler.base_lrs, scheduler.lr_lambdas, strict=False)
            for there, base, factor in groups:
                here = float(base * factor(t))
                if not abs(here - there) <= 1e-6 * abs(there):
                    yield f"the learning rate after step {t}", float(there), here


def parts(scheduler, stored, name):
    """Yield (name, object, stored state) of a schedule, those inside it, and their functions."""
    yield name, scheduler, stored
    inside = [vars(scheduler).get("_schedulers", ()), stored.get("_schedulers", ())]
    for k, (part, state) in enumerate(zip(*inside, strict=False)):
        yield from parts(part, state, f"{name} {k}")
    functions = [vars(scheduler).get("lr_lambdas", ()), stored.get("lr_lambdas", ())]
    for part, state in zip(*functions, strict=False):
        if state is not None:  # an object; a function has none
            yield f"{name}'s function", part, state


def numbers(values):
    """Return the numbers among named values, as text."""
    plain = {name: x.tolist() if torch.is_tensor(x) else x for name, x in values.items()}
    told = {name: x for name, x in plain.items() if isinstance(x, Number | tuple)}
    return {name: str(x) for name, x in told.items() if name not in SPEED}


def tensors_of(model):
    """Return the tensors of a model's state by name; a module may keep other things there, too."""
    return {name: x for name, x in model.state_dict().items() if torch.is_tensor(x)}


def fingerprint(*tensors):
    """Return the first digits of the SHA-256 of some tensors."""
    content = (x.detach().cpu().contiguous().view(torch.uint8).numpy() for x in tensors)
    return digest(b"".join(part.tobytes() for part in content))

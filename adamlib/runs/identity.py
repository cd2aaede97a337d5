"""What tells one run from another: what a checkpoint is compared by."""

from numbers import Number

import torch

from adamlib.runs.checkpoints import digest

MOVED = ("lr", "initial_lr", "betas", "momentum")  # by a scheduler
SPEED = ("foreach", "fused", "capturable", "differentiable")  # how a step is computed


def described(model, optimizer, scheduler=None):
    """Return {name: text} of what tells a model, an optimizer and a kind of schedule from others.

    The function that a LambdaLR calls is not told.
    """
    text = {
        f"the weight {name}": f"{tuple(w.shape)} {str(w.dtype).removeprefix('torch.')}"
        for name, w in tensors_of(model).items()
    }
    text["the optimizer"] = type(optimizer).__name__
    text["the scheduler"] = type(scheduler).__name__
    text["the dtype of its buffers"] = str(getattr(optimizer, "state_dtype", None))
    text |= {f"the optimizer's {name}": x for name, x in numbers(optimizer.defaults).items()}
    names = {id(w): name for name, w in model.named_parameters()}
    for i, group in enumerate(optimizer.param_groups):
        text[f"group {i}"] = " ".join(names.get(id(w), "?") for w in group["params"])
        rate = {"lr": group.get("initial_lr", group.get("lr"))}
        settled = {name: x for name, x in group.items() if name not in MOVED}
        text |= {f"{name} of group {i}": x for name, x in numbers({**settled, **rate}).items()}
    return text


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

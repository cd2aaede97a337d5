"""What the optimizers accept: checks that raise before anything changes.

Where PyTorch has a good message for a mistake, its words are kept.
"""

import math
from numbers import Real

import numpy as np
import torch

BELOW_ONE = ("betas", "momentum", "alpha")  # the share of the past that an average keeps
# they tell one optimizer's groups from another's
FOREIGN = ("betas", "momentum", "alpha", "eps", "amsgrad", "dampening", "lr_decay", "centered")
LATER = ("maximize", "differentiable")  # old checkpoints of torch.optim lack them
SCHEDULED = ("initial_lr", "swa_lr", "max_lr", "min_lr", "base_momentum", "max_momentum")
SPEED = ("foreach", "fused", "capturable")  # how torch.optim computes; here the engine decides


def check_number(name, value):
    """Raise unless `value` is a number, or a tensor of one, in the range of `name`."""
    if isinstance(value, torch.Tensor):
        if value.numel() != 1:
            raise ValueError(f"Tensor {name} must be 1-element, got {value!r}")
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    below_one = name.startswith(BELOW_ONE)
    if not 0 <= value < (1 if below_one else math.inf):  # also turns nan away
        allowed = "in [0, 1)" if below_one else "finite and >= 0"
        raise ValueError(f"{name} must be {allowed}, got {value!r}")


def check_hyper(name, value):
    """Raise ValueError or TypeError unless `value` is allowed for the hyperparameter `name`."""
    if name == "betas":
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise ValueError(f"betas must be two numbers in [0, 1), got {value!r}")
        for i, beta in enumerate(value):
            check_number(f"betas[{i}]", beta)
    elif name in ("maximize", "differentiable"):
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be True or False, got {value!r}")
    else:
        check_number(name, value)


def check_group(cls, group):
    """Raise unless the keys and values of a parameter group are those of the optimizer `cls`."""
    for name, value in group.items():
        if name in cls.hyper:
            check_hyper(name, value)
        elif name in cls.implies or name in SPEED:
            check_switch(cls, name, value)
        elif name not in ("params", "param_names", "name", *SCHEDULED):
            known = sorted(cls.hyper)
            raise TypeError(f"unknown hyperparameter {name!r} of {cls.__name__}; known are {known}")


def check_switch(cls, name, value):
    """Raise unless an argument that only torch.optim has asks for what `cls` does anyway."""
    if name in SPEED:
        if name == "capturable" and value:
            raise ValueError("capturable must be False: CUDA graphs of a step are not supported")
    elif name not in cls.implies:
        raise TypeError(f"{cls.__name__} got an unexpected keyword argument {name!r}")
    elif value != cls.implies[name]:
        raise ValueError(
            f"{name} must be {cls.implies[name]!r} for {cls.__name__}, got {value!r}; "
            "each variant is a class of its own, see adamlib.optim"
        )


def listed(params):
    """Return `params` as a list; raise TypeError with what to pass instead."""
    if isinstance(params, torch.nn.Module):
        name = type(params).__name__
        raise TypeError(f"params must be parameters, got the model {name}: pass .parameters()")
    if isinstance(params, np.ndarray):
        raise TypeError(
            "params must be tensors, got a NumPy array: call the rule itself, "
            "`w, *state = adamlib.rules.adam(w, g, t, *state)`"
        )
    if isinstance(params, torch.Tensor):
        raise TypeError(
            "params argument given to the optimizer should be "
            f"an iterable of Tensors or dicts, but got {torch.typename(params)}"
        )
    if isinstance(params, set | frozenset):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but "
            "the ordering of tensors in sets will change between runs. Please use a list instead."
        )
    if isinstance(params, dict) or not hasattr(params, "__iter__"):
        raise TypeError(f"params must be a list of tensors or of dicts, got {params!r}")
    return list(params)


def tensors(params, state_dtype):
    """Return the `params` of a group as a list of what can be optimized, named or not."""
    params = [params] if isinstance(params, torch.Tensor) else listed(params)
    for param in params:
        param = param[1] if isinstance(param, tuple) else param
        if isinstance(param, torch.nn.Module):
            name = type(param).__name__
            raise TypeError(f"optimizer can only optimize Tensors, but got {name}: .parameters()?")
        if isinstance(param, torch.Tensor):  # PyTorch tells the rest what is wrong with them
            if not (param.is_floating_point() or param.is_complex()):
                raise TypeError(f"params must be floating point or complex, got {param.dtype}")
            if state_dtype and (param.is_complex() or param.dtype == torch.float16):
                raise ValueError(  # PyTorch rounds buffers to the param's dtype when it loads them
                    f"state_dtype={state_dtype} needs real params of its range, got {param.dtype}"
                )
    return params


def check_state(cls, group, state):
    """Raise ValueError unless `group` and `state`, about to be loaded, are of optimizer `cls`."""
    wrong = f"loaded state dict is not of {cls.__name__}"
    missing = [name for name in cls.hyper if name not in group and name not in LATER]
    foreign = [name for name in FOREIGN if name in group and name not in {*cls.hyper, *cls.implies}]
    if missing or foreign:
        raise ValueError(f"{wrong}: it lacks {missing} and has {foreign}")
    for name in cls.hyper.keys() & group.keys():
        check_hyper(name, group[name])
    for name in cls.implies.keys() & group.keys():
        check_switch(cls, name, group[name])
    for param in group["params"]:
        named = {key: x for key, x in state.get(param, {}).items() if key != "step"}
        buffers = {key: x for key, x in named.items() if x is not None}  # None: in old SGD's
        if param in state and set(cls.names.values()) not in (set(named), set(buffers)):
            found, own = sorted(buffers), sorted(cls.names.values())
            raise ValueError(f"{wrong}: it has the buffers {found}, not {own}")
        if param in state and "step" not in state[param] and "momentum_buffer" not in named:
            raise ValueError(f"{wrong}: it has no step")  # SGD counts none
        for key, buffer in buffers.items():
            if buffer.shape != param.shape:
                raise ValueError(
                    f"loaded state dict has {key} of shape {tuple(buffer.shape)} "
                    f"for a parameter of shape {tuple(param.shape)}"
                )

"""What the optimizers accept: checks that raise before anything changes.

Where PyTorch has a good message for a mistake, its words are kept.
"""

import math
from difflib import get_close_matches
from numbers import Real

import numpy as np
import torch

BELOW_ONE = ("betas[0]", "betas[1]", "momentum", "alpha")  # what an average keeps of the past
# they tell one optimizer's groups from another's
FOREIGN = ("betas", "momentum", "alpha", "eps", "amsgrad", "dampening", "lr_decay", "centered")
FOREIGN += ("momentum_decay", "train_mode")
ELSEWHERE = ("learning_rate", "beta1", "beta2", "epsilon", "nesterov")  # in other libraries
LATER = ("maximize", "differentiable")  # old checkpoints of torch.optim lack them
SPEED = ("foreach", "fused", "capturable")  # how torch.optim computes; here the engine decides
VARIANTS = {  # a switch of torch.optim -> the class that is it, on and off
    "amsgrad": {True: "AMSGrad", False: "Adam"},
    "decoupled_weight_decay": {True: "AdamW", False: "Adam"},
    "nesterov": {True: "Nesterov", False: "Momentum"},
}


def number(name, value, least=0):
    """Return a number in the range of `name` as Python's own, or the tensor of one that it is."""
    single = math.prod(getattr(value, "shape", (2,))) == 1  # NumPy's, or a tensor
    if isinstance(value, torch.Tensor) and not single:
        raise ValueError(f"Tensor {name} must be 1-element, got {value!r}")
    plain = value.item() if single else value
    if isinstance(plain, bool) or not isinstance(plain, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    below_one = name in BELOW_ONE
    if not (least <= plain < (1 if below_one else math.inf) and plain > -math.inf):  # nor nan
        allowed = "in [0, 1)" if below_one else "finite and >= 0"
        raise ValueError(f"{name} must be {allowed}, got {plain!r}")
    if isinstance(value, torch.Tensor):
        return value
    return plain if isinstance(plain, int) else float(plain)


def hyper(name, value, least=0):
    """Return `value` as the groups keep it; raise unless the hyperparameter `name` may have it."""
    if name == "betas":
        try:
            pair = tuple(value)  # a list, an array, what a configuration file gives
        except TypeError:
            pair = ()
        if len(pair) != 2:
            raise ValueError(f"betas must be two numbers in [0, 1), got {value!r}")
        return tuple(number(f"betas[{i}]", beta) for i, beta in enumerate(pair))
    if name in (*LATER, "train_mode"):
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be True or False, got {value!r}")
        return value
    return number(name, value, least)


def group_of(cls, group):
    """Return a parameter group of the optimizer `cls` with its numbers as Python's own.

    Raises for a value out of range and for a key that is another optimizer's or looks misspelt;
    what else stands in a group (lr_scale, layer_id, rho) is of no concern here, and stays.
    """
    checked = dict(group)
    for name, value in group.items():
        if name in cls.hyper:
            checked[name] = hyper(name, value)
        elif name in cls.implies or name in SPEED:
            check_switch(cls, name, value)
        elif alike(str(name), (*cls.hyper, *FOREIGN, *ELSEWHERE)):
            known = sorted(cls.hyper)
            raise TypeError(f"unknown hyperparameter {name!r} of {cls.__name__}; known are {known}")
    return checked


def alike(name, names):
    """Return whether `name` is one of `names` or looks like one with a slip of the finger."""
    swapped = sorted(name) in map(sorted, names)
    return swapped or bool(get_close_matches(name, names, 1, 0.86))


def check_switch(cls, name, value):
    """Raise unless an argument that only torch.optim has asks for what `cls` does anyway."""
    if name in SPEED:
        if name == "capturable" and value:
            raise ValueError("capturable must be False: CUDA graphs of a step are not supported")
    elif name not in cls.implies:
        raise TypeError(f"{cls.__name__} got an unexpected keyword argument {name!r}")
    elif value != cls.implies[name]:
        variants = VARIANTS.get(name, {})
        other = variants.get(bool(value)) if cls.__name__ in variants.values() else None
        if name == "momentum" and cls.__name__ == "GradientDescent":
            other = "Momentum"
        where = f"that is adamlib.optim.{other}" if other else cls.advice
        allowed = f"{name} must be {cls.implies[name]!r} for {cls.__name__}"
        raise ValueError(f"{allowed}, got {value!r}; {where}")


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


def number_of(value):
    """Return a hyperparameter, or two, as Python numbers."""
    if type(value) is float or isinstance(value, Real):  # float: by far the most frequent
        return float(value)
    single = math.prod(getattr(value, "shape", (2,))) == 1  # a tensor, or NumPy's
    return float(value.item()) if single else tuple(map(number_of, value))

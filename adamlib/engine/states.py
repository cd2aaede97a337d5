"""A weight's state: as it starts, and as it comes from a checkpoint or from the user's own hand."""

import math
from collections import defaultdict
from itertools import product

import torch

from adamlib.engine import arguments, compiler
from adamlib.engine.columns import same


def start(optimizer, w):
    """Return the state of a weight before its first step, laid out in memory as the weight."""
    buffers = {
        name: float(at)
        if name in optimizer.numbers.values()
        else torch.full_like(w, at, dtype=optimizer.state_dtype, requires_grad=False)
        for name, at in zip(optimizer.names.values(), optimizer.starts, strict=True)
    }
    return {"step": 0, **buffers}


def numbers(optimizer, state):
    """Return the buffers of a weight that are numbers, by their names in the rule."""
    return {name: state[key] for name, key in optimizer.numbers.items()}


def counts(optimizer, own, steps):
    """Return (whether all steps are ints, [(step, its numbers), ...] of the weights).

    One for all of them where they share the very object, and have no numbers to differ in.
    """
    few = steps[:1] if same(steps, steps[:1] * len(steps)) else steps
    plain = set(map(type, few)) <= {int}
    if not optimizer.numbers:
        return plain, [(int(step),) for step in few]
    rows = (map(arguments.number_of, numbers(optimizer, state).values()) for state in own)
    return plain, [(int(step), *row) for step, row in zip(steps, rows, strict=True)]


def renew(optimizer, own, t, hyper):
    """Put new numbers into the states `own`; a tensor that was put in by hand keeps its place."""
    if not optimizer.numbers:
        return
    new = compiler.staged(optimizer.rule)[2](t, **hyper)
    for state, (name, key) in product(own, optimizer.numbers.items()):
        if torch.is_tensor(state[key]) and not torch.is_tensor(new[name]):
            state[key].fill_(new[name])
        else:
            state[key] = new[name]


@torch.no_grad()
def load(optimizer, groups, values):
    """Return `values` as the optimizer's state, checked first and copied; clean the groups."""
    for group in groups:
        check(type(optimizer), group, values)
    own = defaultdict(dict, values)
    for w in (w for w, state in values.items() if torch.is_tensor(w) and state):
        own[w] = start(optimizer, w) | {"step": int(values[w].get("step", 0))}
        for name in optimizer.names.values():
            if values[w][name] is None:
                continue
            if name in optimizer.numbers.values():
                own[w][name] = arguments.number_of(values[w][name])
            else:
                own[w][name].copy_(values[w][name])
    for group in groups:
        drop_switches(type(optimizer), group)
        for name in arguments.LATER:
            group.setdefault(name, False)
    return own


def drop_switches(cls, group):
    """Remove what only torch.optim has; it was checked to ask for what `cls` does."""
    for name in (*cls.implies, *arguments.SPEED):
        group.pop(name, None)


def check(cls, group, state):
    """Raise ValueError unless `group` and `state`, about to be loaded, are of optimizer `cls`."""
    wrong = f"loaded state dict is not of {cls.__name__}"
    missing = [name for name in cls.hyper if name not in group and name not in arguments.LATER]
    foreign = [
        name
        for name in arguments.FOREIGN
        if name in group and name not in {*cls.hyper, *cls.implies}
    ]
    if missing or foreign:
        raise ValueError(f"{wrong}: it lacks {missing} and has {foreign}")
    for name in cls.hyper.keys() & group.keys():
        arguments.hyper(
            name, group[name], -math.inf if name == "lr" else 0
        )  # some schedules end below 0
    for name in cls.implies.keys() & group.keys():
        arguments.check_switch(cls, name, group[name])
    for param in group["params"]:
        named = {key: x for key, x in state.get(param, {}).items() if key != "step"}
        buffers = {key: x for key, x in named.items() if x is not None}  # None: in old SGD's
        if state.get(param) and set(cls.names.values()) not in (set(named), set(buffers)):
            found, own = sorted(buffers), sorted(cls.names.values())
            raise ValueError(f"{wrong}: it has the buffers {found}, not {own}")
        if state.get(param) and "step" not in state[param] and cls.clock:
            raise ValueError(f"{wrong}: it has no step")
        for key, buffer in buffers.items():
            shape = () if key in cls.numbers.values() else tuple(param.shape)
            if tuple(getattr(buffer, "shape", ())) != shape:
                raise ValueError(
                    f"loaded state dict has {key} of shape {tuple(getattr(buffer, 'shape', ()))} "
                    f"for a parameter of shape {tuple(param.shape)}"
                )

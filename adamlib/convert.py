"""`to_torch`: another library's recipe in the arguments of torch.optim."""

from numbers import Real
from typing import Any

from adamlib.sources.recipes import RECIPES

NAMES = {  # theirs -> PyTorch's; None: PyTorch has no such switch
    **dict.fromkeys(("learning_rate", "learning_rate_init", "step_size", "stepsize"), "lr"),
    **dict.fromkeys(("beta_1", "b1"), "beta1"),
    **dict.fromkeys(("beta_2", "b2"), "beta2"),
    **dict.fromkeys(("rho", "decay", "gamma", "mass"), "alpha"),
    **dict.fromkeys(("use_nesterov", "nesterovs_momentum"), "nesterov"),
    **dict.fromkeys(("eps_root", "eps_in_sqrt", "debias", "bias_correction")),
    "epsilon": "eps",
}
CLIP = "torch.nn.utils.clip_grad_norm_ or clip_grad_value_ do it, between backward() and step()"
MASK, ZERO = "leave those weights to a group with weight_decay=0", "PyTorch's v starts at 0"
LATER = "torch.optim.lr_scheduler changes the rate"
MEAN = "torch.optim.swa_utils.AveragedModel keeps such a mean of the weights"
#: Settings apart from the rule: (their value when off, `...` if all are alike; what to do if on).
ASIDE = {
    "keras": {
        **dict.fromkeys(("clipnorm", "clipvalue", "global_clipnorm"), (None, CLIP)),
        "use_ema": (False, MEAN),
        "loss_scale_factor": (None, "torch.amp.GradScaler scales the loss"),
        "gradient_accumulation_steps": (None, "call backward() as often before each step()"),
        **dict.fromkeys(("name", "ema_momentum", "ema_overwrite_frequency"), (..., "")),
    },
    "optax": {
        "mask": (None, MASK),
        **dict.fromkeys(("mu_dtype", "accumulator_dtype"), (None, "buffers are of the weights'")),
        "initial_scale": (0.0, ZERO),
        "bias_correction": (False, "RMSprop corrects nothing"),
        "nesterov": (False, "that is optax nadam"),
    },
    "tensorflow": dict.fromkeys(("name", "use_locking"), (..., "")),
    "torchopt": {
        "mask": (None, MASK),
        "maximize": (False, "PyTorch's class has the same switch"),
        "initial_scale": (0.0, ZERO),
        "nesterov": (False, "PyTorch's RMSprop has no such form"),
        **dict.fromkeys(("moment_requires_grad", "use_accelerated_op"), (..., "")),
    },
    "autograd": dict.fromkeys(("callback", "num_iters"), (..., "")),
    "sklearn": {
        "alpha": (0.0, "give the weights, not the biases, weight_decay=alpha / batch_size"),
        "learning_rate": ("constant", LATER),
        "power_t": (..., ""),
    },
}


def to_torch(library: str, optimizer: str, /, **settings: Any) -> tuple[str, dict[str, Any]]:
    """Return (name, arguments): the class of torch.optim that walks as this recipe does.

    library: "keras" (Keras 3), "optax", "tensorflow" (tf.compat.v1.train), "torchopt" (its
    functions), "mlx", "autograd" (autograd.misc.optimizers), "sklearn" (the solvers of its MLPs),
    "pennylane" or "paper". optimizer: its name there. settings: its own arguments; what is not
    given has the default value there.

        name, arguments = to_torch("optax", "adagrad", learning_rate=0.1)
        optimizer = getattr(torch.optim, name)(model.parameters(), **arguments)

    The walk is the same, but for rounding, while the learning rate is constant. With a schedule it
    still is, unless the library keeps the learning rate inside a momentum buffer, where old steps
    go on with old rates: SGD and RMSprop of Keras, rmsprop of optax, sgd of sklearn,
    MomentumOptimizer of PennyLane and "paper" momentum, each with momentum.

    What is apart from the rule (a name, clipping, a mean of the weights) may be there if it is off,
    as in what Keras's get_config() returns. Where v nearly vanishes, as RMSprop's centered one can,
    rounding grows from step to step.

    Raises ValueError for an unknown name, a setting that is missing and, with the reason, for a
    recipe that no constant setting of PyTorch's class follows; TypeError for what is no number.
    """
    recipe = chosen(chosen(RECIPES, "library", library), f"{library} optimizer", optimizer)
    where = f"{library} {optimizer}"
    full, aside = dict(recipe.settings), ASIDE.get(library, {})
    for name, value in settings.items():
        if name in aside and name not in recipe.settings:
            off, remedy = aside[name]
            if off is not ... and value != off:
                raise ValueError(
                    f"{name} of {where} is apart from the rule, got {value!r}: {remedy}"
                )
            continue
        default = chosen(recipe.settings, f"setting of {where}", name)
        value = value.item() if hasattr(value, "dtype") and value.shape == () else value  # NumPy's
        allowed = {bool: "True or False", tuple: "a pair of numbers"}.get(type(default), "a number")
        if callable(value) or isinstance(value, dict):
            allowed += (
                " (for a schedule pass its first rate, and torch.optim.lr_scheduler the rest)"
            )
        if not (fits(value, default) or value is default is None):
            raise TypeError(f"{name} of {where} must be {allowed}, got {value!r}")
        full[name] = tuple(value) if isinstance(default, tuple) else value
    if missing := [name for name, value in full.items() if value is ...]:
        raise ValueError(f"{where} has no default for {missing}: pass a number for each")
    off = {(name,): reason for name, reason in recipe.needed.items() if not full[name]}
    for names, reason in {**off, **recipe.refused}.items():
        if names in off or all(full[name] for name in names):
            given = ", ".join(f"{name}={full[name]!r}" for name in names) or "any setting"
            why = reason.format(*names)
            raise ValueError(f"torch.optim.{recipe.torch} cannot walk as {where}, {given}: {why}")
    arguments = {in_torch(library, name): x for name, x in full.items() if x is not None}
    arguments.pop(None, None)
    if "beta1" in arguments:
        arguments["betas"] = (arguments.pop("beta1"), arguments.pop("beta2"))
    return recipe.torch, recipe.finish(arguments)


def fits(value, default):
    """Return whether a value is of the kind of a default: a pair, a switch or a number."""
    if isinstance(default, tuple):
        pair = isinstance(value, list | tuple) and len(value) == len(default)
        return pair and all(fits(x, 0.0) for x in value)
    return isinstance(value, Real) and isinstance(value, bool) == isinstance(default, bool)


def in_torch(library, name):
    """Return PyTorch's name of a setting, None where PyTorch has no such switch."""
    return "lr" if (library, name) == ("paper", "alpha") else NAMES.get(name, name)


def chosen(options, what, name):
    """Return options[name]; raise ValueError that names what there is."""
    if name not in options:
        near = {key.lower(): key for key in options}.get(str(name).lower())
        hint = f": write {near!r}" if near else ""
        raise ValueError(f"{what} must be one of {list(options)}, got {name!r}{hint}")
    return options[name]

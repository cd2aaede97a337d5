"""`to_torch`: another library's recipe in the arguments of torch.optim."""

from numbers import Real

from adamlib.sources.recipes import NAMES, RECIPES


def to_torch(library, optimizer, /, **settings):
    """Return (name, arguments): the class of torch.optim that walks as this recipe does.

    library: "keras" (Keras 3), "optax", "tensorflow" (tf.compat.v1.train) or "paper". optimizer:
    its name there. settings: its own arguments; what is not given has the default value there.

        name, arguments = to_torch("optax", "adagrad", learning_rate=0.1)
        optimizer = getattr(torch.optim, name)(model.parameters(), **arguments)

    The walk is the same, but for rounding, while the learning rate is constant. With a schedule it
    still is, unless the library keeps the learning rate inside a momentum buffer, where old steps
    go on with old rates: SGD and RMSprop of Keras, rmsprop of optax and "paper" momentum, each
    with momentum.

    Raises ValueError for an unknown name, a setting that is missing and, with the reason, for a
    recipe that no constant setting of PyTorch's class follows; TypeError for what is no number.
    """
    recipe = chosen(chosen(RECIPES, "library", library), f"{library} optimizer", optimizer)
    where = f"{library} {optimizer}"
    for name, value in settings.items():
        default = chosen(recipe.settings, f"setting of {where}", name)
        if not (isinstance(value, Real) or value is default is None):
            raise TypeError(f"{name} of {where} must be a number, got {value!r}")
    full = {**recipe.settings, **settings}
    if missing := [name for name, value in full.items() if value is ...]:
        raise ValueError(f"{where} has no default for {missing}: pass a number for each")
    for names, reason in recipe.refused.items():
        if all(full[name] for name in names):
            given = ", ".join(f"{name}={full[name]!r}" for name in names) or "any setting"
            raise ValueError(
                f"torch.optim.{recipe.torch} cannot walk as {where}, {given}: {reason}"
            )
    arguments = {NAMES.get(name, name): x for name, x in full.items() if x is not None}
    arguments.pop(None, None)
    if "beta1" in arguments:
        arguments["betas"] = (arguments.pop("beta1"), arguments.pop("beta2"))
    return recipe.torch, recipe.finish(arguments)


def chosen(options, what, name):
    """Return options[name]; raise ValueError that names what there is."""
    if name not in options:
        raise ValueError(f"{what} must be one of {list(options)}, got {name!r}")
    return options[name]

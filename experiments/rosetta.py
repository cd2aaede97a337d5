"""Let Keras, optax and TensorFlow 1 walk, and record where they go, for `sources.recipes`.

    pip install keras jax optax tensorflow-cpu    # into an environment of its own with adamlib
    python -m experiments.rosetta                  # a quarter of a minute: results/rosetta.json

Each library's own optimizer takes 24 steps in float64 from the same start, the first 16 at its
learning rate and the rest at an eighth of it. Tests let torch.optim walk the same way.
"""

import importlib
import inspect
import os
from pathlib import Path

import numpy as np

from adamlib import surfaces
from adamlib.bench import report
from adamlib.files import as_json, write

STEPS, CUT = 24, 16
START = [[-1.0, 1.5], [-1.0, 1.5]]
SCALE = [[1e-2], [1e-5]]  # of the gradients: ordinary ones, and some that even a small eps shows in
RATE, HEAVY = dict(learning_rate=2**-6), dict(learning_rate=2**-7, momentum=0.875)
KERAS = dict(**RATE, beta_1=0.75, beta_2=0.984375)
OPTAX = dict(**RATE, b1=0.75, b2=0.984375)
TF = dict(**RATE, beta1=0.75, beta2=0.984375)
LOUD, NONE, DECAY = dict(epsilon=2**-10), dict(epsilon=0.0), dict(weight_decay=0.125)
EPS, OUT = dict(eps=2**-10), dict(eps_in_sqrt=False)
ZERO, AHEAD = dict(initial_accumulator_value=0.0), dict(nesterov=True)
CENTER, HEAVY0, HEAVY1 = dict(centered=True), {**HEAVY, **NONE}, {**HEAVY, **OUT}
BARE, KERAS0 = {**RATE, **NONE}, {**KERAS, **NONE}
# Module -> optimizer -> settings: its defaults, then what sets the conventions apart. TensorFlow 1
# rounds its settings to float32, so they are short binary fractions.
RECIPES = {
    "keras.optimizers": {
        "SGD": [{}, DECAY, HEAVY, {**HEAVY, **AHEAD}, AHEAD, {**HEAVY, **DECAY}],
        "Adagrad": [{}, {**RATE, **ZERO, **LOUD}, {**RATE, **DECAY}],
        "RMSprop": [{}, {**RATE, **LOUD}, BARE, {**BARE, **DECAY}, HEAVY0, {**HEAVY0, **CENTER}],
        "Adam": [{}, {**KERAS, **LOUD}, KERAS0, {**KERAS0, **DECAY}, {**KERAS0, "amsgrad": True}],
        "AdamW": [{}, {**KERAS0, **DECAY}],
        "Adamax": [{}, {**KERAS, **LOUD}, KERAS0, {**KERAS0, **DECAY}],
        "Nadam": [{}, {**KERAS, **LOUD, **DECAY}],
    },
    "optax": {
        "sgd": [RATE, HEAVY, {**HEAVY, **AHEAD}],
        "ema": [{**RATE, "decay": 0.875, "debias": False}, {**RATE, "decay": 0.875}],
        "adagrad": [RATE, {**RATE, **ZERO, **EPS}],
        "rmsprop": [RATE, {**RATE, **EPS}, {**RATE, **EPS, **OUT}, HEAVY1, {**HEAVY1, **CENTER}],
        "adam": [RATE, {**OPTAX, **EPS}, {**OPTAX, "eps_root": 2**-10}],
        "adamw": [RATE, {**OPTAX, **EPS, **DECAY}],
        "amsgrad": [OPTAX],
        "adamax": [RATE, {**OPTAX, **EPS}],
        "nadam": [RATE, {**OPTAX, **EPS}],
    },
    "tensorflow.compat.v1.train": {
        "GradientDescentOptimizer": [RATE],
        "MomentumOptimizer": [HEAVY, {**HEAVY, "use_nesterov": True}],
        "AdagradOptimizer": [RATE],
        "RMSPropOptimizer": [RATE],
        "AdamOptimizer": [{}, {**TF, **LOUD}, {**TF, **NONE}],
    },
}


def grad(w):
    """Return the gradient (2, 2) at w: two of Rosenbrock's valleys, the second one all but flat."""
    return SCALE * surfaces.rosenbrock().grad(w)


def rate(lr, t):
    """Return the learning rate of step t = 1, 2, ..."""
    return lr if t <= CUT else lr / 8


def keras(cls, settings):
    """Yield the weights after each step of the Keras optimizer `cls`."""
    from keras import Variable, config, ops

    config.set_floatx("float64")
    optimizer = cls(**settings)
    lr, w = float(optimizer.learning_rate), Variable(START)
    for t in range(1, STEPS + 1):
        optimizer.learning_rate = rate(lr, t)
        optimizer.apply([ops.convert_to_tensor(grad(w.numpy()))], [w])
        yield w.numpy()


def optax(make, settings):
    """Yield the weights after each step of what the function `make` of optax returns."""
    from jax import numpy as jnp
    from optax import apply_updates, chain, ema, scale_by_learning_rate

    w, lr = jnp.array(START), settings["learning_rate"]
    settings = {**settings, "learning_rate": lambda done: jnp.where(done < CUT, lr, lr / 8)}
    if make is ema:
        schedule = settings.pop("learning_rate")
        optimizer = chain(make(**settings), scale_by_learning_rate(schedule))
    else:
        optimizer = make(**settings)
    state = optimizer.init(w)
    for _ in range(STEPS):
        updates, state = optimizer.update(jnp.array(grad(np.array(w))), state, w)
        w = apply_updates(w, updates)
        yield np.array(w)


def tensorflow(cls, settings):
    """Yield the weights after each step of the TensorFlow 1 optimizer `cls`."""
    from tensorflow import Variable, constant

    lr, t = settings.get("learning_rate", 0.001), 1  # the only one with a default is Adam's
    optimizer = cls(**{**settings, "learning_rate": lambda: rate(lr, t)})
    w = Variable(np.array(START))
    for t in range(1, STEPS + 1):  # noqa: B007, the optimizer asks for the rate of step t
        optimizer.apply_gradients([(constant(grad(w.numpy())), w)])
        yield w.numpy()


def recorded(module, optimizer):
    """Return the defaults that the library's signature states, and a walk for each setting."""
    library, make = module.partition(".")[0], getattr(importlib.import_module(module), optimizer)
    parameters = inspect.signature(make).parameters.values()
    defaults = {p.name: None if p.default is p.empty else p.default for p in parameters}
    row, walks = {"library": library, "optimizer": optimizer}, []
    for settings in RECIPES[module][optimizer]:
        path = [START, *(w.tolist() for w in globals()[library](make, settings))]
        walks.append({**row, "settings": settings, "path": path})
    return {**row, "defaults": defaults}, walks


def main():
    about = report.about("cpu", 1, "python -m experiments.rosetta")
    record = {"about": about, "cut": CUT, "scale": SCALE, "signatures": [], "walks": []}
    for module, optimizers in RECIPES.items():
        for optimizer in optimizers:
            signature, walks = recorded(module, optimizer)
            record["signatures"].append(signature)
            record["walks"] += walks
    for package in ("keras", "optax", "jax", "tensorflow"):
        about[package] = importlib.import_module(package).__version__
    write(Path(__file__).parents[1] / "results" / "rosetta.json", as_json(record))


if __name__ == "__main__":
    os.environ.update(KERAS_BACKEND="jax", JAX_ENABLE_X64="1", CUDA_VISIBLE_DEVICES="")
    main()

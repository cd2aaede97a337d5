"""Let eight libraries walk, and record where they go, for `sources.recipes`.

    pip install keras jax optax tensorflow-cpu torchopt "mlx[cpu]" autograd scikit-learn pennylane
    python -m experiments.rosetta            # a quarter of a minute: adamlib/results/rosetta.json
    python -m experiments.rosetta mlx keras  # these alone; what is recorded of the others stays

Into an environment of its own, with adamlib. Each library's own optimizer takes 24 steps in
float64 from the same start, the first 16 at its learning rate and the rest at an eighth of it.
In autograd the learning rate is a constant, and the walk ends with step 16. Tests let torch.optim
walk the same way.
"""

import importlib
import inspect
import json
import os
import sys
from functools import partial
from importlib.metadata import packages_distributions, version

import numpy as np

from adamlib import surfaces
from adamlib.bench import report
from adamlib.files import RESULTS, as_json, write

RECORD = RESULTS / "rosetta.json"
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
LR, SLOW = dict(lr=2**-6), dict(lr=2**-7, momentum=0.875)
BETAS, HATS = dict(betas=(0.75, 0.984375)), dict(bias_correction=True)
FULL, SHORT = dict(initial_accumulator_value=0.125), dict(lr_decay=0.125)
INIT, STEP = dict(learning_rate_init=2**-6), dict(stepsize=2**-6)
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
    "torchopt": {
        "sgd": [LR, {**SLOW, **DECAY, "dampening": 0.25}, {**SLOW, **AHEAD}],
        "adagrad": [{}, {**LR, **EPS, **DECAY, **SHORT, **FULL}],
        "rmsprop": [{}, {**SLOW, **EPS, **DECAY}, {**SLOW, **CENTER}],
        "adam": [{}, {**LR, **BETAS, **EPS, **DECAY}, {**LR, **BETAS, "eps_root": 2**-10}],
        "adamw": [{}, {**LR, **BETAS, **EPS, **DECAY}],
        "adamax": [{}, {**LR, **BETAS, **EPS, **DECAY}],
    },
    "mlx.optimizers": {
        "SGD": [RATE, {**HEAVY, **DECAY, "dampening": 0.25}, {**HEAVY, **AHEAD}],
        "Adagrad": [RATE, {**RATE, **EPS}],
        "RMSprop": [RATE, {**RATE, **EPS, "alpha": 0.875}],
        "Adam": [RATE, {**RATE, **BETAS, **EPS, **HATS}],
        "AdamW": [RATE, {**RATE, **BETAS, **EPS, **HATS, **DECAY}],
        "Adamax": [RATE],
    },
    "autograd.misc.optimizers": {
        "sgd": [{}, {"step_size": 2**-4, "mass": 0.75}],
        "rmsprop": [{}],
        "adam": [{}, {"step_size": 2**-6, "b1": 0.75, "b2": 0.984375, **EPS}],
    },
    "sklearn.neural_network": {  # the solvers of its MLPs
        "sgd": [{}, {**INIT, "momentum": 0.875}, {**INIT, "nesterovs_momentum": False}],
        "adam": [{}, {**INIT, "beta_1": 0.75, "beta_2": 0.984375, **LOUD}],
    },
    "pennylane.optimize": {
        "GradientDescentOptimizer": [{}],
        "MomentumOptimizer": [{}, {**STEP, "momentum": 0.75}],
        "NesterovMomentumOptimizer": [{}],
        "AdagradOptimizer": [{}, {**STEP, **EPS}],
        "RMSPropOptimizer": [{}, {**STEP, **EPS}, {**STEP, "decay": 0.75, "eps": 0.0}],
        "AdamOptimizer": [{}, {**STEP, **EPS}, {**STEP, "beta1": 0.75, "eps": 0.0}],
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


def torchopt(make, settings):
    """Yield the weights after each step of what the function `make` of TorchOpt returns."""
    import torch
    from torchopt import apply_updates

    lr = settings.get("lr", inspect.signature(make).parameters["lr"].default)
    optimizer = make(**{**settings, "lr": lambda done: lr if done < CUT else lr / 8})
    w = torch.tensor(START, dtype=torch.float64)
    state = optimizer.init([w])
    for _ in range(STEPS):
        moves, state = optimizer.update([torch.tensor(grad(w.numpy()))], state, params=[w])
        (w,) = apply_updates([w], moves, inplace=False)
        yield w.numpy()


def mlx(cls, settings):
    """Yield the weights after each step of the MLX optimizer `cls`."""
    import mlx.core as mx

    mx.set_default_device(mx.cpu)  # the only one with float64
    optimizer, w = cls(**settings), np.array(START)
    for t in range(1, STEPS + 1):
        optimizer.learning_rate = rate(settings["learning_rate"], t)
        weights, grads = ({"w": mx.array(x, dtype=mx.float64)} for x in (w, grad(w)))
        w = np.array(optimizer.apply_gradients(grads, weights)["w"])
        yield w


def autograd(function, settings):
    """Return the weights after each step of a function of autograd, which walks by itself."""
    path = []
    last = function(
        lambda w, i: grad(w),
        np.array(START),
        callback=lambda w, i, g: path.append(w),
        num_iters=CUT,
        **settings,
    )
    return [*path[1:], last]


def sklearn(cls, settings):
    """Yield the weights after each step of an MLP of scikit-learn: two inputs, two outputs."""

    class Walker(cls.func):
        def _init_coef(self, *about):
            return np.array(START), np.zeros(2)

        def _backprop(self, *about, **more):
            return 0.0, [grad(self.coefs_[0])], [np.zeros(2)]

    mlp = Walker(hidden_layer_sizes=(), **cls.keywords, **settings)
    first = mlp.learning_rate_init
    for t in range(1, STEPS + 1):
        if t > 1:  # Adam computes its rate anew from the initial one
            mlp._optimizer.learning_rate_init = mlp._optimizer.learning_rate = rate(first, t)
        mlp.partial_fit(np.zeros((1, 2)), np.zeros((1, 2)))
        yield mlp.coefs_[0].copy()


def pennylane(cls, settings):
    """Yield the weights after each step of the PennyLane optimizer `cls`."""
    from pennylane import numpy

    optimizer, w = cls(**settings), numpy.array(START, requires_grad=True)
    lr = optimizer.stepsize
    for t in range(1, STEPS + 1):
        optimizer.stepsize = rate(lr, t)
        w = optimizer.step(None, w, grad_fn=lambda w: grad(np.array(w)))
        yield np.array(w)


def made(module, optimizer):
    """Return what makes an optimizer, and the signature that states its defaults."""
    module = importlib.import_module(module)
    if module.__name__.startswith("sklearn"):
        make = partial(module.MLPRegressor, solver=optimizer)
        return make, inspect.signature(make)
    make = getattr(module, optimizer)
    if module.__name__.startswith("autograd"):  # hides it behind *args and **kwargs
        return make, inspect.signature(inspect.getclosurevars(make).nonlocals["optimize"])
    return make, inspect.signature(make)


def recorded(module, optimizer):
    """Return the defaults that the library's signature states, and a walk for each setting."""
    library, (make, signature) = module.partition(".")[0], made(module, optimizer)
    parameters = signature.parameters.values()
    defaults = {p.name: None if p.default is p.empty else p.default for p in parameters}
    row, walks = {"library": library, "optimizer": optimizer}, []
    for settings in RECIPES[module][optimizer]:
        path = [START, *(w.tolist() for w in globals()[library](make, settings))]
        walks.append({**row, "settings": settings, "path": path})
    return {**row, "defaults": defaults}, walks


def main(names):
    about = report.about("cpu", 1, " ".join(["python -m experiments.rosetta", *names]))
    record = {"about": about, "cut": CUT, "scale": SCALE, "signatures": [], "walks": []}
    if names:
        old = json.loads(RECORD.read_text())
        record["about"] = about = {**old["about"], **about}
    for module, optimizers in RECIPES.items():
        library = module.partition(".")[0]
        if names and library not in names:
            kept = (library, "jax") if library == "optax" else (library,)
            about |= {package: old["about"][package] for package in kept}
            for key in ("signatures", "walks"):
                record[key] += [row for row in old[key] if row["library"] == library]
            continue
        for optimizer in optimizers:
            signature, walks = recorded(module, optimizer)
            record["signatures"].append(signature)
            record["walks"] += walks
        about[library] = version(packages_distributions()[library][0])
    write(RECORD, as_json(record))


if __name__ == "__main__":
    os.environ.update(KERAS_BACKEND="jax", JAX_ENABLE_X64="1", CUDA_VISIBLE_DEVICES="")
    main(sys.argv[1:])

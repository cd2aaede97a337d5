"""The table of recipes: libraries and papers in torch's terms.

A row of `RECIPES` is one optimizer: PyTorch's class, the library's own settings with its defaults,
what PyTorch cannot follow and why, and what takes more than another name. The rows are tested
against walks of the libraries themselves, which `experiments/rosetta.py` records.
"""

from adamlib.sources.conventions import (
    APART,
    BARE,
    CORRECTED,
    ELSEWHERE,
    HAT,
    INSIDE,
    LARGEST,
    LATE,
    M_BARE,
    ONE,
    ONES,
    STEPWISE,
    Recipe,
    ahead,
    apart,
    dampened,
    from_average,
    into_start,
    per_step,
    told,
)

RATE, EPS, WD = dict(learning_rate=...), ("epsilon",), ("weight_decay",)
SUM, PLAIN = dict(momentum=0.0, nesterov=False), dict(momentum=0.0, centered=False)
KERAS = dict(learning_rate=0.001, epsilon=1e-7, weight_decay=None)
KERAS_ADAM, SHARES = dict(**KERAS, beta_1=0.9, beta_2=0.999), dict(beta1=0.9, beta2=0.999)
OPTAX = dict(**RATE, b1=0.9, b2=0.999, eps=1e-8)
OPTAX_ROOT, ROOT = dict(**OPTAX, eps_root=0.0), {("eps_root",): INSIDE}
PAPER, START = dict(alpha=0.001, **SHARES), dict(initial_accumulator_value=0.1)
PAIR, DECAY = dict(betas=(0.9, 0.999), eps=1e-8), dict(weight_decay=0.0)
TORCHOPT, MLX = dict(lr=0.001, **PAIR, eps_root=0.0), dict(**RATE, **PAIR, bias_correction=False)
STEP, CORRECTING = dict(stepsize=0.01, eps=1e-8), {"bias_correction": STEPWISE}
RECIPES = {
    "keras": {
        "SGD": Recipe(
            "SGD",
            dict(learning_rate=0.01, **SUM, weight_decay=None),
            {("momentum", "weight_decay"): APART},
            ahead,
        ),
        "Adagrad": Recipe("Adagrad", {**KERAS, **START}, {WD: APART}, into_start),
        "RMSprop": Recipe("RMSprop", {**KERAS, "rho": 0.9, **PLAIN}, {EPS: INSIDE, WD: APART}),
        "Adam": Recipe("Adam", {**KERAS_ADAM, "amsgrad": False}, {EPS: HAT}, apart),
        "AdamW": Recipe(
            "AdamW", {**KERAS_ADAM, "weight_decay": 0.004, "amsgrad": False}, {EPS: HAT}
        ),
        "Adamax": Recipe("Adamax", KERAS_ADAM, {EPS: LATE, WD: APART}),
        "Nadam": Recipe(
            "NAdam", KERAS_ADAM, {}, lambda args: apart({**args, "momentum_decay": 1.0})
        ),
    },
    "optax": {
        "sgd": Recipe("SGD", dict(**RATE, momentum=None, nesterov=False), {}, ahead),
        "ema": Recipe(
            "SGD", dict(**RATE, decay=..., debias=True), {("debias",): CORRECTED}, from_average
        ),
        "adagrad": Recipe("Adagrad", dict(**RATE, **START, eps=1e-7), {}, into_start),
        "rmsprop": Recipe(
            "RMSprop",
            dict(**RATE, decay=0.9, eps=1e-8, eps_in_sqrt=True, centered=False, momentum=None),
            {("eps_in_sqrt", "eps"): INSIDE},
        ),
        "adam": Recipe("Adam", OPTAX_ROOT, ROOT),
        "adamw": Recipe("AdamW", dict(**OPTAX_ROOT, weight_decay=1e-4), ROOT),
        "amsgrad": Recipe("Adam", OPTAX_ROOT, {(): LARGEST}),
        "adamax": Recipe("Adamax", OPTAX),
        "nadam": Recipe("NAdam", OPTAX_ROOT, ROOT, told(momentum_decay=float("inf"))),
    },
    "tensorflow": {
        "GradientDescentOptimizer": Recipe("SGD", RATE),
        "MomentumOptimizer": Recipe(
            "SGD", dict(**RATE, momentum=..., use_nesterov=False), {}, ahead
        ),
        "AdagradOptimizer": Recipe("Adagrad", dict(**RATE, **START), {}, into_start),
        "RMSPropOptimizer": Recipe(
            "RMSprop", dict(**RATE, decay=0.9, **PLAIN, epsilon=1e-10), {(): ONES}
        ),
        "AdamOptimizer": Recipe(
            "Adam", dict(learning_rate=0.001, **SHARES, epsilon=1e-8), {EPS: HAT}
        ),
    },
    "paper": {
        "momentum": Recipe("SGD", dict(**RATE, momentum=...)),
        "Nesterov": Recipe("SGD", dict(**RATE, momentum=...), {(): ELSEWHERE}),
        "RMSProp": Recipe("RMSprop", dict(**RATE, decay=0.9), {}, told(eps=0.0)),
        "Adam": Recipe("Adam", dict(**PAPER, epsilon=1e-8)),
        "AdaMax": Recipe("Adamax", {**PAPER, "alpha": 0.002}, {}, told(eps=0.0)),
        "AMSGrad": Recipe("Adam", dict(alpha=..., beta1=..., beta2=...), {(): BARE}),
        "AdamW": Recipe("AdamW", dict(**PAPER, epsilon=1e-8, weight_decay=...), {}, per_step),
    },
    "torchopt": {
        "sgd": Recipe("SGD", dict(lr=..., **SUM, dampening=0.0, **DECAY)),
        "adagrad": Recipe(
            "Adagrad",
            dict(lr=0.01, lr_decay=0.0, **DECAY, initial_accumulator_value=0.0, eps=1e-10),
        ),
        "rmsprop": Recipe("RMSprop", dict(lr=0.01, alpha=0.99, eps=1e-8, **DECAY, **PLAIN)),
        "adam": Recipe("Adam", dict(**TORCHOPT, **DECAY), ROOT),
        "adamw": Recipe("AdamW", dict(**TORCHOPT, weight_decay=0.01), ROOT),
        "adamax": Recipe("Adamax", {"lr": 0.001, **PAIR, "eps": 1e-6, **DECAY}),
    },
    "mlx": {
        "SGD": Recipe("SGD", dict(**RATE, **SUM, **DECAY, dampening=0.0), {}, dampened),
        "Adagrad": Recipe("Adagrad", dict(**RATE, eps=1e-8)),
        "RMSprop": Recipe("RMSprop", dict(**RATE, alpha=0.99, eps=1e-8)),
        "Adam": Recipe("Adam", MLX, needed=CORRECTING),
        "AdamW": Recipe("AdamW", dict(**MLX, weight_decay=0.01), needed=CORRECTING),
        "Adamax": Recipe("Adamax", dict(**RATE, **PAIR), {(): M_BARE}),
    },
    "autograd": {
        "sgd": Recipe("SGD", dict(step_size=0.1, mass=0.9), {}, from_average),
        "rmsprop": Recipe("RMSprop", dict(step_size=0.1, gamma=0.9, eps=1e-8), {(): ONE}),
        "adam": Recipe("Adam", dict(step_size=0.001, b1=0.9, b2=0.999, eps=1e-8)),
    },
    "sklearn": {
        "sgd": Recipe(
            "SGD", dict(learning_rate_init=0.001, momentum=0.9, nesterovs_momentum=True), {}, ahead
        ),
        "adam": Recipe(
            "Adam",
            dict(learning_rate_init=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8),
            {EPS: HAT},
        ),
    },
    "pennylane": {
        "GradientDescentOptimizer": Recipe("SGD", dict(stepsize=0.01)),
        "MomentumOptimizer": Recipe("SGD", dict(stepsize=0.01, momentum=0.9)),
        "NesterovMomentumOptimizer": Recipe(
            "SGD", dict(stepsize=0.01, momentum=0.9), {(): ELSEWHERE}
        ),
        "AdagradOptimizer": Recipe("Adagrad", STEP, {}, into_start),
        "RMSPropOptimizer": Recipe("RMSprop", dict(**STEP, decay=0.9), {("eps",): INSIDE}),
        "AdamOptimizer": Recipe("Adam", dict(**STEP, beta1=0.9, beta2=0.99), {("eps",): HAT}),
    },
}

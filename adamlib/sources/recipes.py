"""The table of those recipes: libraries and papers in torch's terms.

A row of `RECIPES` is one optimizer: PyTorch's class, the library's own settings with its defaults,
what PyTorch cannot follow and why, and what takes more than another name. The rows are tested
against walks of the libraries themselves, which `tools/rosetta.py` records.
"""

from collections.abc import Callable
from typing import NamedTuple

NAMES = {  # theirs -> PyTorch's; None: PyTorch has no such switch
    **dict.fromkeys(("learning_rate", "alpha"), "lr"),
    **dict.fromkeys(("beta_1", "b1"), "beta1"),
    **dict.fromkeys(("beta_2", "b2"), "beta2"),
    **dict.fromkeys(("rho", "decay"), "alpha"),
    **dict.fromkeys(("eps_root", "eps_in_sqrt", "debias")),
    "epsilon": "eps",
    "use_nesterov": "nesterov",
}
INSIDE = "it stands inside the root, PyTorch's outside: no number acts alike on small and large v"
HAT = (
    "it is added before v is corrected, PyTorch's after; for the same walk say epsilon=0 here and "
    "set group['eps'] = epsilon / (1 - beta2**t) ** 0.5 before step t; "
    "unless gradients are tiny, eps=epsilon walks nearly so"
)
LATE = "it is added to u, PyTorch's to the size of each gradient, from where it fades"
APART = (
    "it stays out of the gradient, PyTorch's goes into it; for the same walk leave it out here "
    "and multiply the weights by 1 - lr * weight_decay before each step"
)
ONES = "v starts at 1, PyTorch's at 0 (and epsilon stands inside the root)"
CORRECTED = "the corrected average is no sum: its first step is 1 / (1 - decay) times as long"
LARGEST = "it takes the largest of the corrected v, PyTorch corrects the largest v"
BARE = "it corrects neither m nor v"
ELSEWHERE = "its gradient is not taken at theta; PyTorch's weights are theta + momentum * v"


class Recipe(NamedTuple):
    torch: str  # the class in torch.optim
    settings: dict  # the library's names -> its defaults, `...` where it has none
    refused: dict = {}  # settings that must not all be on -> why not; () refuses always
    finish: Callable = lambda args: args  # what takes more than another name


def ahead(args):  # PyTorch insists on momentum for Nesterov's form, the others ignore the wish
    return {**args, "nesterov": args["nesterov"] and bool(args.get("momentum"))}


def into_start(args):  # inside the root of a sum, eps is a part of the start
    start = args["initial_accumulator_value"] + args.pop("eps", 0)
    return {**args, "initial_accumulator_value": start, "eps": 0.0}


def from_average(args):  # an average is 1 - momentum times the sum
    return {"lr": args["lr"] * (1 - args["alpha"]), "momentum": args["alpha"]}


def apart(args):
    return {**args, "decoupled_weight_decay": True} if args.get("weight_decay") else args


def per_step(args):  # PyTorch multiplies the decay by lr, the paper does not
    if not args["lr"]:
        raise ValueError("alpha of paper AdamW must be > 0, got 0: PyTorch would not decay at all")
    return {**args, "weight_decay": args["weight_decay"] / args["lr"]}


def told(**fixed):  # PyTorch must be told what is understood there
    return lambda args: {**args, **fixed}


RATE = dict(learning_rate=...)
KERAS = dict(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=None)
OPTAX = dict(**RATE, b1=0.9, b2=0.999, eps=1e-8)
PAPER = dict(alpha=0.001, beta1=0.9, beta2=0.999)
START = dict(initial_accumulator_value=0.1)
PLAIN = dict(momentum=0.0, centered=False)
EPS, WD, ROOT = ("epsilon",), ("weight_decay",), {("eps_root",): INSIDE}
RECIPES = {
    "keras": {
        "SGD": Recipe(
            "SGD",
            dict(learning_rate=0.01, momentum=0.0, nesterov=False, weight_decay=None),
            {("momentum", "weight_decay"): APART},
            ahead,
        ),
        "Adagrad": Recipe(
            "Adagrad",
            dict(learning_rate=0.001, **START, epsilon=1e-7, weight_decay=None),
            {WD: APART},
            into_start,
        ),
        "RMSprop": Recipe(
            "RMSprop",
            dict(learning_rate=0.001, rho=0.9, **PLAIN, epsilon=1e-7, weight_decay=None),
            {EPS: INSIDE, WD: APART},
        ),
        "Adam": Recipe("Adam", {**KERAS, "amsgrad": False}, {EPS: HAT}, apart),
        "AdamW": Recipe("AdamW", {**KERAS, "weight_decay": 0.004, "amsgrad": False}, {EPS: HAT}),
        "Adamax": Recipe("Adamax", KERAS, {EPS: LATE, WD: APART}),
        "Nadam": Recipe("NAdam", KERAS, {}, lambda args: apart({**args, "momentum_decay": 1.0})),
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
        "adam": Recipe("Adam", dict(**OPTAX, eps_root=0.0), ROOT),
        "adamw": Recipe("AdamW", dict(**OPTAX, eps_root=0.0, weight_decay=1e-4), ROOT),
        "amsgrad": Recipe("Adam", dict(**OPTAX, eps_root=0.0), {(): LARGEST}),
        "adamax": Recipe("Adamax", OPTAX),
        "nadam": Recipe(
            "NAdam", dict(**OPTAX, eps_root=0.0), ROOT, told(momentum_decay=float("inf"))
        ),
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
            "Adam", dict(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8), {EPS: HAT}
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
}

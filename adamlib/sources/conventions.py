"""Where conventions part from PyTorch's: what carries them over, and why some cannot be."""

from collections.abc import Callable
from typing import NamedTuple

INSIDE = "it stands inside the root, PyTorch's outside: no number acts alike on small and large v"
HAT = (
    "it is added before v is corrected, PyTorch's after; for the same walk say {0}=0 here and "
    "set group['eps'] = {0} / (1 - beta2**t) ** 0.5 before step t; "
    "unless gradients are tiny, the same number as eps walks nearly so"
)
LATE = "it is added to u, PyTorch's to the size of each gradient, from where it fades"
APART = (
    "it stays out of the gradient, PyTorch's goes into it; for the same walk leave it out here "
    "and multiply the weights by 1 - lr * weight_decay before each step"
)
ONE = "v starts at 1, PyTorch's at 0"
ONES = f"{ONE} (and epsilon stands inside the root)"
CORRECTED = "the corrected average is no sum: its first step is 1 / (1 - decay) times as long"
LARGEST = "it takes the largest of the corrected v, PyTorch corrects the largest v"
BARE = "it corrects neither m nor v"
STEPWISE = (
    f"{BARE}; for the same walk say bias_correction=True here and, with r = (1 - beta2**t) ** 0.5, "
    "set group['lr'] = lr * (1 - beta1**t) / r and group['eps'] = eps / r before step t "
    "(and group['weight_decay'] so that lr * weight_decay stays)"
)
M_BARE = "it does not correct m (and eps is added to u)"
ELSEWHERE = "its gradient is not taken at theta; PyTorch's weights are theta + momentum * v"


class Recipe(NamedTuple):
    torch: str  # the class in torch.optim
    settings: dict  # the library's names -> its defaults, `...` where it has none
    refused: dict = {}  # settings that must not all be on -> why not; () refuses always
    finish: Callable = lambda args: args  # what takes more than another name
    needed: dict = {}  # a setting that must be on -> why


def ahead(args):  # PyTorch insists on momentum for Nesterov's form, the others ignore the wish
    return {**args, "nesterov": args["nesterov"] and bool(args.get("momentum"))}


def into_start(args):  # inside the root of a sum, eps is a part of the start
    start = args.get("initial_accumulator_value", 0.0) + args.pop("eps", 0)
    return {**args, "initial_accumulator_value": start, "eps": 0.0}


def from_average(args):  # an average is 1 - momentum times the sum
    return {"lr": args["lr"] * (1 - args["alpha"]), "momentum": args["alpha"]}


def dampened(args):  # there from the first gradient on, so the sum is 1 - dampening times as large
    share = 1 - args.pop("dampening")
    return {**args, "lr": args["lr"] * (share if args["momentum"] else 1)}


def apart(args):
    return {**args, "decoupled_weight_decay": True} if args.get("weight_decay") else args


def per_step(args):  # PyTorch multiplies the decay by lr, the paper does not
    if not args["lr"]:
        raise ValueError("alpha of paper AdamW must be > 0, got 0: PyTorch would not decay at all")
    return {**args, "weight_decay": args["weight_decay"] / args["lr"]}


def told(**fixed):  # PyTorch must be told what is understood there
    return lambda args: {**args, **fixed}

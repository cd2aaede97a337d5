"""torch.optim with converted settings, beside the recorded walks of the libraries themselves."""

import math
from itertools import chain

import numpy as np
import pytest
import torch

from adamlib import files, optim, rules
from adamlib.convert import NAMES, to_torch
from adamlib.descent import descend
from adamlib.sources.recipes import RECIPES
from experiments.rosetta import START, grad, rate

RECORD = files.record("rosetta")
CUT = RECORD["cut"]  # the steps before the learning rate changes
CLOSE = 4e-15  # a dozen roundings of weights of about 1
SINGLE = 1e-7  # a number in float32 takes part: in NAdam the product of the momenta,
ROUNDED = [("tensorflow", "AdamOptimizer"), ("mlx", "Adam"), ("mlx", "AdamW")]  # powers of betas,
ROUNDED += [("torchopt", "adagrad")]  # the decay of its learning rate
COARSE = 3e-7  # in float32, 1 - 0.999**t is off by a share of 3e-5 at first, and a step is 1e-3
ROUGH = [("torchopt", "adam"), ("torchopt", "adamw")]
RATE = {"learning_rate": 0.1}
GRID = [0.0, *np.geomspace(1e-14, 0.1, 105)]  # eight to a decade


def converted(walk):
    """The (name, arguments) of a recorded walk, None where the converter refuses."""
    try:
        return to_torch(walk["library"], walk["optimizer"], **walk["settings"])
    except ValueError:
        return None


def named(walk):
    return f"{walk['library']}-{walk['optimizer']}-{walk['settings']}"


FOLLOWED = [walk for walk in RECORD["walks"] if converted(walk)]
REFUSED = [walk for walk in RECORD["walks"] if not converted(walk)]
followed = pytest.mark.parametrize("walk", FOLLOWED, ids=named)
refused = pytest.mark.parametrize("walk", REFUSED, ids=named)


def steps(cls, groups, n, before=lambda t, optimizer: None):
    """The paths (groups, n + 1, 2, 2) of an optimizer whose groups each have a copy of the weights.

    before: what is done to the optimizer before step t."""
    weights = [torch.tensor(START, dtype=torch.float64) for _ in groups]
    # the first for all: Adagrad of PyTorch reads where its sum starts only from there
    own = [{"params": [w], **group} for w, group in zip(weights, groups, strict=True)]
    optimizer = cls(own, **groups[0])
    paths = [np.stack(weights)]
    for t in range(1, n + 1):
        for group, own in zip(optimizer.param_groups, groups, strict=True):
            group["lr"] = rate(own["lr"], t)
        for w in weights:
            w.grad = torch.from_numpy(grad(w.numpy()))
        before(t, optimizer)
        optimizer.step()
        paths.append(np.stack([w.numpy().copy() for w in weights]))
    return np.stack(paths, axis=1)


def distance(path, other):
    """The largest difference in any weight while the learning rate is constant."""
    return np.abs(np.array(path)[: CUT + 1] - np.array(other)[: CUT + 1]).max()


def closeness(name, walk):
    row = walk["library"], walk["optimizer"]
    if row == ("torchopt", "adagrad") and not walk["settings"].get("lr_decay"):
        return CLOSE
    return COARSE if row in ROUGH else SINGLE if name == "NAdam" or row in ROUNDED else CLOSE


@followed
def test_pytorch_walks_as_the_library(walk):
    name, arguments = converted(walk)
    (path,) = steps(getattr(torch.optim, name), [arguments], CUT)
    assert distance(path, walk["path"]) < closeness(name, walk)
    assert distance(path, [START]) > 0.005  # it did walk


def ours(name, arguments):
    """Our counterpart of a setting of torch.optim, None where we have none."""
    if arguments.get("dampening"):
        return None
    if name == "SGD":
        with_momentum = optim.Nesterov if arguments.get("nesterov") else optim.Momentum
        return with_momentum if arguments.get("momentum") else optim.GradientDescent
    if name == "Adam":
        variants = {"amsgrad": optim.AMSGrad, "decoupled_weight_decay": optim.AdamW}
        return next((cls for key, cls in variants.items() if arguments.get(key)), optim.Adam)
    only_torch = ("momentum", "centered", "initial_accumulator_value", "lr_decay")
    only_torch += ("decoupled_weight_decay",)  # of NAdam
    classes = {"Adagrad": optim.AdaGrad, "RMSprop": optim.RMSProp, "Adamax": optim.AdaMax}
    classes |= {"AdamW": optim.AdamW, "NAdam": optim.NAdam, "RAdam": optim.RAdam}
    return None if any(arguments.get(key) for key in only_torch) else classes[name]


@followed
def test_adamlib_walks_as_the_library_where_it_has_the_rule(walk):
    name, arguments = converted(walk)
    if cls := ours(name, arguments):
        if arguments.get("momentum_decay") == math.inf:  # ours takes finite ones
            arguments["momentum_decay"] = 1e9  # and 0.96**1e9 is 0
        (path,) = steps(cls, [arguments], CUT)
        assert distance(path, walk["path"]) < closeness("", walk)  # its product is in float64


def test_adamlib_has_most_of_the_rules():
    assert sum(ours(*converted(walk)) is not None for walk in FOLLOWED) > len(FOLLOWED) / 2


OBEYS_LATE = [("keras", "SGD"), ("keras", "RMSprop"), ("optax", "rmsprop"), ("sklearn", "sgd")]
OBEYS_LATE += [("pennylane", "MomentumOptimizer")]


def test_the_learning_rate_changes_wherever_the_library_lets_it():
    constant = {walk["library"] for walk in RECORD["walks"] if len(walk["path"]) == CUT + 1}
    assert len({walk["library"] for walk in RECORD["walks"]}) == 8  # the README says so
    assert constant == {"autograd"} and {len(w["path"]) for w in RECORD["walks"]} == {17, 25}


@pytest.mark.parametrize("walk", [w for w in FOLLOWED if len(w["path"]) > CUT + 1], ids=named)
def test_a_schedule_parts_the_walks_where_the_buffer_holds_the_learning_rate(walk):
    name, arguments = converted(walk)
    (path,) = steps(getattr(torch.optim, name), [arguments], len(walk["path"]) - 1)
    apart = np.abs(path - walk["path"]).max()
    if (walk["library"], walk["optimizer"]) in OBEYS_LATE and arguments.get("momentum"):
        assert apart > 0.01  # of walks of about 0.2
    else:
        assert apart < closeness(name, walk)


def without_the_refused(walk):
    """The (class, arguments) of torch.optim for a refused walk less what is refused in it."""
    library, optimizer, settings = walk["library"], walk["optimizer"], walk["settings"]
    recipe = RECIPES[library][optimizer]
    by_hand = {
        "amsgrad": dict(betas=(0.75, 0.984375), amsgrad=True),
        "RMSPropOptimizer": dict(alpha=0.9),
        "rmsprop": dict(alpha=0.9),
        "ema": dict(momentum=0.875),
        "Adamax": dict(betas=(0.9, 0.999)),
        "NesterovMomentumOptimizer": dict(momentum=0.9, nesterov=True),
    }
    if () in recipe.refused or optimizer == "ema":
        lr = next(x for key, x in {**recipe.settings, **settings}.items() if NAMES.get(key) == "lr")
        return getattr(torch.optim, recipe.torch), dict(lr=lr, **by_hand[optimizer])
    off = dict.fromkeys(("epsilon", "eps", "eps_root"), 0.0)
    off |= {"eps_in_sqrt": False, "bias_correction": True}
    if optimizer != "AdamW":
        off["weight_decay"] = None
    off = {key: off[key] for key in off.keys() & {*chain(*recipe.refused), *recipe.needed}}
    name, arguments = to_torch(library, optimizer, **{**settings, **off})
    return getattr(torch.optim, name), arguments


def extra_decay(walk):
    return walk["settings"].get("weight_decay") and walk["optimizer"] not in ("Adam", "AdamW")


@pytest.mark.slow
@refused
def test_what_is_refused_goes_elsewhere_whatever_the_setting(walk):
    cls, arguments = without_the_refused(walk)
    by_rate = walk["optimizer"] in ("ema", "NesterovMomentumOptimizer")
    free = "lr" if by_rate else "weight_decay" if extra_decay(walk) else "eps"
    paths = steps(cls, [{**arguments, free: x} for x in GRID], CUT)
    assert min(distance(path, walk["path"]) for path in paths) > 1e-8  # CLOSE, millions of times


HATS = [("keras", "Adam"), ("keras", "AdamW"), ("tensorflow", "AdamOptimizer")]
HATS += [("sklearn", "adam"), ("pennylane", "AdamOptimizer")]
HATS = [walk for walk in REFUSED if (walk["library"], walk["optimizer"]) in HATS]
# TensorFlow 1 has 0.999 in float32, which its defaults show and short fractions do not
HATS = [walk for walk in HATS if walk["library"] != "tensorflow" or walk["settings"]]


@pytest.mark.parametrize("walk", HATS, ids=named)
def test_an_eps_that_changes_with_the_step_follows_epsilon_hat(walk):
    cls, arguments = without_the_refused(walk)
    recipe = {**RECIPES[walk["library"]][walk["optimizer"]].settings, **walk["settings"]}

    def set_eps(t, optimizer):
        for group in optimizer.param_groups:
            group["eps"] = (
                recipe.get("epsilon", recipe.get("eps")) / (1 - arguments["betas"][1] ** t) ** 0.5
            )

    (path,) = steps(cls, [arguments], CUT, set_eps)
    assert distance(path, walk["path"]) < closeness("", walk)


@pytest.mark.parametrize("optimizer", ["Adam", "AdamW"])
def test_a_rate_and_an_eps_that_change_with_the_step_follow_mlx_without_correction(optimizer):
    (walk,) = (w for w in REFUSED if (w["library"], w["optimizer"]) == ("mlx", optimizer))
    cls, arguments = without_the_refused(walk)
    (beta1, beta2), lr = arguments["betas"], arguments["lr"]

    def correct(t, optimizer):
        for group in optimizer.param_groups:
            root = (1 - beta2**t) ** 0.5
            group["lr"] = lr * (1 - beta1**t) / root
            group["eps"] = arguments["eps"] / root
            group["weight_decay"] = arguments.get("weight_decay", 0) * lr / group["lr"]

    (path,) = steps(cls, [arguments], CUT, correct)
    assert distance(path, walk["path"]) < CLOSE


def test_the_weights_of_pennylanes_nesterov_are_not_where_pytorch_stands():
    (walk,) = (w for w in REFUSED if w["optimizer"] == "NesterovMomentumOptimizer")
    cls, arguments = without_the_refused(walk)
    (path,) = steps(cls, [arguments], CUT)
    theta = np.array(walk["path"][: CUT + 1])
    ahead = theta[1:] + 0.9 * np.diff(theta, axis=0)
    assert distance(path[1:], ahead) < CLOSE < 0.005 < distance(path, theta)


@pytest.mark.parametrize("walk", [*filter(extra_decay, REFUSED)], ids=named)
def test_weights_shrunk_before_the_step_follow_the_decay_of_keras(walk):
    cls, arguments = without_the_refused(walk)

    def shrink(t, optimizer):
        for group in optimizer.param_groups:
            w, lr = group["params"][0], group["lr"]
            w.mul_(1 - lr * walk["settings"]["weight_decay"])

    (path,) = steps(cls, [arguments], CUT, shrink)
    assert distance(path, walk["path"]) < CLOSE


@pytest.mark.parametrize("signature", RECORD["signatures"], ids=lambda s: s["optimizer"])
def test_names_and_defaults_are_those_of_the_library(signature):
    recipe = RECIPES[signature["library"]][signature["optimizer"]]
    for name, default in recipe.settings.items():
        if (signature["optimizer"], name) != ("ema", "learning_rate"):  # of the chain around it
            theirs = signature["defaults"][name]
            theirs = tuple(theirs) if isinstance(theirs, list) else theirs
            assert theirs == (None if default is ... else default)


def sutskever(w, g, t, v=0, *, learning_rate, momentum):
    """Sutskever et al. (2013), equations 1 and 2."""
    v = momentum * v - learning_rate * g
    return w + v, v


def reddi(w, g, t, m=0, v=0, v_hat=0, *, alpha, beta1, beta2):
    """Reddi, Kale & Kumar (2018), Algorithm 2."""
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    v_hat = np.maximum(v_hat, v)
    return w - alpha * m / v_hat**0.5, m, v, v_hat


def loshchilov(w, g, t, m=0, v=0, *, alpha=0.001, weight_decay):
    """Loshchilov & Hutter (2019), Algorithm 2, at a schedule multiplier of 1."""
    adam, m, v = rules.adam(w, g, t, m, v, lr=alpha)
    return adam - weight_decay * w, m, v


PAPERS = [
    ("momentum", sutskever, dict(learning_rate=0.01, momentum=0.9), {}),
    ("AdamW", loshchilov, dict(weight_decay=1e-4), {}),
    ("AdamW", loshchilov, dict(alpha=0.02, weight_decay=1e-3), {}),
    ("RMSProp", rules.rmsprop, {}, dict(alpha=0.9, eps=0.0)),
    ("Adam", rules.adam, {}, {}),
    ("AdaMax", rules.adamax, {}, dict(eps=0.0)),
]


@pytest.mark.parametrize(("optimizer", "rule", "settings", "hyper"), PAPERS)
def test_pytorch_walks_as_the_paper(optimizer, rule, settings, hyper):
    given = {**settings, **({"learning_rate": 0.01} if optimizer == "RMSProp" else {})}
    name, arguments = to_torch("paper", optimizer, **given)
    (path,) = steps(getattr(torch.optim, name), [arguments], CUT)
    assert distance(path, descend(rule, grad, START, CUT, **settings, **hyper)) < CLOSE


def test_no_eps_makes_pytorch_walk_as_the_paper_of_amsgrad():
    betas = dict(beta1=0.75, beta2=0.984375)
    path = descend(reddi, grad, START, CUT, alpha=0.02, **betas)
    groups = [dict(lr=0.02, betas=tuple(betas.values()), eps=x, amsgrad=True) for x in GRID]
    assert min(distance(path, p) for p in steps(torch.optim.Adam, groups, CUT)) > 0.01
    with pytest.raises(ValueError, match="corrects neither m nor v"):
        to_torch("paper", "AMSGrad", alpha=0.02, **betas)


def test_the_theta_of_the_papers_nesterov_is_not_where_pytorch_stands():
    theta, v = np.array(START), 0
    for _ in range(CUT):
        v = 0.9 * v - 0.01 * grad(theta + 0.9 * v)
        theta = theta + v
    (path,) = steps(torch.optim.SGD, [dict(lr=0.01, momentum=0.9, nesterov=True)], CUT)
    assert np.abs(path[-1] - theta).max() > 0.005
    assert np.abs(path[-1] - (theta + 0.9 * v)).max() < CLOSE
    with pytest.raises(ValueError, match="not taken at theta"):
        to_torch("paper", "Nesterov", learning_rate=0.01, momentum=0.9)


def test_the_most_copied_recipes_read_like_this():
    assert to_torch("keras", "SGD", momentum=0.9) == (
        "SGD",
        {"lr": 0.01, "momentum": 0.9, "nesterov": False},
    )
    assert to_torch("optax", "adam", learning_rate=3e-4) == (
        "Adam",
        {"lr": 3e-4, "betas": (0.9, 0.999), "eps": 1e-8},
    )
    assert to_torch("paper", "AdamW", alpha=0.5, weight_decay=0.25)[1]["weight_decay"] == 0.5
    assert to_torch("mlx", "Adam", learning_rate=3e-4, betas=[0.9, 0.95], bias_correction=True) == (
        "Adam",
        {"lr": 3e-4, "betas": (0.9, 0.95), "eps": 1e-8},
    )


def test_what_keras_writes_of_itself_is_taken():
    """The dictionary of `keras.optimizers.SGD(0.01, momentum=0.9).get_config()`, Keras 3.15.1."""
    off = ("weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "ema_overwrite_frequency")
    config = dict.fromkeys((*off, "loss_scale_factor", "gradient_accumulation_steps"))
    config |= {"name": "SGD", "learning_rate": np.float32(0.5), "use_ema": False}
    config |= {"ema_momentum": 0.99, "momentum": 0.9, "nesterov": np.True_}
    name, arguments = to_torch("keras", "SGD", **config)
    assert (name, arguments) == ("SGD", {"lr": 0.5, "momentum": 0.9, "nesterov": True})
    assert type(arguments["lr"]) is float


@pytest.mark.parametrize(
    ("recipe", "settings", "error", "words"),
    [
        (("jax", "adam"), {}, ValueError, "library must be one of .*'optax'.* got 'jax'"),
        (("keras", "adam"), {}, ValueError, "keras optimizer must be one of .*'Adam'"),
        (("keras", "Adam"), {"lr": 0.1}, ValueError, "setting of keras Adam must .*learning_rate"),
        (("optax", "adam"), {}, ValueError, r"optax adam has no default for \['learning_rate'\]"),
        (("optax", "adam"), {"learning_rate": math.sin}, TypeError, "learning_rate .* a number"),
        (("optax", "adam"), {"learning_rate": None}, TypeError, "learning_rate .* got None"),
        (("keras", "AdamW"), {"weight_decay": None}, TypeError, "weight_decay .* got None"),
        (("keras", "Adam"), {}, ValueError, "epsilon=1e-07: .* before v is corrected"),
        (("keras", "RMSprop"), {}, ValueError, "epsilon=1e-07: .* inside the root"),
        (("keras", "nadam"), {}, ValueError, "write 'Nadam'"),
        (("keras", "SGD"), {"clipnorm": 1.0}, ValueError, "clipnorm .* got 1.0: .*clip_grad_norm_"),
        (("keras", "SGD"), {"use_ema": True}, ValueError, "use_ema .*AveragedModel"),
        (("keras", "SGD"), {"learning_rate": True}, TypeError, "learning_rate .* a number"),
        (("keras", "SGD"), {"nesterov": 1}, TypeError, "nesterov .* True or False"),
        (("optax", "adamw"), {"mask": {}}, ValueError, "mask .* group with weight_decay=0"),
        (("paper", "AdamW"), {"alpha": 0, "weight_decay": 1}, ValueError, "alpha .* must be > 0"),
        (("mlx", "Adam"), RATE, ValueError, "bias_correction=False: it .*neither m nor v; for"),
        (("mlx", "Adam"), {**RATE, "betas": 0.9}, TypeError, "betas .* a pair of numbers"),
        (("mlx", "Adam"), {**RATE, "betas": (0.9, None)}, TypeError, "betas .* a pair of numbers"),
        (("mlx", "Adamax"), RATE, ValueError, "it does not correct m"),
        (("autograd", "rmsprop"), {}, ValueError, "v starts at 1, PyTorch's at 0$"),
        (("sklearn", "adam"), {}, ValueError, "epsilon=1e-08: .* say epsilon=0 here"),
        (("sklearn", "sgd"), {"alpha": 1e-4}, ValueError, "alpha .* weight_decay=alpha / batch"),
        (("pennylane", "AdamOptimizer"), {}, ValueError, "eps=1e-08: .* say eps=0 here"),
        (("torchopt", "rmsprop"), {"nesterov": True}, ValueError, "nesterov .* has no such form"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_told_what_is_allowed(recipe, settings, error, words):
    with pytest.raises(error, match=words):
        to_torch(*recipe, **settings)

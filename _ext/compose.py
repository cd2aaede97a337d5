"""A rule composed of four choices: a memory, a direction, a magnitude and a decay.

`compose` returns a function in the form of adamlib.rules, with a text to show and to translate.
Its lines are written here, once; {B} is the share of the past that the memory keeps, {R} that of
the ruler.
"""

import linecache
from itertools import product
from typing import NamedTuple

#: What a reader chooses from: {slot: {key: label}}.
CHOICES = {
    "memory": {
        "none": "none",
        "sum": "fading sum",
        "average": "average",
        "corrected": "average, corrected",
        "slow": "corrected, plus a slow average",
    },
    "direction": {
        "plain": "as it is",
        "ahead": "look-ahead",
        "mix": "mix with the old memory",
    },
    "magnitude": {
        "none": "none",
        "sign": "its own size: the sign",
        "sum": "root of the sum of g²",
        "average": "root of an average of g²",
        "corrected": "the same, corrected",
        "maximum": "the same, never to shrink",
        "fading": "fading maximum of |g|",
    },
    "decay": {"none": "none", "l2": "L2, in the gradient", "decoupled": "decoupled"},
}
OLD = "needs the average uncorrected: the old one starts at 0/0"
#: Why a memory and a direction do not go together.
WHY = {
    ("none", "ahead"): "needs a memory to look along",
    ("none", "mix"): "needs a memory to mix with",
    ("sum", "mix"): "needs an average: a sum is up to 1 / (1 − β) times as long as a gradient",
    ("corrected", "mix"): OLD,
    ("slow", "ahead"): "needs one memory: two would look two different ways",
    ("slow", "mix"): OLD,
}
#: The compositions that are a rule of adamlib.rules.
NAMES = {
    ("none", "plain", "none", "none"): "gradient_descent",
    ("sum", "plain", "none", "none"): "momentum",
    ("sum", "ahead", "none", "none"): "nesterov",
    ("none", "plain", "sum", "none"): "adagrad",
    ("none", "plain", "average", "none"): "rmsprop",
    ("corrected", "plain", "corrected", "none"): "adam",
    ("corrected", "plain", "corrected", "decoupled"): "adamw",
    ("corrected", "plain", "maximum", "none"): "amsgrad",
    ("corrected", "plain", "fading", "none"): "adamax",
    ("average", "plain", "sign", "none"): "sign_momentum",
    ("average", "mix", "sign", "decoupled"): "lion",
    ("slow", "plain", "corrected", "none"): "ademamix",
}
#: Those that walk like one under other settings: the rule, and the settings.
KIN = {
    ("average", "plain", "none", "none"): ("momentum", "lr * (1 - momentum) in place of lr"),
    ("average", "ahead", "none", "none"): ("nesterov", "lr * (1 - momentum) in place of lr"),
    ("sum", "plain", "sign", "none"): ("sign_momentum", "a sum, which has the sign of the average"),
    ("corrected", "plain", "sign", "none"): (
        "sign_momentum",
        "a correction, which changes no sign",
    ),
    ("average", "mix", "sign", "none"): ("lion", "weight_decay = 0"),
    ("none", "plain", "sign", "none"): ("sign_momentum", "momentum = 0"),
    ("none", "plain", "corrected", "none"): ("adam", "beta1 = 0"),
    ("none", "plain", "corrected", "decoupled"): ("adamw", "beta1 = 0"),
    ("none", "plain", "maximum", "none"): ("amsgrad", "beta1 = 0"),
    ("none", "plain", "fading", "none"): ("adamax", "beta1 = 0"),
}
DECAYS = {  # the lines, and where they stand
    "l2": "g = g + weight_decay * w  # as if the loss had a term weight_decay / 2 * w**2",
    "decoupled": "w = w - lr * weight_decay * w  # straight from the weight: no gradient, no ruler",
}
BOTH = tuple(DECAYS)
SEEN = "  # divided by the weight seen so far"
V = "v = {R} * v + (1 - {R}) * g**2  # mean of the squared gradients"


class Ruler(NamedTuple):
    """What divides a step: buffers, lines, hyperparameters, and the expression."""

    buffers: tuple = ()
    lines: tuple = ()
    hat: tuple = ()  # the line of the correction
    over: str = ""
    share: float | None = None
    lr: str = "1e-3"
    eps: str | None = "1e-8"


RULERS = {
    "none": Ruler(eps=None),
    "sign": Ruler(over=" / (abs({X}) + ({X} == 0))", eps=None),
    "sum": Ruler(
        ("s",),
        ("s = s + g**2  # all squared gradients since the start; it never forgets",),
        over=" / (s**0.5 + eps)",
        lr="1e-2",
        eps="1e-10",
    ),
    "average": Ruler(("v",), (V,), over=" / (v**0.5 + eps)", share=0.99, lr="1e-2"),
    "corrected": Ruler(
        ("v",), (V,), ("v_hat = v / (1 - {R}**t)" + SEEN,), " / (v_hat**0.5 + eps)", share=0.999
    ),
    "maximum": Ruler(
        ("v", "v_max"),
        (V, "v_max = v * (v > v_max) + v_max * (v <= v_max)  # the larger of the two"),
        ("v_hat = v_max / (1 - {R}**t)" + SEEN,),
        " / (v_hat**0.5 + eps)",
        share=0.999,
    ),
    "fading": Ruler(
        ("u",),
        (
            "past = {R} * u",
            "size = abs(g) + eps",
            "u = past * (past > size) + size * (past <= size)  # the larger of the two",
        ),
        over=" / u",
        share=0.999,
        lr="2e-3",
    ),
}


class Core(NamedTuple):
    """A rule with both decays in it: items (text, decays that it belongs to; none: always)."""

    buffers: list
    hyper: list
    lines: list


def core(memory, direction, magnitude):
    """Return the `Core` of three choices; raises ValueError where they do not go together."""
    if (memory, direction) in WHY:
        raise ValueError(f"direction {direction!r} {WHY[memory, direction]}, got {memory!r}")
    ruler = RULERS[magnitude]
    shares = {"M": 0.9} if direction == "mix" else {}
    shares |= {"B": 0.99 if shares else 0.9} if memory != "none" else {}
    shares |= {"R": ruler.share} if ruler.share else {}
    shares |= {"S": 0.9999} if memory == "slow" else {}
    names = {key: f"beta{k}" for k, key in enumerate(shares, 1)}
    if len(shares) == 1:
        names = {key: "momentum" if key == "B" else "alpha" for key in shares}
    buffers, lines, hats, x = remembered(memory, direction, names.get("B") == "momentum")
    if magnitude == "sign" and not x.isidentifier():
        hats, x = [*hats, f"c = {x}"], "c"
    over = ruler.over.format(X=x)
    x = x if x.isidentifier() else f"({x})"
    lines = [*lines, *ruler.lines, *hats, *ruler.hat]
    if len(shares) > 1:
        lines.insert(0, f"{', '.join(names.values())} = betas")
    found = [(line.format(**names), ()) for line in lines]
    step = (f"w = w - lr * {x}{over}".format(**names), ())
    decays = [(DECAYS[key], (key,)) for key in DECAYS]
    hyper = [f"lr={'1e-4' if direction == 'mix' else ruler.lr}"]
    values = ", ".join(f"{share:g}" for share in shares.values())
    hyper += [f"betas=({values})"] if len(shares) > 1 else [f"{n}={values}" for n in names.values()]
    hyper += ["alpha=5"] if memory == "slow" else []
    hyper += [f"eps={ruler.eps}"] if ruler.eps else []
    hyper = [(text, ()) for text in hyper] + [("weight_decay=1e-2", BOTH)]
    buffers = [(f"{name}=0", ()) for name in (*buffers, *ruler.buffers)]
    return Core(buffers, hyper, [decays[0], *found, decays[1], step])


def remembered(memory, direction, alone):
    """The buffers, the lines, the corrections and the value of a memory seen from a direction."""
    if memory == "none":
        return [], [], [], "g"
    if memory == "sum":
        line = "b = {B} * b + g  # a sum of all gradients so far, older ones fading"
        return ["b"], [line], [], "g + {B} * b" if direction == "ahead" else "b"
    m = "b" if memory == "average" and alone else "m"
    ahead = f"{{B}} * {m} + (1 - {{B}}) * g"
    lines = [f"{m} = {ahead}  # mean of the gradients"]
    if direction == "mix":
        mix = "c = {M} * m + (1 - {M}) * g  # what the step sees: m as it was, and this gradient"
        return [m], [mix, *lines], [], "c"
    if memory == "average":
        return [m], lines, [], ahead if direction == "ahead" else m
    if direction == "ahead":
        return [m], lines, [f"m_hat = ({ahead}) / (1 - {{B}} ** (t + 1))"], "m_hat"
    hats = ["m_hat = m / (1 - {B}**t)" + SEEN]
    if memory == "corrected":
        return [m], lines, hats, "m_hat"
    slow = "slow = {S} * slow + (1 - {S}) * g  # a second memory, of thousands of steps"
    return ["m", "slow"], [*lines, slow], hats, "m_hat + alpha * slow"


def valid():
    """Return all choices (memory, direction, magnitude, decay) that go together, in order."""
    return [choice for choice in product(*CHOICES.values()) if choice[:2] not in WHY]


def text(choice):
    """Return the text of the rule composed of (memory, direction, magnitude, decay)."""
    *three, decay = choice
    parts = [[x for x, when in part if not when or decay in when] for part in core(*three)]
    buffers, hyper, lines = parts
    arguments = ", ".join(["w", "g", "t", *buffers, "*", *hyper])
    head = f"def {NAMES.get(choice, 'yours')}({arguments}):"
    if len(head) > 100:  # the width of the book's code
        head = head.replace("(", "(\n    ", 1).replace(" *,", "\n    *,")[:-2] + "\n):"
    results = ", ".join(["w", *(buffer.partition("=")[0] for buffer in buffers)])
    lines = [*lines, f"return {results}" if buffers else "return (w,)"]
    return "\n    ".join([head, *lines]) + "\n"


def compose(choice):
    """Return the composed rule, a function whose text can be read."""
    source, file, scope = text(choice), f"<{', '.join(choice)}>", {}
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    exec(compile(source, file, "exec"), scope)
    return scope[NAMES.get(choice, "yours")]

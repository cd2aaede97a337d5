"""What in a card's properties would mislead a user, in sentences."""

#: answer: (the values that are no fault, the sentence; {} stands for the value).
GOOD = {
    "zero gradients from the start": (
        ("leave the weight", "move the weight"),
        "Zero gradients from the start make weights {}.",
    ),
    "its clock at step t": (
        ("t",),
        "The clock of the correction is {}, not t, as steps under a constant gradient show.",
    ),
    "a tenfold lr makes the next step longer by": (
        (10,),
        "Multiplying lr by 10 before a step makes it {} times as long.",
    ),
    "lr = 0 leaves of the next step": ((0,), "With lr = 0 a step still has {} of its length."),
    "a group with a tenfold lr steps longer by": (
        (10,),
        "A group with ten times the lr takes steps {} times as long.",
    ),
    "lr in the groups": (("stays",), "The lr in the groups {}."),
    "lr as a tensor": (("works",), "An lr in a tensor {}."),
    "a closure": (("works",), "A closure {}."),
    "a weight without a gradient": (("stays",), "A weight without a gradient {}."),
    "a weight whose gradient pauses": (("stays",), "A weight whose gradient pauses {}."),
    "a group added later": (("steps like a fresh one",), "A group added later {}."),
    "eval()": (("changes nothing", "moves the weights, train() back"), "eval() {}."),
    "a deep copy": (("takes the same step",), "A deep copy {}."),
    "after 300 steps without a gradient, steps are longer by": (
        (1.0,),
        "After 300 steps without a gradient a tensor's longest step is {} times a fresh one's.",
    ),
}


RATES = ("a tenfold lr makes the next step longer by", "lr = 0 leaves of the next step")


def faults(p):
    """Return a sentence for each answer in the properties `p` that would mislead a user."""
    said = []
    for name, (good, sentence) in GOOD.items():
        if name == "a closure" and p.get("step() needs a closure"):
            continue  # it may look more than once
        if str(p.get("eval()")).startswith("moves") and name in RATES:
            continue  # what is trained at follows an average of earlier steps, whatever lr is
        value = p.get(name, good[0])
        if str(value).startswith("raises"):
            said.append(f"{name[0].upper()}{name[1:]}: it {value}.")
        elif name.startswith("after 300") and isinstance(value, str):
            said.append(f"After 300 steps without a gradient a tensor's steps are {value}.")
        elif value not in good:
            said.append(sentence.format(f"{value:g}" if isinstance(value, float) else value))
    if "goes uphill along a gradient of" in p:
        size = p["goes uphill along a gradient of"]
        said.append(f"Along a constant gradient of {size:g} it goes uphill.")
    kind = str(p.get("weight decay"))
    own = p.get("weight decay as set")
    limit = p.get("steps are not finite from a gradient of")
    if limit or "are not finite" in str(p.get("direction")):
        size = f" of {limit:g}" if limit else ""
        said.append(f"Steps along a constant gradient{size} become not finite.")
    if kind == "no effect":
        said.append("weight_decay has no effect.")
    if "whatever the weight" in kind:
        said.append("weight_decay adds what does not depend on the weight.")
    if "wrong sign" in kind:
        said.append("weight_decay lets weights grow.")
    if "not times lr" in kind and own:
        said.append(f"The decay does not scale with lr: a step takes {own:g} of a weight.")
    if p.get("corrected") == "multiplied":
        said.append("The means are multiplied by 1 - beta**t, not divided.")
    if p.get("float64 weights", "keep their digits") != "keep their digits":
        said.append(f"float64 weights {p['float64 weights']}.")
    if p.get("drift in a step, in lr"):
        said.append("A part of each step is the same whatever the gradient.")
    if p.get("a misspelled keyword") == "is accepted":
        said.append("Any keyword is accepted, a misspelled one too.")
    for name, value in p.items():
        what = name[0].upper() + name[1:]
        if name.startswith("gradients after") and value != "as before":
            said.append(f"{what}: {value}.")
        elif (name.startswith("a run resumed") and value != "goes on bit for bit") or (
            name.startswith("a tensor of") and value != "works" and p.get("weights") == "vectors"
        ):
            said.append(f"{what} {value}.")
        elif "with the place" in name and large(value, 1e-6):
            said.append(f"{what}, by {value:.2g} of a step.")
    loud = p.get("steps beside a gradient 10^4 times as large change by")
    if large(loud, 1e-3) and p.get("a step depends on") == "its own gradients alone":
        said.append(
            "In a tensor of 4,096 weights, beside a gradient 10^4 times as large, small ones' steps"
            f" change by {loud:.0%}."
        )
    odd, mirror = p.get("changes with the sign of the gradients"), p.get("changes with maximize")
    if large(mirror, 1e-6) and not large(odd, 1e-6):
        said.append("maximize=True does not walk the mirror image of the way down.")
    return said


def large(value, limit):
    """Whether an answer is a number above the limit, or none."""
    return isinstance(value, float) and not value <= limit

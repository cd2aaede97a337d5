"""Cards against what is known of the optimizers: torch.optim's, the book's own, and the mutants."""

import json
import subprocess
import sys

import pytest
import torch

from adamlib import optim, rules
from adamlib.diagnose import diagnose
from adamlib.diagnose.adapters import Foreign, of_rule
from adamlib.mutants import MUTANTS, mutant

SAME, PAST = "in the gradient or past it: here the same", "past the gradient, times lr"
NO_RULE = "No rule of this book: its steps under a constant gradient"
LR = "Multiplying lr by 10 before a step makes it 1 times as long."
ZERO = "With lr = 0 a step still has 1 of its length."
GROUP = "A group with ten times the lr takes steps 1 times as long."
NANS = "Zero gradients from the start make weights not finite."
CLOCK = "The clock of the correction is {}, not t, as steps under a constant gradient show."
OWN = "its steps grow or shrink in a way of their own at first"


def torch_optim(name, **settings):
    """Return a factory of a class of torch.optim."""
    return lambda params, **given: getattr(torch.optim, name)(params, **{**settings, **given})


#: (optimizer, the first sentence of its verdict, its decay, the rule that foretells it).
TORCH = [
    (
        "SGD",
        {},
        "Gradient descent",
        SAME,
        "gradient_descent",
    ),
    ("SGD", {"momentum": 0.9}, "Gradient descent with momentum 0.9", "in the gradient", "momentum"),
    (
        "SGD",
        {"momentum": 0.8, "nesterov": True},
        "Gradient descent with Nesterov's momentum 0.8",
        "in the gradient",
        "nesterov",
    ),
    ("Adagrad", {}, "AdaGrad", "in the gradient", "adagrad"),
    ("RMSprop", {}, "RMSProp", "in the gradient", "adam, no correction"),
    ("Adam", {}, "Adam", "in the gradient", "adam"),
    ("Adam", {"amsgrad": True}, "AMSGrad", "in the gradient", "amsgrad"),
    ("AdamW", {}, "AdamW", "past the gradient, times lr", "adam"),
    ("Adamax", {}, "AdaMax", "in the gradient", "adamax"),
    ("NAdam", {}, "NAdam", "in the gradient", "nadam"),
    ("NAdam", {"decoupled_weight_decay": True, "weight_decay": 0.1}, "NAdam", PAST, "nadam"),
    ("RAdam", {"betas": (0.8, 0.9)}, "RAdam", "in the gradient", "radam"),
    (
        "Adadelta",
        {},
        f"{NO_RULE} go from 0.00316 to 0.0203 lr in 4,000 steps",
        "in the gradient",
        None,
    ),
    (
        "Adafactor",
        {},
        "No rule of this book: each step depends on the other entries of its tensor, too; "
        "matrices go another way than vectors, of which this card is",
        PAST,
        None,
    ),
    (
        "Muon",
        {},
        "Steps of orthogonalized matrices, as Muon's",
        "past the gradient, times lr",
        None,
    ),
    (
        "Rprop",
        {},
        f"{NO_RULE} go from 1 to 5e+06 lr in 4,000 steps at lr = 1e-05",
        "cannot be set",
        None,
    ),
    (
        "ASGD",
        {},
        "Gradient descent, but a step takes 0.0001 lr of each weight, unasked",
        SAME,
        "gradient_descent",
    ),
]
FAULTS = {  # of those: Rprop reads lr once, ASGD a step late, Adafactor divides by a size of 0
    "Rprop": [LR, ZERO],
    "ASGD": [LR, ZERO],
    "Adafactor": ["A tensor of no number raises ZeroDivisionError."],
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "settings", "verdict", "decay", "foretold"), TORCH)
def test_a_card_tells_the_truth_about_torch_optim(name, settings, verdict, decay, foretold):
    card = diagnose(torch_optim(name, **settings))
    assert card.verdict.partition(". ")[0] == verdict
    assert card.properties["weight decay"] == decay
    unknown = "unknown: no rule of the book is like it"
    assert card.properties["foretold by"] == (f"rules.{foretold}" if foretold else unknown)
    assert card.properties.get("foretold within", 0) < 1e-5  # ASGD's own decay: 1e-6
    assert card.faults == FAULTS.get(name, [])


@pytest.mark.slow
def test_numbers_of_adam_come_with_how_far_off_they_may_be():
    settings = {"lr": 3e-3, "betas": (0.83, 0.97), "eps": 1e-5, "weight_decay": 0.2}
    found = diagnose(torch_optim("Adam", **settings)).properties
    for name, true in (("beta1", 0.83), ("beta2", 0.97)):
        value, within = found[name]
        assert abs(value - true) <= max(within, 1e-9) and within < 1e-6
    assert found["size of eps"] == pytest.approx(1e-5, rel=1e-3)
    assert found["weight decay as set"] == 0.2


def own_place(w, g, t, m=0, v=0, *, lr=1e-3, betas=(0.9, 0.999)):
    """Nearly NAdam: another step in between than those of the book's rules."""
    new, m, v = rules.adam(w, g, t, m, v, lr=lr, betas=betas)
    return new - 0.1 * lr * g / (v**0.5 + 1e-8), m, v


@pytest.mark.slow
def test_a_rule_that_is_a_later_one_nearly_is_not_called_so():
    found = diagnose(of_rule(own_place))
    assert not found.properties["foretold by"].startswith("rules.")
    assert "No rule of the book foretells its steps" in found.verdict


@pytest.mark.slow
def test_the_betas_of_nadam_come_with_how_far_off_they_may_be():
    found = diagnose(torch_optim("NAdam", betas=(0.85, 0.99))).properties
    value, within = found["beta1"]
    assert value == 0.85 and 1e-6 < within < 1e-3  # its share of the newest gradient still moves
    assert found["with the settings"] == "betas (0.85, 0.99), eps 1e-08, momentum_decay 0.004"
    assert found["the same in torch.optim"].startswith("NAdam(lr=0.002, betas=(0.85, 0.99)")


class LosesItsPlace(optim.ScheduleFree):
    """Its train() does not undo its eval()."""

    def train(self):
        for group in self.param_groups:
            group["train_mode"] = True


@pytest.mark.slow
def test_modes_that_move_the_weights_are_told_and_that_they_do_not_come_back():
    answers = {optim.ScheduleFree: "moves the weights, train() back"}
    answers[LosesItsPlace] = "moves the weights, and train() does not take them back"
    for cls, answer in answers.items():
        card = diagnose(cls)
        assert card.properties["eval()"] == answer
        assert card.faults == ([f"eval() {answer}."] if cls is LosesItsPlace else [])
    assert "eval()" not in diagnose(torch.optim.SGD).properties


OURS = ["GradientDescent", "Momentum", "Nesterov", "AdaGrad", "RMSProp", "Adam", "AdamW"]
OURS += ["AMSGrad", "AdaMax", "Lion", "NAdam", "RAdam", "ScheduleFree"]


@pytest.mark.slow
@pytest.mark.parametrize("name", OURS)
def test_no_fault_is_found_in_ours(name):
    card = diagnose(lambda params, **given: getattr(optim, name)(params, engine="plain", **given))
    assert not card.faults and card.properties["foretold within"] < 1e-8
    like = {"GradientDescent": "Gradient descent", "Nesterov": "Gradient descent with Nesterov"}
    like["Momentum"] = "Gradient descent with momentum 0.9"
    like["ScheduleFree"] = "Schedule-Free AdamW"
    assert card.verdict.startswith(like.get(name, name))


#: mutant: (how its verdict goes on after "Adam, but " or "AdamW, but ", its faults).
KNOWN = {
    "no correction": ("no correction of the two means", []),
    "only m corrected": ("the mean of the gradients alone is corrected", []),
    "only v corrected": ("the mean of their size alone is corrected", []),
    "multiplied, not divided": (
        "the means are multiplied by 1 - beta**t instead of divided",
        ["The means are multiplied by 1 - beta**t, not divided."],
    ),
    "clock one ahead": ("at step t the correction counts t + 1", [CLOCK.format("t + 1")]),
    "clock stuck at 1": ("at step t the correction counts 1", [CLOCK.format("1")]),
    "clock counts two tensors": ("at step t the correction counts 2 t", [CLOCK.format("2 t")]),
    "eps inside the root": ("eps inside the root", []),
    "eps before the correction": (
        "eps before the correction: 31.6 times larger at the first step",
        [],
    ),
    "eps added to the weight": (
        "no eps; along random gradients its steps are off by 0.001 of one; "
        "every step adds 1e-05 lr, whatever the gradient",
        [NANS, "A part of each step is the same whatever the gradient."],
    ),
    "no eps": ("no eps", [NANS]),
    "no root": ("divided by a fading mean of the squares", []),
    "no square": ("divided by the root of a fading mean of the sizes", []),
    "betas swapped": ("the direction fades more slowly than the size (betas swapped?)", []),
    "a sum in place of a mean": ("a steady step is 10 lr long", []),
    "m squared in place of g": (
        f"divided by the root of a fading mean of the squared mean of the gradients; {OWN}",
        [],
    ),
    "v starts at 1": ("the memory of size starts at 1", []),
    "decay of the other sign": (None, ["weight_decay lets weights grow."]),
    "decay without lr": (
        None,
        ["The decay does not scale with lr: a step takes 0.01 of a weight."],
    ),
    "decay never": (None, ["weight_decay has no effect."]),
    "decay in the gradient": (None, []),
    "decay after the step": (None, []),
    "g in place of m": (None, []),
}
DECAY = {
    "decay of the other sign": "of the wrong sign: weights grow",
    "decay without lr": "past the gradient, not times lr",
    "decay never": "no effect",
    "decay in the gradient": "in the gradient",
    "decay after the step": "past the gradient, times lr (the step, then decay)",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_a_card_names_the_fault_of_each_mutant(name):
    card, (but, faults) = diagnose(of_rule(mutant(name))), KNOWN[name]
    start, _, rest = card.verdict.partition(". Weight decay: ")
    if name == "g in place of m":
        assert start == "Adam without a memory of direction"
    else:
        assert start.removeprefix("Adam").removeprefix("W") == (f", but {but}" if but else "")
    assert rest.startswith(DECAY.get(name, "in the gradient") + ".")
    assert card.faults == faults


def cautious(w, g, t, m=0, *, lr=1e-3, weight_decay=0.1):
    """Decay only where the step goes the same way."""
    m = 0.9 * m + 0.1 * g
    return w - lr * m - lr * weight_decay * w * (m * w > 0), m


def signed(w, g, t, *, lr=1e-3):
    """Step by the sign of the newest gradient."""
    return (w - lr * ((g > 0) * 1.0 - (g < 0) * 1.0),)


def looking_back(w, g, t, v=0, slow=0, *, lr=1e-3, weight_decay=0.1):
    """AdamW's decay under a pull that comes every third step."""
    slow = w if t == 1 else slow
    v = 0.99 * v + 0.01 * g**2
    w = w - lr * weight_decay * w - lr * g / (v / (1 - 0.99**t)) ** 0.5
    w, slow = (w, slow) if t % 3 else ((w + slow) / 2, (w + slow) / 2)
    return w, v, slow


def corrected_mean(w, g, t, m=0, *, lr=1e-3, weight_decay=0.1):
    """Decay in the gradient, of which the step is a corrected mean."""
    m = 0.9 * m + 0.1 * (g + weight_decay * w)
    return w - lr * m / (1 - 0.9**t), m


def rounded(w, g, t, *, lr=1e-3):
    """Steps of float64 weights in float32."""
    return ((w.float() - lr * g.float()).to(w.dtype),)


def decay_last(w, g, t, *, lr=1e-3, weight_decay=0.1):
    """Long steps, as a gradient is, then a decay."""
    return ((w - 300 * lr * g) * (1 - lr * weight_decay),)


def undone(w, g, t, m=0, v=0, *, lr=1e-3, weight_decay=0.1):
    """Adam with a decay in the gradient that is taken back from the step."""
    new, m, v = rules.adam(w, g + weight_decay * w, t, m, v, lr=lr)
    return new + lr * weight_decay * w, m, v


def clipped(w, g, t, m=0, v=0, *, lr=1e-3):
    """Adam along gradients between -7 and 7."""
    return rules.adam(w, g.clamp(-7, 7), t, m, v, lr=lr)


def by_rows(w, g, t, *, lr=1e-3):
    """Steps of a matrix by its rows' sizes, of a vector by its entries'."""
    size = (g**2).mean(-1, keepdim=True) if g.dim() > 1 else g**2
    return (w - lr * g / (size**0.5 + 1e-30),)


def in_halves(w, g, t, *, lr=1e-3):
    """Gradient descent that loses large gradients, as numbers of 16 bits do."""
    return (w - lr * g.half().to(w.dtype),)


def pulled(w, g, t, slow=0, *, lr=1e-3):
    """Gradient descent that goes half of the way back at every sixth step."""
    slow, w = (w if t == 1 else slow), w - lr * g
    w, slow = (w, slow) if t % 6 else ((w + slow) / 2, (w + slow) / 2)
    return w, slow


def by_chance(w, g, t, *, lr=1e-3):
    """Gradient descent with steps of a random length."""
    return (w - lr * g * (1 + torch.rand_like(g)),)


def by_norm(w, g, t, *, lr=1e-3):
    """Steps of one length by tensor."""
    return (w - lr * g / (g**2).mean() ** 0.5,)


@pytest.mark.parametrize(
    ("rule", "answers"),
    [
        (cautious, {"weight decay": "past the gradient, in some steps"}),
        (signed, {"direction": "a sign", "divided by": "its own size"}),
        (looking_back, {"weight decay": "past the gradient, times lr"}),
        (corrected_mean, {"weight decay": "in the gradient"}),
        (rounded, {"float64 weights": "are stepped in float32"}),
        (by_norm, {"a step depends on": ["the other entries of its tensor"]}),
        (
            by_norm,
            {"direction": "unknown: steps or gradients of a tensor are scaled to one length"},
        ),
        (decay_last, {"weight decay": "past the gradient, times lr"}),
        (decay_last, {"order": "the step, then decay"}),
        (undone, {"weight decay": "by a rule of its own: neither in the gradient nor past it"}),
        (clipped, {"foretold by": "rules.adam, gradients clipped at 7"}),
        (by_rows, {"a step depends on": "its own gradients alone"}),
        (pulled, {"another step comes every": 6, "that one, in lr": -2.0}),
        (by_chance, {"chance has a part": "yes"}),
        (in_halves, {"steps are not finite from a gradient of": 1e6}),
    ],
)
def test_answers_on_rules_of_other_kinds(rule, answers):
    found = diagnose(of_rule(rule)).properties
    assert {name: found[name] for name in answers} == answers


def test_a_matrix_that_walks_otherwise_is_told():
    assert "matrices go another way than vectors" in diagnose(of_rule(by_rows)).verdict


class Careless(torch.optim.SGD):
    """Scales .grad in place, has one clock, keeps a scale for all, loses its buffer."""

    def __init__(self, params, lr=1e-2, **anything):
        super().__init__(params, lr)
        self.steps = 0

    def step(self, closure=None):
        self.steps += 1
        for group in self.param_groups:
            for place, w in enumerate(group["params"]):
                if w.grad is not None:
                    w.grad /= 1 - 0.9**self.steps
                    w.data -= self.defaults["lr"] * (1 + place) * w.grad


class DecaysByPlace(torch.optim.Adam):
    """Adds the tensor's place in the list, in place of the weight, times the decay."""

    def step(self, closure=None):
        for group in self.param_groups:
            for place, w in enumerate(group["params"], 1):
                w.grad = w.grad + group["weight_decay"] * place
        with torch.no_grad():
            rate = [group["weight_decay"] for group in self.param_groups]
            for group in self.param_groups:
                group["weight_decay"] = 0
            super().step()
            for group, decay in zip(self.param_groups, rate, strict=True):
                group["weight_decay"] = decay


@pytest.mark.slow
def test_a_decay_by_the_wrong_thing_is_found():
    said = diagnose(DecaysByPlace).faults
    assert "weight_decay adds what does not depend on the weight." in said
    assert any(x.startswith("Decay changes with the place in the list, by") for x in said)


def test_faults_of_the_contract_are_found():
    said = " ".join(diagnose(Careless).faults)
    for words in (
        LR,
        GROUP,
        "Gradients after a step: changed.",
        "A closure is called 0 times.",
        "Any keyword is accepted",
        "Gradients after a step, bfloat16: changed.",
        "Steps change with the place in the list",
        "A run resumed from a file, float32, is off by",
        "After 300 steps without a gradient a tensor's longest step is 0.",
        "weight_decay has no effect.",
    ):
        assert words in said, words


class Unwritten(torch.optim.SGD):
    """Has a clock for all, a decay by lr over the first lr, and a buffer that only step 1 fills;
    its buffers are nested, and it cannot go on with one that was decayed."""

    def __init__(self, params, lr=1e-2, weight_decay=0.0):
        super().__init__(params, lr)
        self.steps = 0
        for group in self.param_groups:
            group |= {"weight_decay": weight_decay, "first": lr}

    @torch.no_grad()
    def step(self, closure=None):
        self.steps += 1
        for group in self.param_groups:
            for w in (w for w in group["params"] if w.grad is not None):
                if not self.state[w]:
                    self.state[w]["own"] = {"scale": torch.empty(w.shape)}
                    self.state[w]["own"]["sum"] = group["weight_decay"] * w
                own = self.state[w]["own"]
                own["scale"].fill_(1.0) if self.steps == 1 else None
                w.mul_(1 - group["weight_decay"] * group["lr"] / group["first"])
                w.sub_(group["lr"] * own["scale"] * w.grad)


class Heeds(torch.optim.SGD):
    """Learns more slowly the larger the loss."""

    def step(self, closure=None):
        loss = 0.0 if closure is None else float(closure())
        for group in self.param_groups:
            group["lr"] = self.defaults["lr"] / (1 + loss)
        super().step()


def test_a_closure_whose_losses_count_is_told():
    found = diagnose(Heeds)
    assert "with a closure its steps follow the losses" in found.verdict
    assert diagnose(torch.optim.SGD).properties["steps with a closure"].startswith("do not")


def test_what_only_a_second_look_finds():
    card = diagnose(Unwritten)
    assert card.properties["weight decay"] == "past the gradient, times lr over the first lr"
    assert card.properties["buffers of bfloat16 weights"] == "bfloat16, float32"
    assert any(fault.startswith("A group added later") for fault in card.faults)
    chance = "are of a length by chance, from memory that was never written"
    assert any(chance in fault for fault in card.faults)


@pytest.mark.slow
def test_a_card_says_what_to_type_in_torch_optim():
    settings = {"lr": 0.02, "momentum": 0.75, "nesterov": True, "weight_decay": 0.1}
    for name, given in {
        "SGD": settings,
        "AdamW": {"lr": 0.003, "betas": (0.8, 0.97), "eps": 1e-6, "weight_decay": 0.3},
        "RMSprop": {"lr": 0.02, "alpha": 0.9, "eps": 1e-7},
    }.items():
        text = diagnose(torch_optim(name, **given)).properties["the same in torch.optim"]
        assert text == f"{name}({', '.join(f'{key}={x!r}' for key, x in given.items())})"
    late = diagnose(of_rule(mutant("decay after the step"))).properties
    assert "the same in torch.optim" not in late


class Elsewhere(Foreign):
    """An optimizer of a library of NumPy arrays: gradient descent with a decay of its own."""

    source = staticmethod(lambda learning_rate, shrink=1e-3: None)

    def begin(self, old, lr, settings):
        return None

    def advance(self, number, old, grads, lr, settings):
        shrink = settings.get("shrink", 1e-3)
        return [w - lr * (g + shrink * w) for w, g in zip(old, grads, strict=True)]


def test_another_library_is_asked_what_its_interface_has():
    card = diagnose(Elsewhere)
    assert card.verdict.startswith("Gradient descent, but a step takes 0.001 lr of each weight")
    assert not card.faults
    assert card.properties["weight decay"] == "cannot be set"
    left_out = "resumed", "closure", "bfloat16", "pauses", "as a tensor", "deep copy", "misspelled"
    assert not [name for name in card.properties for word in left_out if word in name]


@pytest.mark.slow
def test_eps_is_not_taken_for_a_part_of_the_learning_rate():
    found = diagnose(torch_optim("Adam", eps=1e-3)).properties
    assert found["foretold within"] < 1e-6  # eps is measured to four digits
    assert found["the same in torch.optim"] == "Adam(lr=0.001, betas=(0.9, 0.999), eps=0.001)"


@pytest.mark.slow
def test_a_decay_in_a_damped_momentum_is_in_the_gradient():
    found = diagnose(torch_optim("SGD", lr=0.1, momentum=0.9, dampening=0.9)).properties
    assert found["weight decay"] == "in the gradient"


def by_sign_of_a_mean(w, g, t, m=0, *, lr=1e-3):
    """The sign of a mean, as Lion takes."""
    c = 0.9 * m + 0.1 * g
    m = 0.99 * m + 0.01 * g
    return w - lr * ((c > 0) * 1.0 - (c < 0) * 1.0), m


@pytest.mark.slow
def test_what_an_infinite_gradient_leaves_behind():
    answers = {
        by_sign_of_a_mean: "drives its weight one way for good",
        signed: "is forgotten",
        rules.momentum: "spoils its weight",
    }
    for rule, answer in answers.items():
        assert diagnose(of_rule(rule)).properties["an infinite gradient"] == answer


@pytest.mark.slow
def test_two_cards_say_how_they_differ():
    adam, adamw = diagnose(of_rule(rules.adam)), diagnose(of_rule(rules.adamw))
    said = adam.against(adamw)
    assert "weight decay: in the gradient, there past the gradient, times lr" in said
    assert not adam.against(adam) and not [
        line for line in said if line.startswith(("beta", "eps"))
    ]


def test_what_cannot_be_told_is_called_unknown():
    class Silent(torch.optim.SGD):
        def step(self, closure=None):
            """Do nothing."""

    found = diagnose(Silent)
    assert found.properties["direction"] == "unknown: no step under a constant gradient"
    assert found.verdict.startswith("No rule of this book")
    with pytest.raises(ValueError, match="needs a learning rate lr > 0, got 0"):
        diagnose(torch_optim("SGD", lr=0.0))


@pytest.mark.slow
def test_the_shell_prints_and_stores_a_card(tmp_path):
    file = tmp_path / "card.json"
    words = ["torch.optim:AdamW", "lr=1e-3", "weight_decay=0.1", "--json", str(file)]
    command = [sys.executable, "-m", "adamlib.diagnose"]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("torch.optim:AdamW lr=1e-3 weight_decay=0.1\nAdamW. Weight decay")
    card = json.loads(file.read_text(encoding="utf-8"))
    assert card["faults"] == [] and card["properties"]["beta1"]["value"] == pytest.approx(0.9)
    for words, said in (
        (["nothing:Here"], "no optimizer 'nothing:Here'"),
        (["torch"], "module:name"),
    ):
        done = subprocess.run([*command, *words], capture_output=True, text=True)
        assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr
    done = subprocess.run(
        [*command, "torch.optim:Adam", "lr=1", "lr=2"], capture_output=True, text=True
    )
    assert done.returncode == 2 and "got 'lr' twice" in done.stderr
    words = ["torch.optim:Adam", "--json", str(tmp_path / "no" / "card.json")]
    done = subprocess.run([*command, *words], capture_output=True, text=True)
    assert done.returncode == 2 and "a folder that is there" in done.stderr

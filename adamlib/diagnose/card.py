"""`diagnose`: all experiments on one optimizer, and the card that comes of them."""

import json
from dataclasses import dataclass

from adamlib.diagnose import contract, couplings, edges, late, memories, walks
from adamlib.diagnose.correction import correction, epsilon
from adamlib.diagnose.decay import decay
from adamlib.diagnose.faults import faults
from adamlib.diagnose.lab import Lab, Measured, UnknownError
from adamlib.diagnose.portrait import portrait
from adamlib.diagnose.verdict import verdict


@dataclass
class Card:
    """What experiments have shown of an optimizer.

    verdict: in a sentence or two. faults: sentences, none where nothing is wrong. properties: the
    answers by name; a `Measured` has a value and how far from it the true one may be, and an answer
    that could not be had begins with "unknown".
    """

    verdict: str
    faults: list
    properties: dict

    def __str__(self):
        lines = [self.verdict, *(f"Fault: {fault}" for fault in self.faults), ""]
        for name, value in self.properties.items():
            if isinstance(value, dict):
                value = ", ".join(f"{key}: {x:g}" for key, x in value.items())
            elif isinstance(value, list):
                value = ", ".join(value)
            lines.append(
                f"  {name}: {value:g}" if isinstance(value, float) else f"  {name}: {value}"
            )
        return "\n".join(lines)

    def json(self):
        """Return the card as JSON text; a `Measured` becomes {"value": ..., "within": ...}."""
        properties = {
            name: value._asdict() if isinstance(value, Measured) else value
            for name, value in self.properties.items()
        }
        card = {"verdict": self.verdict, "faults": self.faults, "properties": properties}
        return json.dumps(card, indent=1, ensure_ascii=False)

    def against(self, other):
        """Return sentences on how this optimizer differs from that of another card."""
        said = []
        for name in {**self.properties, **other.properties}:
            if name in SAID_ELSEWHERE:
                continue
            mine, theirs = (card.properties.get(name, "not there") for card in (self, other))
            if differ(mine, theirs):
                said.append(f"{name}: {shown(mine)}, there {shown(theirs)}")
        return said


SAID_ELSEWHERE = ("foretold within", "steps a second, over torch.optim.Adam's loop")


def differ(one, other):
    """Whether two answers differ by more than rounding."""
    if isinstance(one, Measured) and isinstance(other, Measured):
        return abs(one.value - other.value) > 1e-3 * (1 - max(one.value, other.value)) + 1e-9
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) > 1e-4 * max(abs(one), abs(other)) and max(one, other) > 1e-6
    if isinstance(one, dict) and isinstance(other, dict):
        return any(differ(one[t], other[t]) for t in one.keys() & other.keys())
    return one != other


def shown(value):
    """Return an answer as words."""
    return (
        ", ".join(f"{k}: {x:g}" for k, x in value.items())
        if isinstance(value, dict)
        else (f"{value:g}" if isinstance(value, float) else str(value))
    )


def diagnose(factory):
    """Return the `Card` of an optimizer, found by running it on tiny tensors for a few seconds.

    factory: a class of torch.optim's interface or what makes such an optimizer of a list of
    weights or of groups; best with keywords, such as lr and weight_decay, which experiments set.
    `adapters` makes one of a rule, an optax transformation or a Keras optimizer. No source is
    read. The numbers are float64's.

    Raises ValueError for an optimizer without a learning rate, and what the factory raises.
    """
    lab, known = Lab(factory), {}

    def ask(experiment, *arguments):
        """Add the answers of an experiment to what is known, or why there are none."""
        try:
            found = experiment(*arguments)
        except UnknownError as why:
            known[experiment.__name__] = f"unknown: {why}"
        except Exception as error:
            words = (str(error).strip() or "-").splitlines()[0][:120]
            known[experiment.__name__] = f"unknown: raises {type(error).__name__}, {words}"
        else:
            known.update(found[0] if isinstance(found, tuple) else found)
            return found
        return None

    ask(couplings.shapes, lab)
    ask(couplings.couplings, lab)
    try:
        steps = walks.walks(lab)
    except Exception as error:
        known["direction"] = f"unknown: {error or type(error).__name__}"
        steps = None
    if steps is not None:
        ask(walks.lengths, lab, steps)
        if found := ask(memories.direction, steps):
            ask(memories.size, steps, known, found[1], lab.growth)
        if "divided by" in known:
            ask(correction, steps, known)
        if known.get("divided by") != "nothing":
            ask(epsilon, lab, known)
        ask(drift, lab)
        ask(portrait, lab, known)
    ask(decay, lab, known)
    ask(couplings.invariances, lab)
    for name, question in {**contract.QUESTIONS, **edges.QUESTIONS, **late.QUESTIONS}.items():
        try:
            known[name] = question(lab)
        except UnknownError:
            continue  # it has no such setting
        except Exception as error:
            known[name] = f"raises {type(error).__name__}"
    return Card(verdict(known), faults(known), known)


def drift(lab):
    """How far a weight goes in a step whatever the sign of its gradient, at 0 and at 1."""
    if not lab.elementwise:
        return {}
    at0, at1 = (walks.drift(lab, start=start, **lab.bare) for start in (0.0, 1.0))
    found = {"drift in a step, in lr": float(f"{at0:.3g}") if abs(at0) > 1e-7 else 0.0}
    if abs(at1 - at0) > 1e-7:
        found["share of a weight that goes unasked in a step, per lr"] = float(f"{at1 - at0:.3g}")
    return found

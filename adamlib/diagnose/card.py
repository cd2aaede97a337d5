"""An identity card: what was found, as text, as JSON, beside another card."""

from dataclasses import dataclass

from adamlib import files
from adamlib.diagnose.lab import Measured


@dataclass
class Card:
    """What experiments have shown of an optimizer.

    verdict: in a sentence or two. faults: sentences, none where nothing is wrong. properties: the
    answers by name; a `Measured` has a value and how far from it the true one may be, and an answer
    that could not be had begins with "unknown".
    """

    verdict: str
    faults: list[str]
    properties: dict

    def __str__(self) -> str:
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

    def json(self) -> str:
        """Return the card as JSON text; a `Measured` becomes {"value": ..., "within": ...}."""
        properties = {
            name: value._asdict() if isinstance(value, Measured) else value
            for name, value in self.properties.items()
        }
        card = {"verdict": self.verdict, "faults": self.faults, "properties": properties}
        return files.as_json(card)

    def against(self, other: "Card") -> list[str]:
        """Return sentences on how this optimizer differs from that of another card."""
        said = []
        for name in {**self.properties, **other.properties}:
            if name in SAID_ELSEWHERE:
                continue
            mine, theirs = (card.properties.get(name, "not there") for card in (self, other))
            eps = name == "size of eps" and isinstance(mine, float) and isinstance(theirs, float)
            if differ(mine, theirs) or (eps and abs(mine - theirs) > 1e-3 * max(mine, theirs)):
                said.append(f"{name}: {shown(mine)}, there {shown(theirs)}")
        theirs = "and there not" if other.faults else "and there none"
        return said + [f"fault: {x} ({theirs})" for x in self.faults if x not in other.faults]


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

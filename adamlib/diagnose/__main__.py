"""python -m adamlib.diagnose torch.optim:AdamW lr=1e-3 weight_decay=0.1"""

import argparse
import ast
import importlib
import sys
from functools import partial
from pathlib import Path

from adamlib import files
from adamlib.diagnose import diagnose
from adamlib.diagnose.adapters import of_rule

KIND = "module:name of a class, or of a rule of adamlib.rules"


def named(text, settings):
    """Return the factory that "module:name" stands for; a function of a rule's form becomes one.

    Raises ValueError where there is no such name.
    """
    module, colon, name = text.partition(":")
    if not colon or not module or not name:
        raise ValueError(f"an optimizer is written as module:name, got {text!r}")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"no optimizer {text!r}: {error}") from None
    if not isinstance(found, type) and module.endswith("rules"):
        found = of_rule(found)
    return partial(found, **settings)


def value(text):
    """Return what a setting stands for, a number, True, a tuple, or the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def main():
    parser = argparse.ArgumentParser(
        prog="python -m adamlib.diagnose",
        description="Prints the identity card of an optimizer, found by running it.",
    )
    parser.add_argument("optimizer", help=KIND)
    parser.add_argument("settings", nargs="*", help="of its constructor, as name=value")
    parser.add_argument("--against", metavar="OTHER", help="say how it differs from this one")
    parser.add_argument("--json", metavar="FILE", help="store the card as JSON, too")
    options = parser.parse_args()
    pairs = [setting.partition("=") for setting in options.settings]
    if bad := [name for name, equals, _ in pairs if not equals or not name]:
        parser.error(f"a setting is written as name=value, got {bad[0]!r}")
    settings = {name: value(text) for name, _, text in pairs}
    try:
        card = diagnose(named(options.optimizer, settings))
        if options.against:
            other = diagnose(named(options.against, {}))
    except (ValueError, TypeError) as error:
        sys.exit(f"{options.optimizer}: {error}")
    print(f"{options.optimizer} {' '.join(options.settings)}".strip())
    if options.against:
        differences = card.against(other)
        print(
            card.verdict,
            f"\n\nIt differs from {options.against} in",
            f"{len(differences)} answers:",
        )
        print(*(f"  {line}" for line in differences), sep="\n")
    else:
        print(card)
    if options.json:
        files.write(Path(options.json).expanduser(), card.json() + "\n")


if __name__ == "__main__":
    main()

"""python -m adamlib.diagnose torch.optim:AdamW lr=1e-3 weight_decay=0.1"""

import argparse
import ast
import importlib
import sys
from functools import partial

from adamlib import files
from adamlib.diagnose import diagnose
from adamlib.diagnose.adapters import of_rule
from adamlib.diagnose.examination import described

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


def carded(name, pairs):
    """Return the card of the optimizer; exit with one line where it cannot be made."""
    try:
        return diagnose(named(name, {key: value(text) for key, _, text in pairs}))
    except Exception as error:  # of a constructor or a module of anybody's
        sys.exit(f"{name}: {error if isinstance(error, ValueError) else described(error)}")


def main():
    parser = argparse.ArgumentParser(
        prog="python -m adamlib.diagnose",
        description="Prints the identity card of an optimizer, found by running it.",
    )
    parser.add_argument("optimizer", help=KIND)
    parser.add_argument("settings", nargs="*", help="of its constructor, as name=value")
    parser.add_argument(
        "--against", metavar="OTHER", help="say how it differs from this one, 'name setting=value'"
    )
    parser.add_argument("--json", metavar="FILE", help="store the card as JSON, too")
    options = parser.parse_args()
    pairs = [setting.partition("=") for setting in options.settings]
    if bad := [name for name, equals, _ in pairs if not equals or not name]:
        parser.error(f"a setting is written as name=value, got {bad[0]!r}")
    names = [name for name, _, _ in pairs]
    if twice := [name for name in names if names.count(name) > 1]:
        parser.error(f"a setting is given once, got {twice[0]!r} twice")
    file = files.path_of(options.json) if options.json else None
    if file and (file.is_dir() or not file.parent.is_dir()):
        parser.error(f"--json must name a file in a folder that is there, got {options.json!r}")
    against, *theirs = options.against.split() if options.against else [None]
    card = carded(options.optimizer, pairs)
    other = carded(against, [word.partition("=") for word in theirs]) if against else None
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
        files.write(file, card.json())
    if card.verdict.startswith("It takes no step"):
        sys.exit(1)


if __name__ == "__main__":
    main()

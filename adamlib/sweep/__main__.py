"""The sweep from the shell: `python -m adamlib.sweep adam lr=log:1e-4:1`."""

import argparse
import tempfile
from functools import partial
from inspect import getmembers, isfunction, signature

from adamlib import files, rules
from adamlib.bench.report import table
from adamlib.sweep import run, tasks
from adamlib.sweep.trials import check

TAKES = {name: {*signature(x).parameters} for name, x in getmembers(rules, isfunction)}
RULES = [name for name, takes in TAKES.items() if "t" in takes and "eigh" not in takes]
SPACE = "NAME=SCALE:LOW:HIGH (linear, log, or log1m: log of 1 - x) or NAME=choice:A:B:C"


def parse(arguments):
    """Return (parser, options) of the command line."""
    form = {"formatter_class": argparse.ArgumentDefaultsHelpFormatter, "description": main.__doc__}
    parser = argparse.ArgumentParser("python -m adamlib.sweep", **form)
    add = parser.add_argument
    add("rule", choices=RULES, metavar="RULE", help=", ".join(RULES))
    add("space", nargs="*", default=["lr=log:1e-4:10"], metavar="SPACE", help=SPACE)
    add("--task", choices=("mlp", "convnet"), default="mlp", help="mlp: a stack of 64-32-10")
    add("--trials", type=int, default=100, help="how many settings to try")
    add("--epochs", type=int, default=10, help="passes over the training images of the digits")
    add("--seed", type=int, default=0, help="of the settings, the weights and the batches")
    add("--jobs", type=int, help="processes at once, by joblib; None is this one alone")
    add("--output", type=files.path_of, metavar="FOLDER", help="to keep the trials, and to go on")
    add(
        "--by", choices=tasks.RESULTS, default=tasks.RESULTS[0], help="of which the best have least"
    )
    return parser, parser.parse_args(arguments)


def dimension(argument):
    """Return (name, parts) of a space of one name; raise ValueError for another form."""
    name, _, rest = argument.partition("=")
    scale, *texts = rest.split(":")
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        raise ValueError(f"a space must be {SPACE}, got {argument!r}") from None
    return name, (scale, numbers) if scale == "choice" else (scale, *numbers)


def best(records, by, count=10):
    """Return a table of the best trials, the lowest first, as text."""
    done = [x for x in records if x["error"] is None]
    good = [x for x in done if x["result"][by] is not None]
    counts = f"{len(done) - len(good)} diverged, {len(records) - len(done)} failed"
    numbers = {x["trial"]: (*x["settings"].values(), *x["result"].values()) for x in good}
    order = [x["trial"] for x in sorted(good, key=lambda x: x["result"][by])[:count]]
    rows = {f"trial {i}": [f"{number:.4g}" for number in numbers[i]] for i in order}
    head = [f"{name:>10}" for name in (*records[0]["settings"], *tasks.RESULTS)]
    return table(f"{len(records)} trials, {counts}; the best by {by}", head, rows)


def main(arguments=None):
    """Train networks on the digits with random settings of a rule; print the best trials."""
    parser, options = parse(arguments)
    told = {name: getattr(options, name) for name in ("rule", "epochs", "seed")}
    task, stack = partial(getattr(tasks, options.task), **told), {"mlp": 100}.get(options.task)
    how = {"seed": options.seed, "jobs": options.jobs, "stack": stack}
    try:
        check(task, epochs=options.epochs)
        space = dict(map(dimension, options.space))
        tasks.hyperparameters(options.rule, space)
        with tempfile.TemporaryDirectory() as folder:
            records = run(task, space, options.trials, options.output or folder, **how)
    except (ValueError, OSError, ImportError) as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        parser.exit(130, f"stopped; trials are kept in {options.output or 'no folder'}\n")
    print(best(records, options.by))
    if errors := {x["error"] for x in records} - {None}:
        parser.exit(1, f"{parser.prog}: trials failed: {min(errors)}\n")


if __name__ == "__main__":
    main()

"""Regenerate adamlib/results/: `python -m experiments depth` one record, without a name all.

All of them take about four hours on one CPU core. Chapters draw these files.
"""

import argparse
from importlib import import_module

from adamlib import data
from experiments.record import store

NAMES = ("bias_correction", "convnet", "precision", "epoch", "batch_scaling", "schedules")
NAMES += ("workers", "depth", "full_batch", "the_paper", "stacks", "race", "weight_decay", "edge")
NAMES += ("why_adam", "why_adam_second", "why_adam_whole", "after_adam", "others")
ON_CPU = ("epoch", "workers", "the_paper", "stacks", "race", "weight_decay")
ON_CPU += ("why_adam", "why_adam_second", "why_adam_whole", "after_adam", "others")


def main():
    parser = argparse.ArgumentParser("python -m experiments", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NAMES)}; none means all")
    names = parser.parse_args().names or list(NAMES)
    if unknown := set(names) - set(NAMES):
        parser.error(f"names must be of {list(NAMES)}, got {sorted(unknown)}")
    for name in names:
        digits = data.load(device="cpu" if name in ON_CPU else "auto")
        record = import_module(f"experiments.{name}").measured(digits)
        store(name, record, digits.x_train.device)


if __name__ == "__main__":
    main()

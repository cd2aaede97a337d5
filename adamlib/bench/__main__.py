"""The bench from the shell: `python -m adamlib.bench --help`."""

import argparse
import os
import re
import shlex
import sys
import time
from contextlib import suppress
from functools import partial

import torch
from tqdm import tqdm

from adamlib import data, files
from adamlib.bench import measure, others, report
from adamlib.bench.cases import CASES
from adamlib.engine import compiler


def parse(arguments):
    """Return the options of the command line; wrong ones end the program with a message."""
    with suppress(AttributeError):  # signs that a terminal lacks come as question marks
        sys.stdout.reconfigure(errors="replace")
    parser = argparse.ArgumentParser("python -m adamlib.bench", description=main.__doc__)
    flag, cores = parser.add_argument, report.cores()
    flag("--quick", action="store_true", help="less of everything, in a minute")
    flag("--case", nargs="+", choices=CASES, metavar="NAME", help=f"only these: {', '.join(CASES)}")
    flag("--threads", nargs="+", type=int, help="of the processor; 1 and 2, or 1 for CUDA")
    flag("--device", choices=("auto", "cpu", "cuda"), default="auto", help="CUDA if there is one")
    flag("--output", type=files.path_of, help="a .json file, or a folder for bench-DEVICE.json")
    options = parser.parse_args(arguments)
    if options.device == "auto":
        options.device = "cuda" if torch.cuda.is_available() else "cpu"
    if options.threads is None:
        options.threads = [1, 2][:cores] if options.device == "cpu" else [1]
    if not all(1 <= count <= cores for count in options.threads):
        parser.error(f"threads must be from 1 to {cores}, the cores here, got {options.threads}")
    try:
        data.pick_device(options.device)
    except ValueError as error:
        parser.error(str(error))
    if options.output and not (options.output.is_dir() or options.output.parent.is_dir()):
        parser.error(f"output must lie in a folder that exists, got {options.output}")
    if not compiler.installed("numba"):
        parser.error("the bench needs numba: pip install numba")
    return options


def jobs(options):
    """Return a list of (part of the record, what to show meanwhile, function that measures it)."""
    quick, threads, device = options.quick, options.threads, options.device
    rounds, few = (3, 2) if quick else (7, 5)
    found = []

    def add(part, label, measurement, *arguments):
        found.append((part, label, partial(measurement, *arguments)))

    for case in options.case or (["ConvNet", "2,000 × 1k"] if quick else CASES):
        for k in threads:
            add("step", f"{case} [{k}]", measure.step, case, k, device, rounds, not quick)
    if options.case:
        return found
    for n in [round(10 ** (k / 2)) for k in range(6, 13 if quick else 17)]:
        add("parameters", f"{n:,} parameters", measure.growth, [(n,)], threads[0], device, few)
    for n in [4**k for k in range(5 if quick else 7)]:
        add("tensors", f"{n:,} tensors", measure.growth, [(1000,)] * n, threads[0], device, few)
    for k in threads:
        add("loop", f"training [{k}]", measure.loop, k, device, 1 if quick else few)
        add("limit", f"memory [{k}]", measure.bandwidth, k, device)
        if device == "cpu":
            add("others", f"Lion and Muon [{k}]", others.others, k, rounds)
    add("numpy", "NumPy", measure.on_numpy, 2_000_000 if quick else 50_000_000, few)
    add("start", "fresh processes", measure.start, device, 1 if quick else 3)
    return found


def measured(options):
    """Return everything that is measured, under a progress bar."""
    record = {}
    form = "{percentage:3.0f}% |{bar:30}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
    with tqdm(jobs(options), bar_format=form) as bar:
        for part, label, measurement in bar:
            bar.set_postfix_str(label)
            record.setdefault(part, []).extend(measurement())
    if "start" in record:
        growth = {key: record.pop(key) for key in ("parameters", "tensors")}
        fit = report.fit([*growth["parameters"], *growth["tensors"]])
        record |= {"growth": {**growth, "fit": fit}, "start": record["start"][0]}
    return record


def main(arguments=None):
    """Measure steps of Adam: every contender on every case. Print tables; write JSON."""
    options = parse(arguments)
    began, threads = time.perf_counter(), torch.get_num_threads()
    given = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "adamlib.bench", *given])
    about = report.about(options.device, options.threads, command)
    if max(about["load"], default=0) > 0.5:
        print("Other programs are running: two threads will look slow.", file=sys.stderr)
    record = {"about": about, **measured(options)}
    torch.set_num_threads(threads)
    about["load"] += report.load()
    about["seconds"] = round(time.perf_counter() - began)
    print(report.tables(record))
    if options.output:
        name = "cpu" if options.device == "cpu" else about["device"].lower()
        folder = options.output / f"bench-{re.sub(r'[^a-z0-9]+', '-', name)}.json"
        path = folder if options.output.is_dir() else options.output
        files.write(path, files.as_json(record))
        print(f"\nwritten: {os.path.relpath(path)}")


if __name__ == "__main__":
    main()

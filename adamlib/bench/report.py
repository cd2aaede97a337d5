"""Where numbers come from, fitted costs, tables for a terminal."""

import importlib.metadata
import os
import platform
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import nnls

PACKAGES = ("torch", "numpy", "numba", "triton", "optax", "jax", "pytorch_optimizer")
PACKAGES += ("lion-pytorch",)
COSTS = ("fixed_us", "per_tensor_us", "per_parameter_ns")


def about(device, threads, command):
    """Return where the numbers come from: device, versions, commit, date and load."""
    git = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    commit = ""
    with suppress(FileNotFoundError):  # no git on this machine
        done = subprocess.run(git, cwd=Path(__file__).parent, capture_output=True, text=True)
        commit = done.stdout.strip()
    record = {
        "command": command,
        "commit": commit,
        "date": time.strftime("%Y-%m-%d"),
        "device": device_name(device),
        "cores": cores(),
        "threads": threads,
        "system": platform.system(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load": load(),
    }
    for package in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            record[package] = importlib.metadata.version(package)
    return record


def load():
    """Return [how many programs wanted to run, over the last minute], [] where nobody knows."""
    return [os.getloadavg()[0]] if hasattr(os, "getloadavg") else []


def device_name(device):
    """Return the name of the GPU or of the processor."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def cores():
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def fit(rows):
    """Return contender -> fixed_us, per_tensor_us, per_parameter_ns of its rows of "growth".

    Least squares of the relative errors, all costs >= 0: the smallest step counts as the largest.
    """
    found = {}
    for name in dict.fromkeys(row["contender"] for row in rows):
        own = [row for row in rows if row["contender"] == name]
        parts = np.array([[1e-6, 1e-6 * row["tensors"], 1e-9 * row["n"]] for row in own])
        seconds = np.array([row["seconds"] for row in own])
        costs, _ = nnls(parts / seconds[:, None], np.ones(len(own)))
        found[name] = dict(zip(COSTS, costs.tolist(), strict=True))
    return found


def tables(record):
    """Return the record as text: a table for each part of it, blank lines between them."""
    parts = [
        step_table(record["step"], case)
        for case in dict.fromkeys(row["case"] for row in record["step"])
    ]
    if "growth" in record:
        rows = {name: list(costs.values()) for name, costs in record["growth"]["fit"].items()}
        title = f"What a step costs, fitted; threads: {record['about']['threads'][0]}"
        parts.append(table(title, ["fixed, µs", "per tensor, µs", "per parameter, ns"], rows))
    if "loop" in record:
        rows, counts = {}, dict.fromkeys(row["threads"] for row in record["loop"])
        for row in record["loop"]:
            rows.setdefault(row["contender"], []).extend((row["step_ms"], row["epoch_s"]))
        head = [text for k in counts for text in (f"step, ms [{k}]", f"epoch, s [{k}]")]
        parts.append(table("While the ConvNet trains [threads]", head, rows))
    cases = dict.fromkeys((row["case"], row["threads"]) for row in record.get("others", ()))
    for case in cases:
        rows = [row for row in record["others"] if (row["case"], row["threads"]) == case]
        cells = {row["contender"]: [row["ms"], row["ratio"]] for row in rows}
        parts.append(table("Other rules: {}, threads: {}".format(*case), ["ms", "× torch"], cells))
    if "numpy" in record:
        plain = record["numpy"][0]
        rows = {row["how"]: [row["ns"], row["ns"] / plain["ns"]] for row in record["numpy"]}
        title = f"The rule on {plain['parameters']:,} parameters in NumPy arrays, one thread"
        parts.append(table(title, ["ns/param", "× plain"], rows))
    if "start" in record:
        rows = {key.removesuffix("_s"): [s] for key, s in record["start"].items()}
        parts.append(table("The first step of a fresh process", ["seconds"], rows))
    return "\n\n".join(parts)


def step_table(rows, case):
    """Return the table of one case: for each number of threads ns, ratio, share of the limit."""
    rows = [row for row in rows if row["case"] == case]
    counts = dict.fromkeys(row["threads"] for row in rows)
    limits = {row["threads"]: row["limit_ns"] for row in rows}
    cells = {"memory, 28 bytes": [x for k in counts for x in (limits[k], "", "")]}
    for row in rows:
        share = f"{row['limit_ns'] / row['ns']:.0%}"
        cells.setdefault(row["contender"], []).extend((row["ns"], row["ratio"], share))
    head = [x for k in counts for x in (f"ns [{k}]", "× fused", "limit")]
    n, tensors = rows[0]["parameters"], rows[0]["tensors"]
    title = f"{case}: {n:,} parameters in {tensors:,} tensors; ns per parameter [threads]"
    return table(title, head, cells)


def table(title, head, rows):
    """Return lines of text: a title, the heads of the columns, and name -> cells."""
    cells = [["", *head]]
    for name, values in rows.items():
        cells.append([name, *(x if isinstance(x, str) else f"{x:.2f}" for x in values)])
    first = max(len(row[0]) for row in cells)
    lines = [title]
    for name, *texts in cells:
        padded = (f"{x:>{len(h) + 2}}" for x, h in zip(texts, head, strict=True))
        lines.append(f"  {name:<{first}}{''.join(padded)}")
    return "\n".join(lines)

"""Kills a process of a run under torchrun, in every way, and compares the weights to the bit.

    python -m experiments.kills    # five minutes on two cores; writes adamlib/results/kills.json

Each process in turn is killed right after a step and in the middle of a save, three times each,
at another step each time; torchrun starts the run again, which goes on from its last checkpoint.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

import torch
from tqdm import tqdm

from adamlib import files
from adamlib.runs import checkpoints

ROOT = Path(__file__).resolve().parent.parent
LAUNCH = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
OPTIONS = ["--epochs", "2", "--batch-size", "256", "--save-every", "2", "--device", "cpu"]
OPTIONS += ["--resume"]
STEPS = {"step": (3, 6, 11), "save": (4, 6, 10)}  # of the 12; all of "save" are saved


def trained(folder, *, kill=None, options=OPTIONS, processes=2):
    """Return the last checkpoint of a run by several processes, of which one may be killed.

    kill: None, or "rank place step" for experiments/killed.py. Raises RuntimeError with what the
    run wrote if it fails.
    """
    program = ["-m", "adamlib.train"] if kill is None else [str(ROOT / "experiments/killed.py")]
    restarts = "0" if kill is None else "1"
    command = [sys.executable, *LAUNCH, str(processes), "--max-restarts", restarts, *program]
    environment = {**os.environ, "KILL": kill or "", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = str(ROOT)
    command += [*options, "--checkpoint", str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{command} failed:\n{done.stderr}")
    if kill is not None and "exitcode: -9" not in done.stderr:
        raise RuntimeError(f"nobody was killed:\n{done.stderr}")
    return checkpoints.read(checkpoints.Checkpoints(folder).newest())


def differing(one, other):
    """Return how many numbers of two runs' weights and buffers differ, be it in one bit."""
    pairs = list(zip(tensors(one), tensors(other), strict=True))
    return sum(bits(a).ne(bits(b)).sum().item() for a, b in pairs)


def bits(tensor):
    """Return the bytes of a tensor."""
    return tensor.flatten().view(torch.uint8)


def tensors(state):
    """Return the weights of a run, and the buffers of its optimizer."""
    buffers = (x for part in state["optimizer"]["state"].values() for x in part.values())
    return [*state["model"].values(), *filter(torch.is_tensor, buffers)]


def main():
    trials = [(r, place, step) for r, place in product((0, 1), STEPS) for step in STEPS[place]]
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        whole = trained(Path(folder) / "whole")
        for rank, place, step in tqdm(trials, unit="kill"):
            path = Path(folder) / f"{rank}-{place}-{step}"
            resumed = trained(path, kill=f"{rank} {place} {step}")
            differ = differing(whole, resumed)
            outcomes.append({"rank": rank, "place": place, "step": step, "bytes_differing": differ})
            print(f"rank {rank} killed at {place} {step}: {differ} bytes differ")
    versions = {"torch": torch.__version__, "python": platform.python_version()}
    command = " ".join(["KILL='rank place step' torchrun", *LAUNCH[2:], "2 --max-restarts 1"])
    command += " ".join([" experiments/killed.py", *OPTIONS, "--checkpoint FOLDER"])
    record = {"command": command, "device": "cpu", "versions": versions, "kills": outcomes}
    files.write(files.RESULTS / "kills.json", json.dumps(record, indent=1) + "\n")
    sys.exit(any(kill["bytes_differing"] for kill in outcomes))


if __name__ == "__main__":
    main()

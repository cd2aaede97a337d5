"""All that needs a GPU in one run of less than eight minutes: `make gpu`.

With the python at hand and without a network: the tests marked gpu, the bench, and chapter 5's
training with each switch of the README. Writes bench-GPU.json to adamlib/results/.
On a CPU, with triton installed, `--interpret` tries the parts and writes nothing.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from adamlib import data, optim
from adamlib.engine.compiler import installed
from adamlib.files import RESULTS, as_json, write
from adamlib.model import ConvNet
from adamlib.train import train

NEEDED = ("torch", "triton", "numba", "numpy", "scipy", "safetensors", "filelock", "requests")
NEEDED += ("tqdm", "pytest")
LIMITS = {"tests": 150, "bench": 270}  # seconds
SWITCHES = {  # name -> (mode of model.compile, precision)
    "eager": (None, "float32"),
    "compiled": ("default", "float32"),
    "CUDA graphs": ("reduce-overhead", "float32"),
    "bf16": (None, "bf16"),
}


def run(part, *arguments, **environment):
    """Return (exit status, output) of a Python program; status None where the time was up."""
    command = [sys.executable, "-m", *arguments]
    options = {"cwd": RESULTS.parents[1], "env": {**os.environ, **environment}, "text": True}
    try:
        done = subprocess.run(command, stdout=-1, stderr=-2, timeout=LIMITS[part], **options)
    except subprocess.TimeoutExpired as late:
        return None, (late.stdout or b"").decode() + f"\nstopped after {LIMITS[part]} s"
    return done.returncode, done.stdout


def tests(interpret):
    """Return what pytest says of the tests marked gpu: its last line, and what failed."""
    workers = ["-n", "4"] if importlib.util.find_spec("xdist") and not interpret else []
    # the interpreter truncates to bfloat16 (findings/triton_interpreter_bfloat16.sh)
    few = ["-k", "(adam or momentum) and not bfloat16"] if interpret else []
    paths = ["tests/test_optim.py", "tests/engine"]  # they import nothing that only a page needs
    flags = ["-q", "-rf", "-m", "gpu", "-W", "default"]
    told = {"TRITON_INTERPRET": "1"} if interpret else {}
    status, output = run("tests", "pytest", *flags, *workers, *few, *paths, **told)
    lines = output.strip().splitlines()
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return {"status": status, "summary": lines[-1] if lines else "", "failed": failed}


def bench(interpret):
    """Return the record of the bench, {"failed": its last words} without one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bench.json")
        quick = ["--quick", "--device", "cpu", "--threads", "1", "--case", "ConvNet"]
        how = quick if interpret else ["--device", "cuda"]
        _, output = run("bench", "adamlib.bench", *how, "--output", str(path))
        return json.loads(path.read_text()) if path.exists() else {"failed": output[-2000:]}


def training(device, epochs, switches):
    """Return a row for each switch: seconds of the first epoch and of one of the later ones."""
    digits, rows = data.load("digits", device=device), []
    for name, (mode, precision) in switches.items():
        torch.manual_seed(0)
        model = ConvNet().to(device)
        optimizer = optim.Adam(model.parameters(), lr=1e-3)
        try:
            if mode is not None:
                model.compile(mode=mode)
            history = train(
                model, digits, optimizer, epochs, device=device, precision=precision, progress=False
            )
        except Exception as error:  # a switch that fails is a result, too
            rows.append({"switch": name, "failed": f"{type(error).__name__}: {error}"[:500]})
            continue
        seconds, accuracy = history["seconds"], history["held_out_accuracy"][-1]
        later = (seconds[-1] - seconds[0]) / (epochs - 1)
        row = {"first_epoch_s": seconds[0], "epoch_s": later, "held_out_accuracy": accuracy}
        rows.append({"switch": name, **row})
    return rows


def main():
    parser = argparse.ArgumentParser("python -m experiments.gpu", description=__doc__)
    parser.add_argument("--interpret", action="store_true", help="try the parts on a CPU")
    interpret = parser.parse_args().interpret
    if missing := [package for package in NEEDED if not installed(package)]:
        parser.error(f"this python must have {', '.join(NEEDED)}; it lacks {', '.join(missing)}")
    if not (interpret or torch.cuda.is_available()):
        parser.error("there must be a CUDA device, got none; --interpret tries the parts on a CPU")
    began, record = time.monotonic(), {}
    how = ("cpu", 2, {"eager": SWITCHES["eager"]}) if interpret else ("cuda", 20, SWITCHES)
    parts = {
        "tests": lambda: tests(interpret),
        "bench": lambda: bench(interpret),
        "training": lambda: training(*how),
    }
    for name, part in parts.items():
        print(f"{name} ...", flush=True)
        record[name] = part()
        if name != "bench":
            print(json.dumps(record[name], indent=1), flush=True)
    record = {**record.pop("bench"), **record}
    print(f"{time.monotonic() - began:.0f} s")
    device = "interpreter" if interpret else torch.cuda.get_device_name().lower().replace(" ", "-")
    if not interpret:
        write(RESULTS / f"bench-{device}.json", as_json(record))
        print(f"written: adamlib/results/bench-{device}.json")
    sys.exit(bool(record["tests"]["status"]) or "failed" in record)


if __name__ == "__main__":
    main()

"""Where the records are, and what each says of where it comes from."""

from pathlib import Path

import torch

from adamlib.bench import report
from adamlib.files import as_json, write

RESULTS = Path(__file__).parents[1] / "results"


def store(name, record, device):
    """Write a record, with where it comes from, to its file in results/."""
    about = report.about(device.type, torch.get_num_threads(), f"python -m experiments {name}")
    write(RESULTS / f"{name}.json", as_json({"about": about, "batch_size": 128, **record}))

"""A record is stored with where it comes from."""

import torch

from adamlib.bench import report
from adamlib.files import RESULTS, as_json, write


def store(name, record, device):
    """Write a record, with where it comes from, to its file in adamlib/results/."""
    about = report.about(device.type, torch.get_num_threads(), f"python -m experiments {name}")
    write(RESULTS / f"{name}.json", as_json({"about": about, "batch_size": 128, **record}))

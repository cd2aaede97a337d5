"""Time an epoch of the ConvNet on one CPU thread, from the textbook's loop to that of `train`.

Each contender has a process of its own, since what a loop does to the allocator of the memory
outlasts it. The processes take turns. `python -m experiments epoch` runs it alone: 2 minutes.
"""

import resource
import time
from functools import partial
from multiprocessing import get_context
from statistics import median

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm

from adamlib import data, optim
from adamlib.model import ConvNet
from adamlib.train import context, evaluate

WARM_UP, ROUNDS = 2, 15
TRAIN = ("sliced", "adamlib", "kept")  # what adamlib.train does
# the row from the textbook's loop to `train`, a change a line; what stands beside it; what `train`
# measures after an epoch; name -> how
CONTENDERS = {
    "textbook": (),
    "+ fused step": ("fused",),
    "+ slices, not DataLoader": ("fused", "sliced"),
    "adamlib.optim.Adam for fused": ("adamlib", "sliced"),
    "+ memory kept = train": TRAIN,
    "train, bf16": (*TRAIN, "bf16"),
    "textbook again": (),
    "textbook, memory kept": ("kept",),
    "train, channels_last": (*TRAIN, "channels_last"),
    "train, bf16, channels_last": (*TRAIN, "bf16", "channels_last"),
    "measuring": (*TRAIN, "measure"),
    "measuring, channels_last": (*TRAIN, "measure", "channels_last"),
    "measuring, bf16": (*TRAIN, "measure", "bf16"),
}


def textbook(model, digits, optimizer):
    """Train for an epoch as textbooks do."""
    total = 0.0
    images = TensorDataset(digits.x_train, digits.y_train)
    for x, y in DataLoader(images, batch_size=128, shuffle=True):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()


def sliced(model, digits, optimizer, computing):
    """Train for an epoch as `adamlib.train` does."""
    order = torch.Generator().manual_seed(0)
    for x, y in data.batches(digits.x_train, digits.y_train, 128, order):
        optimizer.zero_grad()
        with computing:
            loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()


def measure(model, digits, computing):
    """Measure as `adamlib.train` does after an epoch."""
    with computing:
        evaluate(model, *digits[:2])
        evaluate(model, *digits[2:])


def epoch(how, digits):
    """Return a function that runs an epoch as the words in `how` say."""
    torch.manual_seed(0)
    model = ConvNet()
    if "channels_last" in how:
        model = model.to(memory_format=torch.channels_last)
    if "kept" in how:
        torch.empty(31 * 2**20, dtype=torch.uint8)  # the line in adamlib.train says why
    if "adamlib" in how:
        optimizer = optim.Adam(model.parameters())
    else:
        optimizer = torch.optim.Adam(model.parameters(), fused="fused" in how or None)
    computing = context("bf16" if "bf16" in how else "float32", torch.device("cpu"))
    if "measure" in how:
        return partial(measure, model, digits, computing)
    if "sliced" in how:
        return partial(sliced, model, digits, optimizer, computing)
    return partial(textbook, model, digits, optimizer)


def serve(how, digits, pipe):
    """Run an epoch whenever asked; answer (wall seconds, CPU seconds, page faults)."""
    torch.set_num_threads(1)
    run = epoch(how, digits)
    while pipe.recv():
        before = costs()
        run()
        pipe.send([after - start for after, start in zip(costs(), before, strict=True)])


def costs():
    """Return wall seconds, CPU seconds and page faults of this process so far."""
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    return time.perf_counter(), time.process_time(), faults


def measured(digits):
    """Return a row for each contender; "faster" compares CPU seconds, round by round."""
    torch.set_num_threads(1)  # as in the processes, so that the record says so
    spawn, pipes = get_context("spawn"), {}
    for name, how in CONTENDERS.items():
        pipes[name], other = spawn.Pipe()
        spawn.Process(target=serve, args=(how, digits, other), daemon=True).start()
        other.close()  # so that an answer that never comes is an error
    runs = {name: [] for name in CONTENDERS}
    for _ in tqdm(range(WARM_UP + ROUNDS), desc="epochs", unit="round"):
        for name, pipe in pipes.items():
            pipe.send(True)
            runs[name].append(pipe.recv())
    for pipe in pipes.values():
        pipe.send(False)
    base = runs["textbook"][WARM_UP:]
    return {"rows": [row(name, taken[WARM_UP:], base) for name, taken in runs.items()]}


def row(name, taken, base):
    """Return the medians of what a contender's epochs took, beside those of the textbook."""
    wall, cpu, faults = zip(*taken, strict=True)
    return {
        "contender": name,
        "seconds": median(wall),
        "cpu_seconds": median(cpu),
        "faster": median(other[1] / own for other, own in zip(base, cpu, strict=True)),
        "page_faults": median(faults),
    }

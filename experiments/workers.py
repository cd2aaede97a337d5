"""Time the ConvNet's step on one process and on two, and the all-reduce between them.

Each process has one thread, and gloo carries the numbers. The measurements take turns, round by
round; a process without work waits. `python -m experiments workers` runs it alone: a minute.
"""

import tempfile
import time
from contextlib import nullcontext
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch import distributed
from torch.multiprocessing import get_context
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from adamlib import optim
from adamlib.model import ConvNet

WARM_UP, ROUNDS, TIMES = 2, 9, 3
BATCHES = (128, 256, 512)  # images per step, of all processes together
SIZES = tuple(4096 * 4**k for k in range(8))  # bytes, up to 64 MiB


def measured(digits):
    """Return medians over the rounds, in seconds.

    "steps": for each batch a step of "one" process, of "two" with half of the batch each, and
    "silent": of two that exchange nothing. "update": the optimizer's part, in both at once.
    "all_reduce": of so many "bytes" in each process.
    """
    torch.set_num_threads(1)  # as in the processes, so that the record says so
    spawn = get_context("spawn")
    answer, pipe = spawn.Pipe(duplex=False)
    with tempfile.TemporaryDirectory() as folder:
        given = (Path(folder), *digits[:2], pipe)
        both = [spawn.Process(target=work, args=(rank, *given), daemon=True) for rank in range(2)]
        for process in both:
            process.start()
        pipe.close()  # so that an answer that never comes is an error
        taken = answer.recv()
        for process in both:
            process.join()
    found = {name: median(seconds[WARM_UP:]) for name, seconds in taken.items()}
    hows = ("one", "two", "silent")
    return {
        "processes": 2,
        "steps": [{"batch": b, **{how: found[how, b] for how in hows}} for b in BATCHES],
        "update": found["update", 0],
        "all_reduce": [{"bytes": n, "seconds": found["all_reduce", n]} for n in SIZES],
    }


def work(rank, folder, x, y, pipe):
    """Be one of two processes; the first one sends {(what, how much): seconds of each round}."""
    torch.set_num_threads(1)
    torch.empty(31 * 2**20, dtype=torch.uint8)  # the line in adamlib.runs.loop says why
    store = distributed.FileStore(str(folder / "store"), 2)
    patience = timedelta(minutes=2)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=2, timeout=patience)
    todo = jobs(x, y)
    taken = {name: [] for name in todo}
    for _ in range(WARM_UP + ROUNDS):
        for name, run in todo.items():
            distributed.barrier()
            if rank == 0 or name[0] != "one":
                taken[name].append(seconds(run))
    if rank == 0:
        pipe.send(taken)
    distributed.destroy_process_group()


def jobs(x, y):
    """Return a dict (what, how much) -> function that does it once."""
    one, two = ConvNet(), DistributedDataParallel(ConvNet(), gradient_as_bucket_view=True)
    optimizers = {net: optim.Adam(net.parameters()) for net in (one, two)}

    def step(net, size, waiting=nullcontext):
        optimizers[net].zero_grad()
        with waiting():
            cross_entropy(net(x[:size]), y[:size]).backward()
        optimizers[net].step()

    step(two, 128)  # leaves gradients for the update
    found = {}
    for batch in BATCHES:
        found["one", batch] = partial(step, one, batch)
        found["two", batch] = partial(step, two, batch // 2)
        found["silent", batch] = partial(step, two, batch // 2, two.no_sync)
    found["update", 0] = optimizers[two].step
    for size in SIZES:
        found["all_reduce", size] = partial(distributed.all_reduce, torch.zeros(size // 4))
    return found


def seconds(run):
    """Return the seconds that one of TIMES runs takes, one after another."""
    start = time.perf_counter()
    for _ in range(TIMES):
        run()
    return (time.perf_counter() - start) / TIMES

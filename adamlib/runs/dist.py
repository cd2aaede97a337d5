"""One of several processes, as torchrun starts them; alone without it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from adamlib.data import pick_device
from adamlib.runs.meeting import meeting_place
from adamlib.runs.sharding import is_sharded

NEEDED = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def rank() -> int:
    """Return the number of this process, 0 when it is alone."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world() -> int:
    """Return how many processes there are."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


@contextmanager
def group(device: torch.device | str = "auto", minutes: float = 10) -> Iterator[torch.device]:
    """Join the processes that torchrun started, yield this one's device, and leave at the end.

    Without torchrun it yields the device and does nothing else. `minutes` is how long a process
    waits for the others before it gives up. gloo carries the numbers between CPUs, nccl between
    GPUs. Raises ValueError for a device that is not there, for more processes than GPUs and for a
    variable of torchrun's that is missing; ConnectionError for a port that is in use,
    TimeoutError if the others do not come.
    """
    if not {"RANK", "WORLD_SIZE"} & set(os.environ):
        yield pick_device(device)
        return
    device = own_device(device, environment())
    backend = "nccl" if device.type == "cuda" else "gloo"
    store, number, size = meeting_place(timedelta(minutes=minutes))
    options = dict(store=store, rank=number, world_size=size)
    distributed.init_process_group(backend, timeout=timedelta(minutes=minutes), **options)
    try:
        yield device
    finally:
        distributed.destroy_process_group()


def environment():
    """Return what torchrun tells a process, by name; raise ValueError for what it has not told."""
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if missing:
        raise ValueError(
            f"the environment must have all of {', '.join(NEEDED)}, got no {', '.join(missing)}:"
            " start the program with torchrun, which sets them, or set them all"
        )
    return {name: os.environ[name] for name in NEEDED}


def own_device(device, told):
    """Return the device of this process: a GPU for each one on a machine, or the CPU for all."""
    device = pick_device(device)
    if device.type == "mps":  # no backend carries its tensors
        device = torch.device("cpu")
    if device.type == "cuda":
        local, count = int(told["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= count:
            raise ValueError(
                f"--nproc-per-node must be at most {count}, the GPUs of this machine, got a process"
                f" number {local + 1}; or train with device='cpu'"
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    return device


def part(batch):
    """Return this process's share of a batch; no share is longer than another by more than one."""
    return batch.tensor_split(world())[rank()]


def replicated(model, images):
    """Return `model` so that its gradients are the mean over all processes.

    Every process starts from the weights of the first one. `images` is a batch to try the model on:
    DDP fixes the order in which it adds only after its first pass, and a run that is gone on with
    must not add its first gradients in another order, that is to other bits, than the rest.
    """
    if world() == 1 or any(map(is_sharded, model.parameters())):  # FSDP sees to it
        return model
    net = DistributedDataParallel(model, gradient_as_bucket_view=True)
    net.eval()  # no random numbers, no change to the means of a batch normalization
    net(images).sum().backward()
    net.zero_grad()
    return net


def share_buffers(model):
    """Give every process the first one's buffers: each has its own batch normalization's means."""
    if world() > 1:
        for buffer in model.buffers():
            distributed.broadcast(buffer, 0)


def any_of(flag):
    """Return whether `flag` is true in any process."""
    if world() == 1:
        return flag
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    flags = torch.tensor(float(flag), device=device)
    distributed.all_reduce(flags, distributed.ReduceOp.MAX)
    return flags.item() > 0


def total(tensor):
    """Return the sum of a tensor over all processes."""
    if world() > 1:
        distributed.all_reduce(tensor)
    return tensor


def from_first(value):
    """Return what the first process gives; all call it."""
    return gathered(value)[0]


def gathered(value):
    """Return a list of what each process gives; all call it."""
    values = [value] * world()
    if world() > 1:
        distributed.all_gather_object(values, value)
    return values

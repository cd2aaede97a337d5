"""Trains the ConvNet in two processes, in three ways; chapter 17 compares the ends.

    torchrun --standalone --nproc-per-node 2 -m adamlib.bench.two_processes FILE

FILE gets, under the name of each way, the "weights" at the end, the bytes of m and v "kept" in each
process and, with DDP, the "curve": the loss on 64 training images after each step.
"""

import sys
from contextlib import nullcontext
from functools import partial

import torch
from torch.distributed.optim import ZeroRedundancyOptimizer

from adamlib import data, optim
from adamlib.model import ConvNet
from adamlib.runs import dist, sharding
from adamlib.runs.loop import evaluate, learn


def buffers(optimizer):
    """Return the bytes of m and v in this process."""
    state = getattr(optimizer, "optim", optimizer).state  # inside of ZeroRedundancyOptimizer
    tensors = [x for own in state.values() for x in own.values() if torch.is_tensor(x)]
    return sum(x.to_local().nbytes if sharding.is_sharded(x) else x.nbytes for x in tensors)


def trained(how, x_train, y_train, device):
    """Return what FILE gets of one way; both processes call it."""
    torch.manual_seed(0)
    model, make, curve = ConvNet().double(), optim.Adam, []
    if how == "FSDP2":
        sharding.shard(model, device)  # stage 3
    if how == "ZeRO 1":
        make = partial(ZeroRedundancyOptimizer, optimizer_class=optim.Adam)
    net = dist.replicated(model, x_train[:2])  # DDP, unless the model is sharded
    optimizer = make(model.parameters(), lr=1e-3)
    order = torch.Generator().manual_seed(0)
    for step, (x, y) in enumerate(data.batches(x_train, y_train, 128, order), start=1):
        net.train()
        learn(net, optimizer, x, y, nullcontext(), step)  # on this process's share
        if how == "DDP":
            curve.append(evaluate(model, x_train[:64], y_train[:64])[0])
    weights = sharding.whole({name: w.detach() for name, w in model.named_parameters()})
    return {"weights": weights, "kept": dist.gathered(buffers(optimizer)), "curve": curve}


if __name__ == "__main__":
    torch.set_num_threads(1)
    x_train, y_train = (part[:675] for part in data.load("digits", device="cpu")[:2])
    exact = x_train.double(), y_train  # 64 bits, so that rounding is small
    with dist.group("cpu", minutes=2) as device:
        found = {how: trained(how, *exact, device) for how in ("DDP", "ZeRO 1", "FSDP2")}
        if dist.rank() == 0:
            torch.save(found, sys.argv[1])

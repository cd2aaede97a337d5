"""The training loop, for every model, optimizer and schedule."""

import time
from contextlib import nullcontext
from inspect import signature
from numbers import Integral
from os import PathLike
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from tqdm import tqdm

from adamlib import data as datasets
from adamlib.runs import dist, sharding
from adamlib.runs.checkpoints import held
from adamlib.runs.identity import fingerprint
from adamlib.runs.interrupts import signals_noted
from adamlib.runs.run import Run

PRECISIONS = ("float32", "bf16")


def train(
    model: torch.nn.Module, data: datasets.Data, optimizer: torch.optim.Optimizer, epochs: int = 20,
    batch_size: int = 128, *, scheduler: LRScheduler | None = None, progress: bool = True,
    checkpoint: str | PathLike | None = None, resume: bool = False, save_every: int | None = None,
    keep: int = 3, seed: int = 0, device: torch.device | str = "auto", precision: str = "float32",
) -> dict[str, Any]:  # fmt: skip
    """Train `model` in place and return its history, a dict that JSON can hold.

    "train_loss", "train_accuracy", "held_out_loss", "held_out_accuracy": one number per epoch,
    measured on all images after the epoch (cross-entropy in nats; share of images, 0 to 1).
    "seconds": of training, measuring included. "device": where it ran. `seed` fixes the order of
    the batches. `scheduler` is one of torch's and steps once per batch. `precision="bf16"` is
    torch.autocast: logits, also the measured ones, are computed in bfloat16; weights stay as they
    are. Inside `dist.group` the processes share each batch, as if one had taken all of it.

    `checkpoint` is a folder that gets all of the run after each epoch and each `save_every` steps,
    the last `keep` of them; `resume=True` goes on from there, on the CPU to the same bits. Ctrl-C
    then saves before it raises KeyboardInterrupt. Raises FloatingPointError, with step and weight,
    before a loss or gradient that is not finite does harm; ValueError, TypeError or OSError before
    any step for bad arguments, another run's checkpoint, a folder that cannot be written.
    """
    counts = {"epochs": epochs, "batch_size": batch_size, "keep": keep}
    counts |= {} if save_every is None else {"save_every": save_every}
    check(optimizer, scheduler, **counts)
    batch_size, seed = int(batch_size), int(seed)  # NumPy's, too
    if checkpoint is None and (resume or save_every):
        raise ValueError(f"checkpoint must be a folder with {resume=} and {save_every=}, got None")
    moved = {id(w) for group in optimizer.param_groups for w in group["params"]}
    if not moved & set(map(id, model.parameters())):
        raise ValueError("optimizer must be made from the model's parameters, got none of them")
    device = datasets.pick_device(device)
    computing = context(precision, device)
    # 31 MiB, freed at once: glibc now keeps what a batch frees, and the next one finds no new pages
    torch.empty(31 * 2**20, dtype=torch.uint8, device="cpu")
    model, data = model.to(device), data.to(device)
    net = dist.replicated(model, data.x_train[:2])
    run = Run(model, optimizer, scheduler, seed)
    told = {"batch_size": batch_size, "precision": precision}
    first = dist.rank() == 0  # it writes, and shows the progress
    hidden = not progress or not first
    with held(checkpoint if first else None), signals_noted(checkpoint is not None) as noted:
        if checkpoint is not None:
            run.start(checkpoint, keep, resume, told | {"the data": fingerprint(*data)})
        began = time.perf_counter() - sum(run.history["seconds"][-1:])
        with tqdm(desc=type(optimizer).__name__, total=epochs, unit="epoch", disable=hidden) as bar:
            bar.update(run.epoch)
            while run.epoch < epochs:
                net.train()
                for x, y in run.batches(data.x_train, data.y_train, batch_size):
                    learn(net, optimizer, x, y, computing, run.step + 1)
                    if scheduler is not None:
                        scheduler.step()
                    run.after_step(save_every, noted)
                dist.share_buffers(model)
                with computing:
                    measured = *evaluate(model, *data[:2]), *evaluate(model, *data[2:])
                run.after_epoch((*measured, time.perf_counter() - began), noted)
                bar.set_postfix_str(f"held-out accuracy {measured[3]:.1%}", refresh=False)
                bar.update()
    return {**run.history, "device": str(device)}


def check(optimizer, scheduler, **counts):
    """Raise ValueError for a count below 1, TypeError for what cannot step as `train` calls it."""
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} must be a whole number >= 1, got {value!r}")
    closure = signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        kind = "one that steps without a closure"
        raise TypeError(f"optimizer must be {kind}, got {type(optimizer).__name__}")
    steps = isinstance(scheduler, LRScheduler) and not isinstance(scheduler, ReduceLROnPlateau)
    if scheduler is not None and not steps:
        kind = "one of torch.optim.lr_scheduler, but ReduceLROnPlateau, which wants a loss"
        raise TypeError(f"scheduler must be {kind}, got {scheduler!r}")


def context(precision, device):
    """Return the context to compute in; raise ValueError for what `device` does not have."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {PRECISIONS}, got {precision!r}")
    cuda = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    if precision == "bf16" and device.type != "cpu" and not cuda:
        raise ValueError(f"precision 'bf16' needs the CPU or a newer CUDA GPU, got {device}")
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def learn(net, optimizer, x, y, computing, step):
    """Take one step of the optimizer on a batch, or on this process's share of it."""
    optimizer.zero_grad()
    with computing:
        loss = cross_entropy(net(dist.part(x)), dist.part(y), reduction="sum") / len(x)
    (loss * dist.world()).backward()  # of the shares' gradients the mean is taken, not the sum
    check_finite(net, loss, step)
    optimizer.step()


def check_finite(net, loss, step):
    """Raise FloatingPointError, with step and weight, for a loss or gradient that is not finite."""
    # One number tells for all gradients, so that a step costs 1 % more and not 20.
    named = [(name, w.grad) for name, w in net.named_parameters() if w.grad is not None]
    finite = sharding.whole(torch.nn.utils.get_total_norm([g for _, g in named])).isfinite()
    if finite and loss.isfinite():
        return
    broken = [name for name, g in named if not (finite or sharding.whole(g).isfinite().all())]
    if broken or not loss.isfinite():  # finite gradients may have squares that are not
        where = ", ".join(broken).replace("module.", "") or "no weight"
        raise FloatingPointError(
            f"step {step}: the loss is {loss.item():.4g} and the gradient is not finite in {where};"
            " try a lower learning rate, or clip the gradient"
        )


@torch.no_grad()
def evaluate(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Return (mean cross-entropy in nats, accuracy from 0 to 1) on images x with labels y.

    Several processes share the images.
    """
    model.eval()
    size = 256 * dist.world()  # all at once leave the cache
    logits = torch.cat([model(dist.part(images)) for images in x.split(size)])
    labels = torch.cat([dist.part(part) for part in y.split(size)])
    loss = cross_entropy(logits, labels, reduction="sum")
    hits = (logits.argmax(dim=1) == labels).sum()
    return dist.total(loss).item() / len(y), dist.total(hits).item() / len(y)

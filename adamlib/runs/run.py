"""A run as a thing to store and to go on with, to the last bit."""

import math
from itertools import islice

import torch
from torch.optim.lr_scheduler import LambdaLR

from adamlib import data
from adamlib.runs import checkpoints, dist, sharding
from adamlib.runs.identity import described, differences, tensors_of
from adamlib.runs.packing import random_state, restore_random

KEYS = ("train_loss", "train_accuracy", "held_out_loss", "held_out_accuracy", "seconds")


class Run:
    """What changes while a model is trained: weights, optimizer, schedule, random numbers, place.

    `step` counts all steps, `batch` those of the epoch. `settings`, set by `start`, is what must
    be the same for a stored run to be this one: {name: text}.
    """

    def __init__(self, model, optimizer, scheduler, seed):
        self.parts = {"model": model, "optimizer": optimizer}
        if scheduler is not None:
            self.parts["scheduler"] = scheduler
        self.settings = {"the seed": str(seed)}
        self.order = torch.Generator().manual_seed(seed)  # of the batches
        self.shuffle = self.order.get_state()  # as it was when the epoch began
        self.step = self.epoch = self.batch = 0
        self.history = {key: [] for key in KEYS}
        self.rates = {}  # {step of a LambdaLR: of each group}, after 1, 2, 4, 8, ... steps
        self.folder = self.files = None

    def start(self, folder, keep, resume, told):
        """Go on from the newest checkpoint in `folder` or, without one, write the first.

        `told` is what else, beside model, optimizer and schedule, makes the run: {name: value}.

        Raises, before anything is loaded, OSError for a folder that cannot be written or is too
        small, ValueError for a folder in use without `resume` and for another run's checkpoint.
        """
        self.folder = folder
        self.settings |= {name: str(value) for name, value in told.items()}
        self.settings |= described(**self.parts)
        if dist.rank() == 0:  # weights and, in most optimizers, two buffers of their size
            self.files = checkpoints.Checkpoints(folder, keep)
            tensors = tensors_of(self.parts["model"]).values()
            size = sum(x.numel() * x.element_size() for x in tensors)
            self.files.check_room(3 * (keep + 1) * size)
        newest = dist.from_first(self.files and self.files.newest())
        if newest is None:
            self.save()
        elif not resume:
            raise ValueError(f"checkpoint must be a new folder, or resume=True, got {newest}")
        else:
            state = checkpoints.read(newest)
            for name, there, here in self.differences(state):
                what = f"{newest} is of another run: {name} is {there}, here {here}"
                raise ValueError(f"{what}; another run needs another folder")
            self.load_state_dict(state)

    def differences(self, state):
        """Yield (name, there, here) of what makes the stored run another one than this."""
        stored = state["settings"]
        for name in {**stored, **self.settings}:
            there, here = stored.get(name, "absent"), self.settings.get(name, "absent")
            if there != here:
                yield name, there, here
        if "scheduler" in state:
            yield from differences(
                self.parts["scheduler"], state["scheduler"], state.get("rates", {})
            )

    def save(self):
        """Write a checkpoint; all processes call it, the first one writes.

        Raises FloatingPointError for weights that are not finite, which would spoil it.
        """
        state = self.state_dict()
        dense = {
            k: x for k, x in state["model"].items() if hasattr(x, "layout") and not x.is_sparse
        }
        broken = [name for name, x in dense.items() if not x.isfinite().all()]
        if broken:
            raise FloatingPointError(f"after step {self.step}: {', '.join(broken)} not finite")
        if self.files:
            self.files.save(self.step, state)

    def state_dict(self):
        """Return all of the run, sharded tensors gathered; all processes call it."""
        parts = {name: sharding.whole(part.state_dict()) for name, part in self.parts.items()}
        place = {"step": self.step, "epoch": self.epoch, "batch": self.batch}
        rest = {name: getattr(self, name) for name in ("history", "settings", "shuffle", "rates")}
        return {**parts, **place, **rest, "random": dist.gathered(random_state())}

    def load_state_dict(self, state):
        """Go on where `state` was taken, with as many processes or with others."""
        own, optimizer = self.parts["model"].state_dict(), self.parts["optimizer"]
        state["model"] = {k: sharding.cut_like(x, own[k]) for k, x in state["model"].items()}
        weights = [w for group in optimizer.param_groups for w in group["params"]]
        for i, buffers in state["optimizer"]["state"].items():
            for name, x in buffers.items():
                buffers[name] = sharding.cut_like(x, weights[i]) if torch.is_tensor(x) else x
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        state.setdefault("rates", {})  # files of older versions lack them
        for name in ("shuffle", "history", "rates", "step", "epoch", "batch"):
            setattr(self, name, state[name])
        self.order.set_state(self.shuffle)
        if dist.rank() < len(state["random"]):
            restore_random(state["random"][dist.rank()])

    def batches(self, x, y, batch_size):
        """Return the batches of the epoch that are left."""
        self.shuffle = self.order.get_state()
        return islice(data.batches(x, y, batch_size, self.order), self.batch, None)

    def after_step(self, every, signals):
        """Count a step; save each `every` steps, and leave once a process got one of `signals`."""
        self.step, self.batch = self.step + 1, self.batch + 1
        scheduler = self.parts.get("scheduler")
        if isinstance(scheduler, LambdaLR) and self.step & (self.step - 1) == 0:
            self.rates[scheduler.last_epoch] = [float(lr) for lr in scheduler.get_last_lr()]
        if self.folder is not None:
            self.save_or_leave(every and self.step % every == 0, signals)

    def save_or_leave(self, due, signals):
        """Save if that is due; save and raise KeyboardInterrupt once a process got a signal."""
        leave = dist.any_of(bool(signals))
        if due or leave:
            self.save()
        if leave:
            raise KeyboardInterrupt(f"stopped after step {self.step}, saved in {self.folder}")

    def after_epoch(self, measured, signals):
        """Note what was measured, one number for each of `KEYS`, and save.

        Raises FloatingPointError for a training loss that is not finite.
        """
        if not math.isfinite(measured[0]):
            raise FloatingPointError(f"after step {self.step}: the training loss is {measured[0]}")
        for key, value in zip(KEYS, measured, strict=True):
            self.history[key].append(value)
        self.epoch, self.batch, self.shuffle = self.epoch + 1, 0, self.order.get_state()
        if self.folder is not None:
            self.save_or_leave(True, signals)

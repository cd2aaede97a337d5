"""`train` for programs, and the same from the shell or under torchrun.

For programs, `from adamlib.train import train`, which is `adamlib.runs.loop.train`.
"""

import argparse
import math
import sys

import torch
from torch.optim.lr_scheduler import LambdaLR

from adamlib import data as datasets
from adamlib import files, optim, schedules
from adamlib.model import ConvNet
from adamlib.runs import dist, sharding
from adamlib.runs.loop import PRECISIONS, context, evaluate, train
from adamlib.stack import train_stack

__all__ = ["context", "evaluate", "main", "train", "train_stack"]
OPTIMIZERS = ("GradientDescent", "Momentum", "Nesterov", "AdaGrad", "RMSProp")
OPTIMIZERS += ("Adam", "AdamW", "AMSGrad", "AdaMax")
SCHEDULES = ("constant", "cosine", "inverse_root", "one_cycle")


def parse(arguments):
    """Return (parser, options) of the command line; wrong ones end the program with a message."""
    form = argparse.ArgumentDefaultsHelpFormatter
    parser = argparse.ArgumentParser("python -m adamlib.train", formatter_class=form)
    parser.description = main.__doc__
    add = parser.add_argument
    add("--data", default="digits", help="digits, mnist, fashion_mnist, or a path to an .npz")
    add("--optimizer", choices=OPTIMIZERS, default="Adam", help="the rule")
    add("--lr", type=float, help="learning rate; None is the optimizer's own")
    add("--schedule", choices=SCHEDULES, default="constant", help="how the learning rate falls")
    add("--warm-up", type=int, default=0, metavar="STEPS", help="in which the rate rises")
    add("--epochs", type=int, default=20, help="passes over the training images")
    add("--batch-size", type=int, default=128, help="images per step, of all processes together")
    add("--seed", type=int, default=0, help="of the weights and the batches")
    add("--device", default="auto", help="auto, cpu, mps, cuda, cuda:1, ...")
    choices = (*PRECISIONS, "float64")
    add("--precision", choices=choices, default="float32", help="to compute in")
    add("--shard", action="store_true", help="cut weights and buffers over the processes (FSDP2)")
    add("--checkpoint", type=files.path_of, metavar="FOLDER", help="to save in after each epoch")
    add("--save-every", type=int, metavar="STEPS", help="and each so many steps")
    add("--keep", type=int, default=3, metavar="N", help="the last N checkpoints")
    add("--resume", action="store_true", help="go on from the newest checkpoint if there is one")
    add("--output", type=files.path_of, help="a .json file; None is standard output")
    options = parser.parse_args(arguments)
    if options.output and (options.output.is_dir() or not options.output.parent.is_dir()):
        parser.error(f"output must be a file in a folder that exists, got {options.output}")
    if options.warm_up < 0:
        parser.error(f"warm-up must be a number of steps >= 0, got {options.warm_up}")
    if options.resume and options.checkpoint is None:
        parser.error("resume must come with a checkpoint folder to go on from, got none")
    return parser, options


class Factor:
    """The factor of the learning rate at step t; a checkpoint of its LambdaLR tells its settings.

    `steps` are those of all epochs, None for a shape that does not depend on their number.
    """

    def __init__(self, schedule, steps, warm_up):
        self.schedule, self.steps, self.warm_up = schedule, steps, warm_up

    def __call__(self, t):
        rise = max(1, self.warm_up)
        how = {} if self.steps is None else {"steps": self.steps}
        how |= {"start": rise} if self.schedule == "inverse_root" else {}
        return schedules.warm_up(t, steps=rise) * getattr(schedules, self.schedule)(t, **how)


def schedule(options, optimizer, images):
    """Return the scheduler of the options, for an optimizer and a number of training images."""
    ends = options.schedule in ("cosine", "one_cycle")
    steps = options.epochs * math.ceil(images / options.batch_size) if ends else None
    return LambdaLR(optimizer, Factor(options.schedule, steps, options.warm_up))


def train_as_asked(options, device):
    """Return (optimizer, history) of a ConvNet trained with the options of the command line."""
    data = datasets.load(options.data, device=device)
    torch.manual_seed(options.seed)
    size, classes = data.x_train.shape[-1], 1 + int(max(data.y_train.max(), data.y_test.max()))
    if classes > max(1000, len(data.y_train)):
        last = f"{len(data.y_train)} images; a network would have {classes} outputs"
        raise ValueError(f"labels must number the classes from 0, got {classes - 1} for {last}")
    model, precision = ConvNet(size, max(10, classes)).to(device), options.precision
    if precision == "float64":
        data = data._replace(x_train=data.x_train.double(), x_test=data.x_test.double())
        model, precision = model.double(), "float32"  # weights of float64 and no autocast
    if options.shard:
        sharding.shard(model, device)
    hyper = {} if options.lr is None else {"lr": options.lr}
    optimizer = getattr(optim, options.optimizer)(model.parameters(), **hyper)
    scheduler = None
    if (options.schedule, options.warm_up) != ("constant", 0):
        scheduler = schedule(options, optimizer, len(data.x_train))
    names = ("checkpoint", "resume", "save_every", "keep", "seed")
    how = {name: getattr(options, name) for name in names}
    how |= dict(scheduler=scheduler, device=device, precision=precision)
    return optimizer, train(model, data, optimizer, options.epochs, options.batch_size, **how)


def main(arguments=None):
    """Train the ConvNet and write the history as JSON.

    Several processes, on one machine or more, are started by torchrun.
    """
    parser, options = parse(arguments)
    try:
        with dist.group(options.device) as device:
            optimizer, history = train_as_asked(options, device)
            first = dist.rank() == 0
    except ValueError as error:
        parser.error(str(error))
    except (OSError, FloatingPointError) as error:
        parser.exit(1, f"{parser.prog}: error: {error}\n")
    except KeyboardInterrupt as stop:
        parser.exit(130, f"{stop or 'stopped'}\n")
    kept = ("data", "optimizer", "schedule", "warm_up", "epochs", "batch_size", "seed")
    settings = {key: getattr(options, key) for key in (*kept, "device", "precision", "shard")}
    record = files.as_json({**settings, "lr": optimizer.defaults["lr"], "history": history})
    if first and options.output is None:
        sys.stdout.write(record)
    elif first:
        files.write(options.output, record)


if __name__ == "__main__":
    main()

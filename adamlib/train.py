"""The training loop, for every model and optimizer; `python -m adamlib.train --help`."""

import argparse
import sys
import time
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from adamlib import data as datasets
from adamlib import files, optim
from adamlib.model import ConvNet

OPTIMIZERS = ("GradientDescent", "Momentum", "Nesterov", "AdaGrad", "RMSProp", "Adam")


def train(
    model, data, optimizer, epochs=20, batch_size=128, *, seed=0, device="auto", progress=True
):
    """Train `model` in place and return its history, a dict that JSON can hold.

    "train_loss", "train_accuracy", "held_out_loss", "held_out_accuracy": one number per epoch,
    measured on all images after the epoch (cross-entropy in nats; share of images, 0 to 1).
    "seconds": since the start, measuring included. "device": where the training ran.
    `seed` fixes the order of the batches. Raises ValueError, before any step, for epochs or
    batch_size below 1 and for a device that this machine lacks.
    """
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number >= 1, got {value!r}")
    device = datasets.pick_device(device)
    model, data = model.to(device), data.to(device)
    order = torch.Generator().manual_seed(seed)
    keys = ("train_loss", "train_accuracy", "held_out_loss", "held_out_accuracy", "seconds")
    history, start = {key: [] for key in keys}, time.perf_counter()
    bar = tqdm(range(epochs), desc=type(optimizer).__name__, unit="epoch", disable=not progress)
    for _ in bar:
        model.train()
        for x, y in datasets.batches(data.x_train, data.y_train, batch_size, order):
            optimizer.zero_grad()
            cross_entropy(model(x), y).backward()
            optimizer.step()
        measured = *evaluate(model, data.x_train, data.y_train), *evaluate(model, *data[2:])
        for key, value in zip(keys, (*measured, time.perf_counter() - start), strict=True):
            history[key].append(value)
        bar.set_postfix_str(f"held-out accuracy {measured[3]:.1%}")
    return {**history, "device": str(device)}


@torch.no_grad()
def evaluate(model, x, y):
    """Return (mean cross-entropy in nats, accuracy from 0 to 1) on images x with labels y."""
    model.eval()
    logits = model(x)
    hits = (logits.argmax(dim=1) == y).sum().item()  # MPS has no float64 for a mean
    return cross_entropy(logits, y).item(), hits / len(y)


def train_stack(rule, model, data, epochs, batch_size=128, *, seed=0, **hyper):
    """Train all K networks of an `MLPStack` at once with a pure rule; return their losses (K,).

    The loss is the mean cross-entropy over the training images after the last epoch, in nats.
    A hyperparameter is a number, or a tensor (K, 1, 1): one value for each network.
    """
    order, weights = torch.Generator().manual_seed(seed), list(model.parameters())
    images, labels = data.x_train.flatten(1), data.y_train
    states, t = [()] * len(weights), 0
    for _ in range(epochs):
        for x, y in datasets.batches(images, labels, batch_size, order):
            t += 1
            gradients = torch.autograd.grad(stack_loss(model(x), y).sum(), weights)
            with torch.no_grad():
                for i, (w, g) in enumerate(zip(weights, gradients, strict=True)):
                    new, *states[i] = rule(w, g, t, *states[i], **hyper)
                    w.copy_(new)
    with torch.no_grad():
        return stack_loss(model(images), labels)


def stack_loss(logits, y):
    """Return the mean cross-entropy (K,) of each network; logits (K, B, 10), labels (B,)."""
    each = cross_entropy(logits.movedim(0, 2), y[:, None].expand(-1, len(logits)), reduction="none")
    return each.mean(dim=0)  # (B, K) -> (K,)


def parse(arguments):
    """Return (parser, options) of the command line; wrong ones end the program with a message."""
    form = argparse.ArgumentDefaultsHelpFormatter
    parser = argparse.ArgumentParser("python -m adamlib.train", formatter_class=form)
    parser.description = main.__doc__
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="Adam", help="the rule")
    parser.add_argument("--lr", type=float, help="learning rate; None is the optimizer's own")
    parser.add_argument("--epochs", type=int, default=20, help="passes over the training images")
    parser.add_argument("--batch-size", type=int, default=128, help="images per step")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the batches")
    parser.add_argument("--device", default="auto", help="auto, cpu, mps, cuda, cuda:1, ...")
    parser.add_argument("--output", type=Path, help="a .json file; None is standard output")
    options = parser.parse_args(arguments)
    if options.output and (options.output.is_dir() or not options.output.parent.is_dir()):
        parser.error(f"output must be a file in a folder that exists, got {options.output}")
    return parser, options


def main(arguments=None):
    """Train the ConvNet on digits and write the history as JSON."""
    parser, options = parse(arguments)
    try:
        data = datasets.load("digits", device=options.device)
        torch.manual_seed(options.seed)
        model = ConvNet().to(data.x_train.device)
        hyper = {} if options.lr is None else {"lr": options.lr}
        optimizer = getattr(optim, options.optimizer)(model.parameters(), **hyper)
        how = dict(seed=options.seed, device=options.device)
        history = train(model, data, optimizer, options.epochs, options.batch_size, **how)
    except ValueError as error:
        parser.error(str(error))
    settings = {key: value for key, value in vars(options).items() if key != "output"}
    record = files.as_json({**settings, "lr": optimizer.defaults["lr"], "history": history})
    if options.output is None:
        sys.stdout.write(record)
    else:
        files.write(options.output, record)


if __name__ == "__main__":
    main()

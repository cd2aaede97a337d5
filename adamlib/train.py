"""The training loop, for every model and optimizer; `python -m adamlib.train --help`."""

import argparse
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from adamlib import data as datasets
from adamlib import files, optim
from adamlib.model import ConvNet

OPTIMIZERS = ("GradientDescent", "Momentum", "Nesterov", "AdaGrad", "RMSProp")
OPTIMIZERS += ("Adam", "AdamW", "AMSGrad", "AdaMax")
PRECISIONS = ("float32", "bf16")


def train(
    model, data, optimizer, epochs=20, batch_size=128, *,
    seed=0, device="auto", precision="float32", progress=True,
):  # fmt: skip
    """Train `model` in place and return its history, a dict that JSON can hold.

    "train_loss", "train_accuracy", "held_out_loss", "held_out_accuracy": one number per epoch,
    measured on all images after the epoch (cross-entropy in nats; share of images, 0 to 1).
    "seconds": since the start, measuring included. "device": where the training ran.
    `seed` fixes the order of the batches. `precision="bf16"` is torch.autocast: logits, also the
    measured ones, are computed in bfloat16; the weights stay as they are. Raises ValueError, before
    any step, for epochs or batch_size below 1 and for a device or precision that is not there.
    """
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number >= 1, got {value!r}")
    device = datasets.pick_device(device)
    computing = context(precision, device)
    # 31 MiB, freed at once: glibc now keeps what a batch frees, and the next one finds no new pages
    torch.empty(31 * 2**20, dtype=torch.uint8, device="cpu")
    model, data = model.to(device), data.to(device)
    order = torch.Generator().manual_seed(seed)
    keys = ("train_loss", "train_accuracy", "held_out_loss", "held_out_accuracy", "seconds")
    history, start = {key: [] for key in keys}, time.perf_counter()
    bar = tqdm(range(epochs), desc=type(optimizer).__name__, unit="epoch", disable=not progress)
    for _ in bar:
        model.train()
        for x, y in datasets.batches(data.x_train, data.y_train, batch_size, order):
            optimizer.zero_grad()
            with computing:
                loss = cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        with computing:
            measured = *evaluate(model, *data[:2]), *evaluate(model, *data[2:])
        for key, value in zip(keys, (*measured, time.perf_counter() - start), strict=True):
            history[key].append(value)
        bar.set_postfix_str(f"held-out accuracy {measured[3]:.1%}")
    return {**history, "device": str(device)}


def context(precision, device):
    """Return the context to compute in; raise ValueError for what `device` does not have."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {PRECISIONS}, got {precision!r}")
    cuda = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    if precision == "bf16" and device.type != "cpu" and not cuda:
        raise ValueError(f"precision 'bf16' needs the CPU or a newer CUDA GPU, got {device}")
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


@torch.no_grad()
def evaluate(model, x, y):
    """Return (mean cross-entropy in nats, accuracy from 0 to 1) on images x with labels y."""
    model.eval()
    logits = torch.cat([model(part) for part in x.split(256)])  # all at once leave the cache
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
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="to compute in")
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
        how = dict(seed=options.seed, device=options.device, precision=options.precision)
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

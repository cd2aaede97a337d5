"""Many small networks trained at once by a pure rule.

All networks of an `MLPStack` see the same images, so that the first layers of all are one matrix
product. Each thread takes a slice of the stack through a whole epoch: its weights and buffers, and
what one operation leaves for the next, are still in the core's cache.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.functional import cross_entropy, one_hot

from adamlib.data import Data, batches
from adamlib.engine import backward, stacked
from adamlib.model import MLPStack

SLICE = 64  # networks


def train_stack(
    rule: Callable[..., Any], model: torch.nn.Module, data: Data, epochs: int,
    batch_size: int = 128, *, seed: int = 0,
    after: Callable[[int, torch.nn.Module], object] | None = None, **hyper: float | torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """Train all K networks of an `MLPStack` at once with a pure rule; return their losses (K,).

    The loss is the mean cross-entropy over the training images after the last epoch, in nats.
    A hyperparameter is a number, or a tensor (K, 1, 1): one value for each network. After epoch
    1, 2, ... `after(epoch, model)` is called, if there is one. Any other model that maps images
    (B, 64) to logits (K, B, 10) is trained too, but slower; so is a rule that cannot be compiled.
    """
    order, t = torch.Generator().manual_seed(seed), 0
    images, labels = data.x_train.flatten(1), data.y_train
    known = type(model).forward is MLPStack.forward
    advance, losses, threads = (by_slices if known else by_autograd)(rule, model, hyper)
    for epoch in range(1, epochs + 1):
        with threads_of(threads):
            shuffled = list(batches(images, labels, batch_size, order))
            advance(t, shuffled)
        t += len(shuffled)
        if after is not None:
            after(epoch, model)
    with torch.no_grad(), threads_of(threads):  # by parts: K networks make much of the images
        parts = zip(images.split(128), labels.split(128), strict=True)
        return sum(losses(x, y) * (len(y) / len(labels)) for x, y in parts)


def stack_loss(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy (K,) of each network; logits (K, B, 10), labels (B,)."""
    each = cross_entropy(logits.movedim(0, 2), y[:, None].expand(-1, len(logits)), reduction="none")
    return each.mean(dim=0)  # (B, K) -> (K,)


@contextmanager
def threads_of(count):
    """Let PyTorch split its operations over so many threads meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def by_autograd(rule, model, hyper):
    """Return (advance, losses, the threads of an operation in advance).

    advance(t, batches) takes a step with each batch, after step t; losses(x, y) are those (K,).
    """
    weights = list(model.parameters())
    step = stacked.stepper(rule, weights, hyper)

    def advance(t, batches):
        for now, (x, y) in enumerate(batches, t + 1):
            step(now, torch.autograd.grad(stack_loss(model(x), y).sum(), weights))

    return advance, lambda x, y: stack_loss(model(x), y), torch.get_num_threads()


def by_slices(rule, model, hyper):
    """Return the same for an `MLPStack`.

    Slices are shared by threads of their own. To split each of many small operations would cost
    more, most where other programs are running. A rule that cannot be compiled may look at the
    whole stack, which is the only slice then, and may keep its gradients.
    """
    weights, threads = [w.detach() for w in model.parameters()], torch.get_num_threads()
    apart = stacked.can_compile(rule, weights, hyper)
    slices = cut(rule, weights, hyper, threads) if apart else cut(rule, weights, hyper)
    pool = ThreadPoolExecutor(min(threads, len(slices)), initializer=alone)
    each = pool.map if apart else map
    rooms = []  # that no thread is in

    def advance(t, batches):
        ready = [(x.T.contiguous(), one_hot(y, 10).T / -len(y)) for x, y in batches]

        def through(layers, step):
            room = rooms.pop() if rooms else {}
            for now, (x, labels) in enumerate(ready, t + 1):  # x: (64, B), labels: (10, B)
                step(now, backward.gradients(layers, x, labels, room if apart else {}))
            rooms.append(room)

        list(each(through, *zip(*slices, strict=True)))

    def losses(x, y):
        def of(layers, _):
            return stack_loss(backward.logits(layers, x.T).mT, y)

        return torch.cat(list(each(of, *zip(*slices, strict=True))))

    return advance, losses, 1 if apart else threads


def cut(rule, weights, hyper, threads=None):
    """Return [(layers, a function that steps), ...] of slices, for threads; None: one slice."""
    K, slices = len(weights[0]), []
    count = threads * -(-K // (threads * SLICE)) if threads else 1  # as many for each thread
    size = -(-K // count)
    for part in (slice(start, start + size) for start in range(0, K, size)):
        own = {name: stacked.of_part(value, part, K) for name, value in hyper.items()}
        few = [w[part] for w in weights]
        layers = list(zip(few[::2], few[1::2], strict=True))
        slices.append((layers, stacked.stepper(rule, few, own)))
    return slices


def alone():
    """Let this thread split no operation, and round below 1e-38 to 0.

    The first moment of a silent unit gets that small, and a processor slow where numbers are.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)

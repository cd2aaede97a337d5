"""Many small networks trained at once by a pure rule.

All networks of an `MLPStack` see the same images, so that the first layers of all are one matrix
product. Each thread takes a slice of the stack forward, back and a step on: what one operation
leaves is still in the core's cache when the next one reads it.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch.nn.functional import cross_entropy, one_hot

from adamlib.data import batches
from adamlib.engine import stacked
from adamlib.model import MLPStack

SLICE = 32  # networks


def train_stack(rule, model, data, epochs, batch_size=128, *, seed=0, after=None, **hyper):
    """Train all K networks of an `MLPStack` at once with a pure rule; return their losses (K,).

    The loss is the mean cross-entropy over the training images after the last epoch, in nats.
    A hyperparameter is a number, or a tensor (K, 1, 1): one value for each network. After epoch
    1, 2, ... `after(epoch, model)` is called, if there is one. Any other model that maps images
    (B, 64) to logits (K, B, 10) is trained too, but slower; so is a rule that cannot be compiled.
    """
    order, t = torch.Generator().manual_seed(seed), 0
    images, labels = data.x_train.flatten(1), data.y_train
    known = type(model).forward is MLPStack.forward
    step, threads = (by_slices if known else by_autograd)(rule, model, hyper)
    for epoch in range(1, epochs + 1):
        with threads_of(threads):
            for x, y in batches(images, labels, batch_size, order):
                t += 1
                step(t, x, y)
        if after is not None:
            after(epoch, model)
    with torch.no_grad():  # 32 images at a time: K networks make much of them
        parts = zip(images.split(32), labels.split(32), strict=True)
        return sum(stack_loss(model(x), y) * (len(y) / len(labels)) for x, y in parts)


def stack_loss(logits, y):
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
    """Return a function (t, x, y) that takes step t with a batch, and PyTorch's threads for it."""
    weights = list(model.parameters())
    step = stacked.stepper(rule, weights, hyper)

    def take(t, x, y):
        step(t, torch.autograd.grad(stack_loss(model(x), y).sum(), weights))

    return take, torch.get_num_threads()


def by_slices(rule, model, hyper):
    """Return the same for an `MLPStack`, whose slices are shared by threads of their own.

    To split each of many small operations would cost more, most where other programs are running.
    A rule that cannot be compiled may look at the whole stack: then that is the only slice.
    """
    weights, threads = [w.detach() for w in model.parameters()], torch.get_num_threads()
    K = len(weights[0])
    apart = stacked.can_compile(rule, weights, hyper)
    size = min(SLICE, -(-K // threads)) if apart else K
    slices = []
    for part in (slice(start, start + size) for start in range(0, K, size)):
        own = {name: stacked.of_part(value, part, K) for name, value in hyper.items()}
        few = [w[part] for w in weights]
        layers = list(zip(few[::2], few[1::2], strict=True))
        slices.append((layers, stacked.stepper(rule, few, own)))
    workers = min(threads, len(slices))
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))

    def take(t, x, y):
        x = x.T.contiguous()  # (64, B)
        labels = one_hot(y, 10).T / -len(y)  # (10, B)
        todo = iter(slices)

        def work(_):
            for layers, step in todo:  # who is done takes the next one
                step(t, gradients(layers, x, labels))

        list((pool.map if workers > 1 else map)(work, range(workers)))

    return take, 1 if apart else threads


def gradients(layers, x, labels):
    """Return the gradients of the losses of a slice; labels (10, B): -1/B at the right digit.

    layers: [(weights (k, outputs, inputs), biases (k, outputs, 1)), ...]; returned as one list.
    """
    inputs = [x]  # of each layer: (64, B), (k, width, B), ...
    for w, b in layers[:-1]:
        inputs.append(stacked.relu_(w @ inputs[-1], b))
    w, b = layers[-1]
    logits = (w @ inputs[-1]).add_(b)  # (k, 10, B)
    d = torch.add(labels, logits.softmax(1), alpha=1 / x.shape[1])  # the loss's, of the logits
    found = [d.sum(2, keepdim=True)]
    for (w, _), h in zip(layers[:0:-1], inputs[:0:-1], strict=True):
        found.append(d @ h.mT)
        d, sums = stacked.mask_(w.mT @ d, h)  # of what the layer below has made, (k, width, B)
        found.append(sums)
    return [*found, d @ x.T][::-1]  # all networks have seen the same x: one product

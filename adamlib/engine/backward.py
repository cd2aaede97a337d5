"""Layers of a stack of networks forward and back, in memory that is used again."""

import torch

from adamlib.engine import stacked


def memory(layers, B):
    """Return what a slice leaves on the way: (k, outputs, B) of each layer, the same, gradients.

    The second is for the derivatives by the first. Memory that is new each time is slower.
    """
    gradients = [torch.empty_like(each) for layer in layers for each in layer]
    return outputs(layers, B), outputs(layers, B), gradients


def outputs(layers, B):
    """Return memory (k, outputs, B) for each layer."""
    return [w.new_empty(*b.shape[:2], B) for w, b in layers]


def product(a, b, out):
    """Write a @ b of each network to `out`; one that all of them share makes it one product."""
    if b.ndim == 2:  # (k, n, m) @ (m, B)
        torch.mm(a.flatten(0, 1), b, out=out.flatten(0, 1))
    else:
        torch.bmm(a, b, out=out)


def forward(layers, x, made):
    """Write what each layer makes of x (64, B) to `made`; the last are the logits (k, 10, B).

    layers: [(weights (k, outputs, inputs), biases (k, outputs, 1)), ...].
    """
    for (w, b), h, out in zip(layers, [x, *made], made, strict=False):
        product(w, h, out)
        if out is not made[-1]:
            stacked.relu_(out, b)
    return made[-1].add_(b)


def logits(layers, x):
    """Return the logits (k, 10, B) for x (64, B)."""
    return forward(layers, x, outputs(layers, x.shape[1]))


def gradients(layers, x, labels, room):
    """Return the gradients of the losses of a slice; labels (10, B): -1/B at the right digit.

    They stay valid until `room`, a dict that is empty at first, is used again.
    """
    shape = len(layers[0][0]), x.shape[1]
    if shape not in room:
        room[shape] = memory(layers, shape[1])
    made, back, found = room[shape]
    d = torch.softmax(forward(layers, x, made), 1, out=back[-1])
    torch.add(labels, d, alpha=1 / shape[1], out=d)  # the loss's derivative by the logits
    torch.sum(d, 2, keepdim=True, out=found[-1])
    for i in reversed(range(1, len(layers))):
        product(d, made[i - 1].mT, found[2 * i])
        d = torch.bmm(layers[i][0].mT, d, out=back[i - 1])  # by what the layer below has made
        stacked.mask_(d, made[i - 1], found[2 * i - 1])
    product(d, x.T, found[0])
    return found

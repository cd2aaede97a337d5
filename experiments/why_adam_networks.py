"""Small networks trained side by side for why_adam.py: what a run needs, and what comes out."""

import math

import torch
from torch.nn import Parameter
from torch.nn.functional import gelu, one_hot

from adamlib import data
from adamlib.engine import backward, stacked
from adamlib.model import MLPStack
from adamlib.stack import stack_loss

WIDTH = 32


class Gelu(MLPStack):
    """The networks of an `MLPStack` with GELU in the place of ReLU."""

    def forward(self, x):
        x = gelu(self.hidden[0] @ x.T + self.hidden[1])  # (K, width, B)
        return (self.out[0] @ x + self.out[1]).mT


class TwoRates(MLPStack):
    """An `MLPStack` whose last layer learns `factor` times as fast as the hidden one.

    It is `factor`^½ times its parameters: a step of theirs is that much larger, and so is the
    gradient that they get.
    """

    def __init__(self, seeds, width, factor):
        super().__init__(seeds, width)
        self.scale = factor**0.5
        with torch.no_grad():
            for w in self.out:
                w.div_(self.scale)

    def forward(self, x):
        x = (self.hidden[0] @ x.T + self.hidden[1]).relu()
        return (self.scale * (self.out[0] @ x + self.out[1])).mT


class Turned(MLPStack):
    """An `MLPStack` whose weight matrices are U V W, with parameters V and orthogonal U, W."""

    def __init__(self, seeds, width):
        super().__init__(seeds, width)
        draw, self.turns = torch.Generator().manual_seed(0), []
        for layer in (self.hidden, self.out):
            left, right = (orthogonal(n, draw) for n in layer[0].shape[1:])
            layer[0] = Parameter((left.T @ layer[0].detach() @ right.T).contiguous())
            self.turns.append((left, right))

    def forward(self, x):
        (u, w), (u_out, w_out) = self.turns
        x = (u @ (self.hidden[0] @ (w @ x.T)) + self.hidden[1]).relu()
        return (u_out @ (self.out[0] @ (w_out @ x)) + self.out[1]).mT


def orthogonal(n, draw):
    """Return a random orthogonal (n, n) matrix, all of them equally likely."""
    q, r = torch.linalg.qr(torch.randn(n, n, generator=draw, dtype=torch.float64))
    return (q * r.diagonal().sign()).float()


def sign_descent(w, g, t, m=0, *, lr):
    """Return (w, m) after a step of length lr along the sign of Adam's first average."""
    m = 0.9 * m + 0.1 * g
    w = w - lr * ((m > 0) * 1.0 - (m < 0) * 1.0)
    return w, m


def trained(make, rule, ks, seed, images, epochs, batch_size, *, falls=True, clip=None, **hyper):
    """Return networks of one seed, trained with the rates 10^(k/4) for k in ks.

    make(seeds, width): the stack. falls: whether the rates fall in a straight line to 0, which
    they would reach in the step after the last. clip: the length that a gradient may have. A rate
    alone would be taken for one that never changes: there must be two, which may be equal.
    """
    if len(ks) < 2:
        raise ValueError(f"ks must be at least two, got {ks}")
    model = make([seed] * len(ks), WIDTH)
    weights, order = list(model.parameters()), torch.Generator().manual_seed(seed)
    base = 10 ** (torch.tensor(ks, dtype=torch.float64)[:, None, None] / 4)
    lr = base.clone()  # the step reads the rates where they are
    step = stacked.stepper(rule, [w.detach() for w in weights], {"lr": lr, **hyper})
    gradients = by_hand(model) if type(model) is MLPStack else by_autograd(model)
    x, y = images.x_train.flatten(1), images.y_train
    t, steps = 0, epochs * math.ceil(len(y) / batch_size)
    for _ in range(epochs):
        for batch in data.batches(x, y, batch_size, order):
            t += 1
            if falls:
                torch.mul(base, (steps - t + 1) / steps, out=lr)
            step(t, shortened(gradients(*batch), clip))
    return model


def by_hand(model):
    """Return the function (x, y) -> gradients of an `MLPStack`, fast."""
    few = [w.detach() for w in model.parameters()]
    layers, room = list(zip(few[::2], few[1::2], strict=True)), {}

    def gradients(x, y):
        return backward.gradients(layers, x.T.contiguous(), one_hot(y, 10).T / -len(y), room)

    return gradients


def by_autograd(model):
    """Return the same for any model."""
    weights = list(model.parameters())
    return lambda x, y: torch.autograd.grad(stack_loss(model(x), y).sum(), weights)


def shortened(gradients, clip):
    """Return the gradients (K, ...) of each network, at most `clip` long in all."""
    if clip is None:
        return gradients
    lengths = sum((g**2).sum((1, 2), keepdim=True) for g in gradients) ** 0.5
    return [g * (clip / lengths).clamp(max=1) for g in gradients]


@torch.no_grad()
def measures(model, images, rare=False):
    """Return {what: (K,)} of trained networks: training loss, held-out error, rare and frequent."""
    logits, y = model(images.x_train.flatten(1)), images.y_train
    wrong = model(images.x_test.flatten(1)).argmax(-1) != images.y_test
    found = {"loss": stack_loss(logits, y), "error": wrong.float().mean(-1)}
    if rare:
        for name, those in ((" rare", y >= 5), (" frequent", y == 0)):
            found[name] = stack_loss(logits[:, those], y[those])
    return found

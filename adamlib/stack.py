"""Many small networks trained at once by a pure rule."""

import torch
from torch.nn.functional import cross_entropy

from adamlib.data import batches


def train_stack(rule, model, data, epochs, batch_size=128, *, seed=0, **hyper):
    """Train all K networks of an `MLPStack` at once with a pure rule; return their losses (K,).

    The loss is the mean cross-entropy over the training images after the last epoch, in nats.
    A hyperparameter is a number, or a tensor (K, 1, 1): one value for each network.
    """
    order, weights = torch.Generator().manual_seed(seed), list(model.parameters())
    images, labels = data.x_train.flatten(1), data.y_train
    states, t = [()] * len(weights), 0
    for _ in range(epochs):
        for x, y in batches(images, labels, batch_size, order):
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

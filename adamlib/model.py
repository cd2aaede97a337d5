"""The ConvNet of every chapter, deeper ones, a stack of small ones."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from numbers import Integral

import torch
from torch import nn
from torch.nn.functional import relu


class ConvNet(nn.Module):
    """Two convolutions and two linear layers: (B, 1, size, size) -> (B, classes) logits.

    There is no pooling, so the first linear layer sees 64 maps of size×size pixels and holds nearly
    all weights: 98 % of 2,140,362 at size=8, 99.8 % of 25,733,322 at size=28, which is that of
    MNIST. A network fits images of its own size and no others. Raises ValueError for images of
    another shape, and for a size or a number of classes below 1.
    """

    def __init__(self, size: int = 8, classes: int = 10) -> None:
        for name, value in (("size", size), ("classes", classes)):
            if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
                raise ValueError(f"{name} must be a whole number >= 1, got {value!r}")
        super().__init__()
        self.size = size
        self.conv1 = nn.Conv2d(1, 64, 3, padding=1)
        self.conv2 = nn.Conv2d(64, 64, 3, padding=1)
        self.linear1 = nn.Linear(64 * size * size, 512)
        self.linear2 = nn.Linear(512, classes)

    def forward(self, x):
        size = self.size
        if x.dim() != 4 or x.shape[1:] != (1, size, size):
            raise ValueError(
                f"images must have shape (B, 1, {size}, {size}), got {tuple(x.shape)}: without"
                f" pooling the linear layer wants exactly 64·{size}·{size} features; resize the"
                " images (torch.nn.functional.interpolate) or, if they are square, build"
                " ConvNet(size=their height)"
            )
        x = relu(self.conv1(x))  # (B, 64, size, size)
        x = relu(self.conv2(x))  # (B, 64, size, size)
        x = relu(self.linear1(x.flatten(1)))  # (B, 512)
        return self.linear2(x)  # (B, classes)


class MLPStack(nn.Module):
    """K networks 64-width-10 side by side, trained at once: (B, 64) -> (K, B, 10) logits.

    A layer has weights (K, outputs, inputs) and biases (K, outputs, 1), so a hyperparameter of
    shape (K, 1, 1) gives each network its own value. `seeds` are the K seeds of the initial weights
    (PyTorch's default for a linear layer); equal seeds start equal networks.
    """

    def __init__(self, seeds: Sequence[int], width: int = 64) -> None:
        super().__init__()
        self.hidden = self._layer(seeds, 64, width)
        self.out = self._layer([seed + 1_000_000 for seed in seeds], width, 10)

    @staticmethod
    def _layer(seeds, fan_in, fan_out):
        """Return weights (K, fan_out, fan_in) and biases (K, fan_out, 1), uniform ± fan_in^-½."""
        bound = fan_in**-0.5
        drawn = {
            seed: torch.empty(fan_in + 1, fan_out).uniform_(
                -bound, bound, generator=torch.Generator().manual_seed(seed)
            )
            for seed in set(seeds)
        }
        both = torch.stack([drawn[seed].T for seed in seeds])  # (K, fan_out, fan_in + 1)
        return nn.ParameterList([both[..., :-1].contiguous(), both[..., -1:].contiguous()])

    def forward(self, x):
        x = (self.hidden[0] @ x.T + self.hidden[1]).relu()  # (K, width, B)
        return (self.out[0] @ x + self.out[1]).mT  # (K, B, 10)


class DeepConvNet(nn.Module):
    """`depth` convolutions of 16 maps and one linear layer: (B, 1, 8, 8) -> (B, 10) logits.

    `activation` follows each convolution. With `residual` each convolution but the first adds its
    answer to the sum of those before, x + conv(activation(x)), as in He et al. (2016), "Identity
    mappings"; with `normalize` a batch normalization follows each convolution. The initial weights
    are PyTorch's. Raises ValueError for a depth below 1.
    """

    def __init__(
        self,
        depth: int,
        activation: Callable[[torch.Tensor], torch.Tensor] = relu,
        *,
        residual: bool = False,
        normalize: bool = False,
    ) -> None:
        super().__init__()
        if isinstance(depth, bool) or not isinstance(depth, Integral) or depth < 1:
            raise ValueError(f"depth must be a whole number >= 1, got {depth!r}")
        maps = [1, *[16] * depth]
        self.convs = nn.ModuleList(nn.Conv2d(*each, 3, padding=1) for each in pairwise(maps))
        norms = (nn.BatchNorm2d(16) if normalize else nn.Identity() for _ in self.convs)
        self.norms = nn.ModuleList(norms)
        self.linear = nn.Linear(16 * 8 * 8, 10)
        self.activation, self.residual = activation, residual

    def forward(self, x):
        x = self.norms[0](self.convs[0](x))  # (B, 16, 8, 8)
        for conv, norm in zip(self.convs[1:], self.norms[1:], strict=True):
            y = norm(conv(self.activation(x)))  # (B, 16, 8, 8)
            x = x + y if self.residual else y
        return self.linear(self.activation(x).flatten(1))  # (B, 10)


def initialize(model: nn.Module, draw: Callable[[torch.Tensor], object]) -> nn.Module:
    """Return `model` after draw(weight) of each convolution and linear layer; their biases are 0.

    draw: a function that fills a tensor in place, as those of torch.nn.init.
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            draw(layer.weight)
            nn.init.zeros_(layer.bias)
    return model

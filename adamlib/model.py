"""The ConvNet that every chapter trains, and a stack of many small networks for grids."""

import torch
from torch import nn
from torch.nn.functional import relu


class ConvNet(nn.Module):
    """Two convolutions and two linear layers: (B, 1, 8, 8) -> (B, 10) logits; 2,140,362 weights.

    There is no pooling, so the first linear layer sees 64 maps of 8×8 pixels and the network fits
    8×8 images and nothing else. Raises ValueError for images of another shape.
    """

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 3, padding=1)
        self.conv2 = nn.Conv2d(64, 64, 3, padding=1)
        self.linear1 = nn.Linear(64 * 8 * 8, 512)  # 98 % of all weights are here
        self.linear2 = nn.Linear(512, 10)

    def forward(self, x):
        if x.dim() != 4 or x.shape[1:] != (1, 8, 8):
            raise ValueError(
                f"images must have shape (B, 1, 8, 8), got {tuple(x.shape)}: without pooling the"
                " linear layer wants exactly 64·8·8 features; resize the images to 8×8"
            )
        x = relu(self.conv1(x))  # (B, 64, 8, 8)
        x = relu(self.conv2(x))  # (B, 64, 8, 8)
        x = relu(self.linear1(x.flatten(1)))  # (B, 512)
        return self.linear2(x)  # (B, 10)


class MLPStack(nn.Module):
    """K networks 64-width-10 side by side, trained at once: (B, 64) -> (K, B, 10) logits.

    Every weight has shape (K, rows, columns), so a hyperparameter of shape (K, 1, 1) gives each
    network its own value. `seeds` are the K seeds of the initial weights (PyTorch's default for
    a linear layer); equal seeds start equal networks.
    """

    def __init__(self, seeds, width=64):
        super().__init__()
        self.hidden = self._layer(seeds, 64, width)
        self.out = self._layer([seed + 1_000_000 for seed in seeds], width, 10)

    @staticmethod
    def _layer(seeds, fan_in, fan_out):
        """Return weights (K, fan_in, fan_out) and biases (K, 1, fan_out), uniform ± fan_in^-½."""
        bound = fan_in**-0.5
        drawn = {
            seed: torch.empty(fan_in + 1, fan_out).uniform_(
                -bound, bound, generator=torch.Generator().manual_seed(seed)
            )
            for seed in set(seeds)
        }
        both = torch.stack([drawn[seed] for seed in seeds])
        return nn.ParameterList([both[:, :-1].clone(), both[:, -1:].clone()])

    def forward(self, x):
        x = x.expand(len(self.out[0]), *x.shape)  # (K, B, 64), no copy
        x = torch.baddbmm(self.hidden[1], x, self.hidden[0]).relu()  # (K, B, width)
        return torch.baddbmm(self.out[1], x, self.out[0])  # (K, B, 10)

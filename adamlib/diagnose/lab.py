"""Fresh optimizers over tiny weights, walked along gradients that an experiment chooses."""

import contextlib
import io
import warnings
from typing import NamedTuple

import torch

SLOW = 1e-5  # a learning rate with which weights hardly move


class UnknownError(Exception):
    """Why a question about an optimizer has no answer."""


class Measured(NamedTuple):
    """A number, and how far from it the true one may be."""

    value: float
    within: float

    def __str__(self):
        return f"{self.value:.6g} ± {self.within:.0e}" if self.within else f"{self.value:.6g}"


class Trial:
    """One optimizer and its weights."""

    def __init__(self, weights, optimizer, closure=False):
        self.weights, self.optimizer, self.closure = weights, optimizer, closure
        self.loss = 0.0  # what a closure returns

    def step(self, gradients):
        """Take one step; return how far each tensor moved downhill, in float64.

        gradients: one entry for each tensor, a number or what has its shape; None: no gradient.
        """
        before = [w.detach().double().clone() for w in self.weights]

        def feed():
            for w, g in zip(self.weights, gradients, strict=True):
                g = g if g is None else torch.as_tensor(g, dtype=w.dtype).expand(w.shape).clone()
                w.grad = g
            return torch.tensor(self.loss)

        feed()
        quietly(self.optimizer.step, *([feed] if self.closure else []))
        return [old - w.detach().double() for old, w in zip(before, self.weights, strict=True)]


class Lab:
    """Opens optimizers of one kind: `factory` makes one of a list of weights or of groups.

    Settings of an experiment go to the factory as keywords. A factory that takes none has them
    written into the groups of its optimizer, where they are there.

    shape: of the weights of most experiments; elementwise: whether an entry's steps depend on its
    own gradients alone, so that many walks fit into one tensor. `couplings` finds both out.
    """

    def __init__(self, factory):
        self.factory, self.shape, self.elementwise, self.bare = factory, (2,), False, {}
        self.closure, self.dtype = False, torch.float64  # `shapes` finds out whether that will do
        self.seed, self.rounded, self.reset = 0, False, False
        try:
            group = self.open().optimizer.param_groups[0]
        except (ValueError, IndexError):  # some take matrices alone
            self.shape = (2, 2)
            group = self.open().optimizer.param_groups[0]
        self.group = {key: value for key, value in group.items() if key != "params"}
        rate = group.get("lr", 1.0)
        if isinstance(rate, str) or rate is None or not float(rate) > 0:
            raise ValueError(f"the optimizer needs a learning rate lr > 0, got {rate!r}")
        self.lr = float(rate)
        self.unit, self.growth, self.full = 1.0, 0.0, 1e6  # a gradient beside which eps is nothing
        with contextlib.suppress(Exception):  # many take no weight_decay
            self.open(weight_decay=0.0)
            self.bare = {"weight_decay": 0.0}
        self.slow = {"lr": SLOW}
        with contextlib.suppress(Exception):  # a step so short that the weights stay where they are
            self.slow = {"lr": SLOW}
            self.open(**self.slow)

    def open(self, starts=None, dtype=None, groups=False, **settings):
        """Return a Trial with a tensor for each of `starts`, numbers that the tensors are full of
        or what they hold; in groups of their own or in one."""
        torch.manual_seed(self.seed)
        weights = []
        for start in [1.0] if starts is None else starts:
            if not torch.is_tensor(start):
                start = torch.full(self.shape, start)
            weights.append(torch.nn.Parameter(start.to(dtype or self.dtype, copy=True)))
        params = [{"params": [w]} for w in weights] if groups else weights
        try:
            optimizer = quietly(self.factory, params, **settings)
        except TypeError:
            optimizer = quietly(self.factory, params)
            for group in optimizer.param_groups:
                if missing := settings.keys() - group.keys():
                    raise UnknownError(f"takes no {', '.join(sorted(missing))}") from None
                group.update(settings)
        if callable(getattr(optimizer, "train", None)):  # schedule-free ones have modes
            optimizer.train()
        return Trial(weights, optimizer, self.closure)

    def walk(self, gradients, before=None, **how):
        """Return, for each tensor, its movements (steps, *shape) downhill.

        gradients: for each step a list with an entry for each tensor. before(t, optimizer) is
        called before step t = 0, 1, ... how: of `open`.
        """
        count = len(gradients[0])
        trial = self.open(**{"starts": [1.0] * count, **how})
        moves = []
        for t, row in enumerate(gradients):
            if before:
                before(t, trial.optimizer)
            moves.append(trial.step(row))
        return [torch.stack(column) for column in zip(*moves, strict=True)]

    def back(self, t, optimizer):
        """Set the weights to 0 again where steps of float64 weights would lose digits elsewhere."""
        for w in optimizer.param_groups[0]["params"] if self.reset else ():
            w.data.fill_(0.0)

    def lengths(self, sequences, start=None, **how):
        """Return the lengths (n, steps) of the steps along n sequences of gradients, in units of
        lr, as float64 numbers. Each sequence is a walk of its own, of weights at `start`."""
        if start is None:  # around 0 the shortest step is exact; some rules look at the weights
            start = 0.0 if self.elementwise else 1.0
        sequences = torch.as_tensor(sequences, dtype=torch.float64)
        unit = float(how.get("lr", self.lr))
        how = {**self.bare, **how}
        if self.elementwise:
            starts = [torch.full((len(sequences),), start)]
            (moves,) = self.walk([[row] for row in sequences.T], self.back, starts=starts, **how)
            return moves.T / unit
        walks = [
            self.walk([[float(g)] for g in row], starts=[start], **how)[0] for row in sequences
        ]
        return torch.stack([moves.flatten(1)[:, 0] for moves in walks]) / unit


def quietly(function, *args, **kw):
    """Call a function of another package without what it prints and warns of."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kw)

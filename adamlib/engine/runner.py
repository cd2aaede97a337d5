"""Runs a rule over tensors that it remembers, in place, step after step."""

import warnings
from itertools import repeat
from operator import is_

import torch

from adamlib.engine import kernels, plain
from adamlib.engine.choice import best
from adamlib.engine.columns import Column, same

TYPES = {torch.float64: "f64", torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}


class Runner:
    """Runs a rule over a list of weights again and again, and remembers how they lie in memory."""

    def __init__(self, rule, engine, stochastic):
        self.rule, self.engine, self.stochastic = rule, engine, stochastic
        self.weights, self.wrapped, self.scalars = [], False, []
        self.seen, self.columns, self.parts = [], [], []

    @staticmethod
    def part(rule):
        """Return the part of the rule that is compiled: all of it."""
        return rule

    @staticmethod
    def check(params):
        """Raise for what the rule cannot take: nothing."""

    def look(self, columns):
        """Find out where the tensors are now: a stale address would corrupt memory.

        `columns`: a list of the weights, of their gradients, and one for each buffer. Raises
        RuntimeError for a sparse gradient, ValueError for an engine that cannot run a weight.
        """
        if not same(columns[0], self.weights):
            self.weights = list(columns[0])
            self.wrapped = any(w.is_complex() or hasattr(w, "to_local") for w in self.weights)
            self.scalars = [k for k, w in enumerate(self.weights) if not w.ndim]
        if self.wrapped:
            columns = [[unwrap(x) for x in column] for column in columns]
        for k in self.scalars:  # autograd may leave a sign to be turned at the next operation
            columns[1][k] = columns[1][k].resolve_neg()
        seen, self.seen = self.seen or [Column(new=k == 1) for k in range(len(columns))], []
        news = [known.look(column) for known, column in zip(seen, columns, strict=True)]
        self.columns = columns
        moved = [k for k, (moved, _) in enumerate(news) if moved]
        if any(changed for _, changed in news):
            self.plan(columns)
            moved = range(len(columns))
        for launch, rows in self.parts:
            if launch is not None:
                for k in moved:
                    addresses = seen[k].addresses
                    if len(rows) < len(addresses):
                        addresses = [addresses[row] for row in rows]
                    launch.table[:, k] = addresses
        self.seen = seen  # not if anything was raised: then all is looked at anew

    def step(self, t, hyper, sign, decay):
        """Take step t with the tensors last looked at."""
        torch.autograd.graph.increment_version(self.weights)  # a graph from before is stale now
        for launch, rows in self.parts:
            if launch is None:
                for k in rows:
                    tensors = (column[k] for column in self.columns)
                    self.update(t, hyper, sign, decay, *tensors)
            else:
                launch(t, hyper, sign, decay, torch.get_num_threads())
        self.columns = []  # a gradient kept would be memory lost

    def update(self, t, hyper, sign, decay, *tensors):
        """Take step t of one weight with PyTorch's operations."""
        plain.update(self.rule, t, hyper, sign, decay, self.stochastic, *tensors)

    def plan(self, columns):
        """Sort the tensors by what can run them."""
        kinds = {}
        for k, tensors in enumerate(zip(*columns, strict=True)):
            kinds.setdefault(self.choose(*tensors), []).append(k)
        self.parts = []
        for (engine, types, device), rows in kinds.items():
            lengths = [columns[0][k].numel() for k in rows]
            self.parts.append((self.launch(engine, types, lengths, device), rows))

    def launch(self, engine, *what):
        """Return what runs these tensors, None for plain; ImportError for a tool that cannot."""
        try:
            return self.start(engine, *what)
        except ImportError as error:
            if self.engine != "auto":
                raise
            warnings.warn(f"{error}; steps run plain, which is slower", stacklevel=2)
        return None

    def start(self, engine, types, lengths, device):
        """Return a launch of the rule, None for plain."""
        if engine == "numba":
            return kernels.Launch(self.rule, types, lengths)
        if engine == "compile":
            from adamlib.engine import gpu  # needs Triton

            return gpu.Launch(self.rule, types, lengths, device)
        return None

    def choose(self, w, *others):
        """Return (engine, names of the dtypes, device) for a weight, its gradient and buffers."""
        shapes = [tuple(x.shape) for x in (w, *others)]
        if len(set(shapes)) > 1:
            raise RuntimeError(f"a weight, its gradient and buffers have the shapes {shapes}")
        engine = best(self.engine, self.part(self.rule), w)
        names = [TYPES.get(x.dtype) for x in (w, *others)]
        if self.stochastic:
            names[2:] = ["sr16"] * len(names[2:])
        strides = torch.empty_like(w, device="meta").stride()  # those of w if it has no gaps
        if None in names or any(x.stride() != strides for x in (w, *others)):
            engine = "plain"
        return engine, tuple(names), w.device


def unwrap(x):
    """Return a real, local tensor in x's memory, or new if x is to be conjugated or negated."""
    x = x.to_local() if hasattr(x, "to_local") else x
    x = x.resolve_conj().resolve_neg()
    return torch.view_as_real(x) if x.is_complex() else x


def with_gradient(params):
    """Return (weights, gradients): two lists, without those that have no gradient."""
    grads = [w.grad for w in params]
    if any(map(is_, grads, repeat(None))):
        params = [w for w, g in zip(params, grads, strict=True) if g is not None]
        grads = [g for g in grads if g is not None]
    return params, grads

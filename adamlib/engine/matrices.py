"""A rule with `orthogonal` in it, fast: its text in two compiled halves, Newton-Schulz between."""

import ast
import functools
import linecache
import math
from types import FunctionType, SimpleNamespace

import numpy as np
import torch

from adamlib.engine import kernels, newton, plain, staging
from adamlib.engine.runner import TYPES, Runner

BATCH = 2**21  # elements of matrices of one shape that go together: they fit in a cache


class MatrixRunner(Runner):
    """Runs a rule of matrices; a convolution's kernel (out, in, h, w) is one of (out, in h w)."""

    @staticmethod
    def part(rule):
        """Return the part of the rule that is compiled."""
        return halves(rule)[0]

    @staticmethod
    def check(params):
        """Raise ValueError for what is no real matrix, or of which others hold a part."""
        for param in params:
            w = param[1] if isinstance(param, tuple) else param
            if w.ndim < 2 or w.is_complex() or hasattr(w, "to_local"):
                kind = f"{type(w).__name__} of shape {tuple(w.shape)} and {w.dtype}"
                raise ValueError(
                    "params must be real, whole matrices or kernels of convolutions, got a "
                    f"{kind}: give the others to a second optimizer, adamlib.optim.AdamW"
                )

    def plan(self, columns):
        """Sort the matrices by shape and by what can run them."""
        kinds, self.parts = {}, []
        for k, tensors in enumerate(zip(*columns, strict=True)):
            w, (engine, names, _) = tensors[0], self.choose(*tensors)
            if w.numel():
                rowwise = all(x.stride(0) * len(x) == x.numel() for x in tensors)
                shape = len(w), w.numel() // len(w)
                compiled = engine == "numba" and rowwise
                kinds.setdefault((compiled, names, w.dtype, shape), []).append(k)
        for (compiled, names, dtype, shape), rows in kinds.items():
            size = max(1, BATCH // math.prod(shape))
            for start in range(0, len(rows), size):
                part = rows[start : start + size]
                launch = self.launch(
                    "numba" if compiled else "plain", names, shape, dtype, len(part)
                )
                self.parts.append((launch, part))

    def start(self, engine, *what):
        """Return a launch, None for plain."""
        return Launch(self.rule, *what) if engine == "numba" else None

    def update(self, t, hyper, sign, decay, *tensors):
        """Take step t of one weight with PyTorch's operations."""
        rule = self.rule if self.engine == "plain" else quick(self.rule)

        def flat(w, g, t, *buffers, **hyper):
            w_, g_, *old = (x.flatten(1) for x in (w, g, *buffers))
            return [x.reshape(w.shape) for x in rule(w_, g_, t, *old, **hyper)]

        hyper = {**hyper, "ns_steps": int(hyper["ns_steps"])}
        plain.update(flat, t, hyper, sign, decay, self.stochastic, *tensors)


class Launch:
    """The compiled halves over `count` matrices of a shape; as `kernels.Launch`."""

    def __init__(self, rule, types, shape, dtype, count):
        before, after, self.longer, self.words = halves(rule)
        self.shape = (count, *shape)
        self.dtype = newton.product_dtype(dtype, shape, torch.device("cpu"))
        sizes, kind = [math.prod(shape)] * count, TYPES[self.dtype]
        self.before = kernels.Launch(before, (kind, *types[1:]), sizes)
        self.after = kernels.Launch(after, (types[0], kind), sizes)
        self.table = np.empty((count, len(types)), dtype=np.int64)

    def __call__(self, t, hyper, sign=1, decay=0, threads=1):
        """Take step t; the gradient is sign * g."""
        x = torch.empty(self.shape, dtype=self.dtype)
        self.before.table[:, 0], self.before.table[:, 1:] = rows_of(x), self.table[:, 1:]
        self.before(t, hyper, sign, 0, threads)
        steps, eps = (hyper[word] for word in self.words)
        u = newton.orthogonal(x, int(steps), eps).contiguous()
        self.after.table[:, 0], self.after.table[:, 1] = self.table[:, 0], rows_of(u)
        w = SimpleNamespace(shape=self.shape)
        self.after(t, {**hyper, "longer": eval(self.longer, {"w": w})}, 1, 0, threads)


def rows_of(x):
    """Return the addresses of the matrices in x (count, m, n)."""
    return x.data_ptr() + x.stride(0) * x.element_size() * np.arange(len(x))


@functools.cache
def halves(rule):
    """Return (a rule of what comes before `orthogonal`, one of what comes after, max, names).

    The first has what is to be made orthogonal in place of the weight, the second has the outcome
    in place of the gradient, and `longer` for `max(...)`. The names are of `steps` and `eps`.
    """
    function = staging.definition(rule)
    w, g, t, *buffers = (argument.arg for argument in function.args.args)
    hyper = "".join(f", {argument.arg}" for argument in function.args.kwonlyargs)
    _, *lines, _ = function.body  # between the docstring and what is returned
    k = next(k for k, line in enumerate(lines) if "orthogonal(" in ast.unparse(line))
    u, (x, *words) = lines[k].targets[0].id, map(ast.unparse, lines[k].value.args)
    first = [*map(ast.unparse, lines[:k]), f"x = {x}", f"return {', '.join(('x', *buffers))}"]
    last = "\n    ".join([*map(ast.unparse, lines[k + 1 :]), f"return ({w},)"])
    calls = [node for line in lines[k + 1 :] for node in ast.walk(line)]
    (longer,) = {ast.unparse(node) for node in calls if isinstance(node, ast.Call)}
    given = ", ".join(("x", g, t, *(f"{name}=0" for name in buffers)))
    before = f"def {rule.__name__}_before({given}, *{hyper}):\n    " + "\n    ".join(first)
    after = f"def {rule.__name__}_after({w}, {u}, {t}, *{hyper}, longer):\n    " + last
    return function_of(before), function_of(after.replace(longer, "longer")), longer, words


def function_of(text):
    """Return the function that `text` defines; `inspect` finds the text again."""
    name, names = f"<{text.partition('(')[0]}>", {}
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    exec(compile(text, name, "exec"), names)
    return next(value for key, value in names.items() if key != "__builtins__")


@functools.cache
def quick(rule):
    """Return the rule with a faster `orthogonal` for its own."""
    words = {**rule.__globals__, "orthogonal": narrowed}
    made = FunctionType(rule.__code__, words, rule.__name__, rule.__defaults__)
    made.__kwdefaults__ = rule.__kwdefaults__
    return made


def narrowed(x, steps, eps):
    """Return `newton.orthogonal` of x (m, n) in the dtype for its products."""
    return newton.orthogonal(x.to(newton.product_dtype(x.dtype, x.shape, x.device)), steps, eps)

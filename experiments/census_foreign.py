"""Adapters for the census of libraries whose weights are no tensors of torch.

An adapter is called with (module, name) and returns a factory for `diagnose`.
"""

import importlib

import numpy as np

from adamlib.diagnose import adapters
from adamlib.diagnose.adapters import Foreign
from adamlib.diagnose.lab import UnknownError


def found(module, name):
    """Return what has this name in a module."""
    return getattr(importlib.import_module(module), name)


def optax(module, name):
    """Adapt a function of optax."""
    return adapters.of_optax(found(module, name))


def keras(module, name):
    """Adapt a class of Keras."""
    return adapters.of_keras(found(module, name))


def autograd(module, name):
    """Adapt a function of autograd.misc.optimizers, which calls for gradients until it is done."""
    from greenlet import getcurrent, greenlet

    function = found(module, name)

    class Autograd(Foreign):
        source = staticmethod(function)

        def begin(self, old, lr, settings):
            def ask(x, t):
                return getcurrent().parent.switch(x)

            how = dict(num_iters=10**9, step_size=lr, **settings)
            loops = [greenlet(lambda w=w: function(ask, w, **how)) for w in old]
            for loop in loops:
                loop.switch()
            return loops

        def advance(self, number, old, grads, lr, settings):
            if lr != self.defaults["lr"]:
                raise UnknownError("its learning rate is given once")
            loops = self.running[number]
            return [np.array(loop.switch(g)) for loop, g in zip(loops, grads, strict=True)]

        def __deepcopy__(self, memo):
            raise UnknownError("a running loop has no copy")

    return Autograd


def sklearn(module, name):
    """Adapt an optimizer of scikit-learn's MLPClassifier and MLPRegressor."""
    cls = found(module, name)

    class Sklearn(Foreign):
        source = cls

        def begin(self, old, lr, settings):
            copies = [w.copy() for w in old]
            return cls(copies, learning_rate_init=lr, **settings), copies

        def advance(self, number, old, grads, lr, settings):
            optimizer, copies = self.running[number]
            for copy, w in zip(copies, old, strict=True):
                copy[...] = w
            optimizer.learning_rate_init = optimizer.learning_rate = lr
            optimizer.update_params(copies, grads)
            return copies

    return Sklearn


def thinc(module, name):
    """Adapt an optimizer of thinc, which knows float32 alone: it steps from 0, where that is enough
    (and where it cannot decay)."""
    make = found(module, name)

    class Thinc(Foreign):
        source = staticmethod(make)

        def begin(self, old, lr, settings):
            return make(lr, **settings)

        def advance(self, number, old, grads, lr, settings):
            optimizer = self.running[number]
            optimizer.learn_rate = found("thinc.schedules", "constant")(lr)
            grads = [g.astype("float32") for g in grads]
            moves = [optimizer((n, "w"), 0 * g, g)[0] for n, g in enumerate(grads)]
            optimizer.step_schedules()
            return [w + move for w, move in zip(old, moves, strict=True)]

    return Thinc


def mlx(module, name):
    """Adapt an optimizer of MLX."""
    import mlx.core as mx

    cls = found(module, name)

    class Mlx(Foreign):
        source = cls

        def begin(self, old, lr, settings):
            return cls(learning_rate=lr, **settings)

        def advance(self, number, old, grads, lr, settings):
            self.running[number].learning_rate = lr
            kind = mx.float64 if old[0].dtype == np.float64 else mx.float32
            weights, grads = (
                {str(n): mx.array(x, dtype=kind) for n, x in enumerate(xs)} for xs in (old, grads)
            )
            moved = self.running[number].apply_gradients(grads, weights)
            return [np.array(moved[str(n)]) for n in range(len(old))]

    return Mlx


def torchopt(module, name):
    """Adapt a function of TorchOpt, which is made as optax's are."""
    import torch
    from torchopt import apply_updates

    make = found(module, name)

    class Torchopt(Foreign):
        source = staticmethod(make)

        def begin(self, old, lr, settings):
            return make(lr=lr, **settings).init([torch.tensor(w) for w in old])

        def advance(self, number, old, grads, lr, settings):
            weights, grads = ([torch.tensor(x) for x in xs] for xs in (old, grads))
            update = make(lr=lr, **settings).update
            moves, self.running[number] = update(
                grads, self.running[number], params=weights, inplace=False
            )
            return [x.numpy() for x in apply_updates(weights, moves, inplace=False)]

    return Torchopt


def pennylane(module, name):
    """Adapt an optimizer of PennyLane."""
    from pennylane import numpy as own

    cls = found(module, name)

    class Pennylane(Foreign):
        source = cls

        def begin(self, old, lr, settings):
            return cls(stepsize=lr, **settings)

        def advance(self, number, old, grads, lr, settings):
            self.running[number].stepsize = lr
            weights = [own.array(w, requires_grad=True) for w in old]
            return [np.array(x) for x in self.running[number].apply_grad(grads, weights)]

    return Pennylane

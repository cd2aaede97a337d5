"""Other kinds of optimizer with torch.optim's interface: a rule, optax's, Keras's."""

import inspect
from collections.abc import Callable

import torch

from adamlib.diagnose.lab import UnknownError
from adamlib.engine.adapter import RuleOptimizer


def of_rule(rule: Callable[..., object]) -> Callable[..., RuleOptimizer]:
    """Return a factory for `diagnose` of a rule in the form of `adamlib.rules`."""
    cls = type(rule.__name__, (RuleOptimizer,), {"rule": staticmethod(rule)})
    return lambda params, **settings: cls(params, settings, engine="plain")


class Foreign(torch.optim.Optimizer):
    """Runs an optimizer of another library over torch's weights, group by group.

    A subclass says what makes it (`source`, whose settings alone are taken), makes one for the
    arrays of a group (`begin`) and takes a step with it (`advance`). What the interface does not
    have is left unanswered: states in files, closures, missing gradients, bfloat16, a tensor lr.
    """

    source, elsewhere = None, True  # its buffers, and the gradients that it sees

    def __init__(self, params, lr=1e-3, **settings):
        if unknown := settings.keys() - inspect.signature(self.source).parameters.keys():
            raise TypeError(f"unexpected keyword argument {', '.join(sorted(unknown))!r}")
        if torch.is_tensor(lr):
            raise UnknownError("its interface has no tensors of PyTorch")
        super().__init__(params, {"lr": lr, **settings})
        self.running = {}

    @torch.no_grad()
    def step(self, closure=None):
        """Take one step of every group, from the gradients in `.grad`."""
        for number, group in enumerate(self.param_groups):
            weights = group["params"]
            if closure or any(w.grad is None or w.dtype == torch.bfloat16 for w in weights):
                raise UnknownError("its interface has no such thing")
            settings = {name: x for name, x in group.items() if name not in ("params", "lr")}
            old = [w.numpy() for w in weights]
            if number not in self.running:
                self.running[number] = self.begin(old, float(group["lr"]), settings)
            grads = [w.grad.numpy() for w in weights]
            new = self.advance(number, old, grads, float(group["lr"]), settings)
            for w, array in zip(weights, new, strict=True):
                w.copy_(torch.as_tensor(array))

    def state_dict(self):
        """Raise: the state is the other library's."""
        raise UnknownError("its state is the other library's")

    def __deepcopy__(self, memo):
        raise UnknownError("its state is the other library's")


def of_optax(make: Callable[..., object]) -> Callable[..., Foreign]:
    """Return a factory of an optax transformation: make(learning_rate=..., **settings) -> one."""
    import jax
    import numpy as np
    import optax

    jax.config.update("jax_enable_x64", True)

    class Optax(Foreign):
        source = staticmethod(make)
        steps = {}  # compiled ones

        def begin(self, old, lr, settings):
            return make(learning_rate=lr, **settings).init(old)

        def advance(self, number, old, grads, lr, settings):
            key = lr, *sorted(settings.items())
            if key not in self.steps:
                self.steps[key] = jax.jit(make(learning_rate=lr, **settings).update)
            moves, self.running[number] = self.steps[key](grads, self.running[number], old)
            return [np.array(x) for x in optax.apply_updates(old, moves)]

    return Optax


def of_keras(cls: type) -> Callable[..., Foreign]:
    """Return a factory of a Keras 3 optimizer, whose back end must be torch or NumPy."""
    import keras
    import numpy as np

    class Keras(Foreign):
        source = cls

        def begin(self, old, lr, settings):
            variables = [keras.Variable(w, dtype=w.dtype) for w in old]
            optimizer = cls(learning_rate=lr, **settings)
            optimizer.build(variables)
            return optimizer, variables

        def advance(self, number, old, grads, lr, settings):
            optimizer, variables = self.running[number]
            optimizer.learning_rate = lr
            for variable, w in zip(variables, old, strict=True):
                variable.assign(w)
            optimizer.apply([keras.ops.convert_to_tensor(g) for g in grads], variables)
            return [np.array(keras.ops.convert_to_numpy(x)) for x in variables]

    return Keras

"""The rules as PyTorch optimizers: one adapter, and one small class per rule.

Names, order and defaults of the arguments are torch.optim's where it has the counterpart (but for
momentum, 0.9 here and 0 in its SGD). What is the same for all rules lives in the adapter:
`weight_decay` adds an L2 term to the gradient, `maximize` turns its sign.
"""

import inspect
import math
from numbers import Real

import torch

from adamlib import rules


def _check(name, value):
    """Raise ValueError or TypeError unless `value` is allowed for the hyperparameter `name`."""
    if name == "betas":
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise ValueError(f"betas must be two numbers in [0, 1), got {value!r}")
        for i, beta in enumerate(value):
            _check(f"betas[{i}]", beta)
        return
    if name == "maximize":
        if not isinstance(value, bool):
            raise TypeError(f"maximize must be True or False, got {value!r}")
        return
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    below_one = name.startswith("betas") or name in ("momentum", "alpha")
    if not 0 <= value < (1 if below_one else math.inf):  # also turns nan away
        allowed = "in [0, 1)" if below_one else "finite and >= 0"
        raise ValueError(f"{name} must be {allowed}, got {value!r}")


class RuleOptimizer(torch.optim.Optimizer):
    """Runs a rule of `adamlib.rules` over the parameters of a model.

    A subclass sets `rule`. Its buffers are kept in `state[p]` under the rule's own names, the
    number of steps taken under "step". Raises ValueError or TypeError for a hyperparameter out of
    range or unknown and for a parameter that is not real floating point, RuntimeError for a sparse
    gradient.
    """

    rule = None

    def __init_subclass__(cls):
        """Read the names of the buffers, where they start, and the hyperparameters off the rule."""
        arguments = inspect.signature(cls.rule).parameters.values()
        cls._hyper = [a.name for a in arguments if a.kind is a.KEYWORD_ONLY]
        cls._buffers = {
            a.name: a.default
            for a in arguments
            if a.kind is a.POSITIONAL_OR_KEYWORD and a.default is not a.empty
        }

    def add_param_group(self, param_group):
        """Add a group of parameters with its own hyperparameters, checked first."""
        if isinstance(param_group, dict):
            for name, value in param_group.items():
                if name not in ("params", "param_names") and not name.startswith("initial_"):
                    if name not in self.defaults:
                        known = sorted(self.defaults)
                        raise TypeError(f"unknown hyperparameter {name!r}; known are {known}")
                    _check(name, value)
        for name, value in self.defaults.items():
            _check(name, value)
        super().add_param_group(param_group)
        for w in self.param_groups[-1]["params"]:
            if not w.is_floating_point():
                self.param_groups.pop()
                raise TypeError(f"params must be real floating point tensors, got {w.dtype}")

    @torch.no_grad()
    def step(self, closure=None):
        """Take one step from the gradients in `.grad`; return the closure's loss or None."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        groups = [
            (group, [w for w in group["params"] if w.grad is not None])
            for group in self.param_groups
        ]
        if any(w.grad.is_sparse for _, weights in groups for w in weights):
            raise RuntimeError(f"{type(self).__name__} does not support sparse gradients")
        for group, weights in groups:
            hyper = {name: group[name] for name in self._hyper}
            for w in weights:
                self._update(w, group["weight_decay"], group["maximize"], hyper)
        return loss

    def _update(self, w, weight_decay, maximize, hyper):
        state = self.state[w]
        if not state:
            state["step"] = 0
            for name, start in self._buffers.items():
                state[name] = torch.full_like(w, start)
        state["step"] += 1
        g = -w.grad if maximize else w.grad
        if weight_decay:
            g = g + weight_decay * w  # the gradient of ½ weight_decay ‖w‖²
        old = (state[name] for name in self._buffers)
        new, *buffers = self.rule(w, g, state["step"], *old, **hyper)
        w.copy_(new)
        state.update(zip(self._buffers, buffers, strict=True))


class GradientDescent(RuleOptimizer):
    """`rules.gradient_descent` for a model; torch.optim.SGD without momentum."""

    rule = staticmethod(rules.gradient_descent)

    def __init__(self, params, lr=1e-3, *, weight_decay=0, maximize=False):
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay, maximize=maximize))


class Momentum(RuleOptimizer):
    """`rules.momentum` for a model; torch.optim.SGD(momentum=0.9)."""

    rule = staticmethod(rules.momentum)

    def __init__(self, params, lr=1e-3, momentum=0.9, *, weight_decay=0, maximize=False):
        defaults = dict(lr=lr, momentum=momentum, weight_decay=weight_decay, maximize=maximize)
        super().__init__(params, defaults)


class Nesterov(Momentum):
    """`rules.nesterov` for a model; torch.optim.SGD(momentum=0.9, nesterov=True)."""

    rule = staticmethod(rules.nesterov)


class AdaGrad(RuleOptimizer):
    """`rules.adagrad` for a model; torch.optim.Adagrad."""

    rule = staticmethod(rules.adagrad)

    def __init__(self, params, lr=1e-2, *, weight_decay=0, eps=1e-10, maximize=False):
        defaults = dict(lr=lr, eps=eps, weight_decay=weight_decay, maximize=maximize)
        super().__init__(params, defaults)


class RMSProp(RuleOptimizer):
    """`rules.rmsprop` for a model; torch.optim.RMSprop."""

    rule = staticmethod(rules.rmsprop)

    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, *, maximize=False):
        defaults = dict(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, maximize=maximize)
        super().__init__(params, defaults)


class Adam(RuleOptimizer):
    """`rules.adam` for a model; torch.optim.Adam."""

    rule = staticmethod(rules.adam)

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, *, maximize=False
    ):
        defaults = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize)
        super().__init__(params, defaults)

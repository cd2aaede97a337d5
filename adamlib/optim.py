"""The rules as PyTorch optimizers: one small class per rule.

Each class is a drop-in for its counterpart in torch.optim (`Lion`: in lion-pytorch): the same
names, order and defaults of the arguments (but for momentum, 0.9 here and 0 in SGD), the same keys
in its state, and so checkpoints that either one can go on from. `ScheduleFree` is used as
AdamWScheduleFree of the package schedulefree is, and keeps other buffers.

What is the same for all lives in `engine.adapter`: `weight_decay` adds an L2 term to the gradient,
`maximize` turns its sign, `differentiable` lets gradients flow through a step, `engine` is one of
`engine.choice.ENGINES`, and `state_dtype=torch.bfloat16` keeps buffers of two bytes, rounded at
random. `foreach` and `fused` are accepted and change nothing.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.optim.optimizer import ParamsT

from adamlib import rules
from adamlib.engine.adapter import RuleOptimizer
from adamlib.engine.matrices import MatrixRunner

Rate = float | torch.Tensor
Pair = tuple[float, float]


class GradientDescent(RuleOptimizer):
    """`rules.gradient_descent` for a model; torch.optim.SGD without momentum."""

    rule = staticmethod(rules.gradient_descent)
    implies = {"momentum": 0, "dampening": 0, "nesterov": False}
    clock = False

    def __init__(
        self, params: ParamsT, lr: Rate = 1e-3, *, weight_decay: float = 0, **options: Any
    ) -> None:
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay), **options)


class Momentum(RuleOptimizer):
    """`rules.momentum` for a model; torch.optim.SGD(momentum=0.9)."""

    rule = staticmethod(rules.momentum)
    names = {"b": "momentum_buffer"}
    implies = {"dampening": 0, "nesterov": False}
    clock = False

    def __init__(
        self, params: ParamsT, lr: Rate = 1e-3, momentum: float = 0.9,
        *, weight_decay: float = 0, **options: Any,
    ) -> None:  # fmt: skip
        hyper = dict(lr=lr, momentum=momentum, weight_decay=weight_decay)
        super().__init__(params, hyper, **options)


class Nesterov(Momentum):
    """`rules.nesterov` for a model; torch.optim.SGD(momentum=0.9, nesterov=True)."""

    rule = staticmethod(rules.nesterov)
    implies = {"dampening": 0, "nesterov": True}


class AdaGrad(RuleOptimizer):
    """`rules.adagrad` for a model; torch.optim.Adagrad."""

    rule = staticmethod(rules.adagrad)
    names = {"s": "sum"}
    implies = {"lr_decay": 0, "initial_accumulator_value": 0}

    def __init__(
        self, params: ParamsT, lr: Rate = 1e-2,
        *, weight_decay: float = 0, eps: float = 1e-10, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(params, dict(lr=lr, eps=eps, weight_decay=weight_decay), **options)


class RMSProp(RuleOptimizer):
    """`rules.rmsprop` for a model; torch.optim.RMSprop."""

    rule = staticmethod(rules.rmsprop)
    names = {"v": "square_avg"}
    implies = {"momentum": 0, "centered": False}

    def __init__(
        self, params: ParamsT, lr: Rate = 1e-2, alpha: float = 0.99,
        eps: float = 1e-8, weight_decay: float = 0, **options: Any,
    ) -> None:  # fmt: skip
        hyper = dict(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay)
        super().__init__(params, hyper, **options)


class Adam(RuleOptimizer):
    """`rules.adam` for a model; torch.optim.Adam."""

    rule = staticmethod(rules.adam)
    names = {"m": "exp_avg", "v": "exp_avg_sq"}
    implies = {"amsgrad": False, "decoupled_weight_decay": False}

    def __init__(
        self, params: ParamsT, lr: Rate = 1e-3, betas: Pair = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, **options: Any,
    ) -> None:  # fmt: skip
        hyper = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        super().__init__(params, hyper, **options)


class AdamW(Adam):
    """`rules.adamw` for a model; torch.optim.AdamW. Its `weight_decay` is not an L2 term."""

    rule = staticmethod(rules.adamw)
    implies = {"amsgrad": False, "decoupled_weight_decay": True}

    def __init__(
        self, params: ParamsT, lr: Rate = 1e-3, betas: Pair = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, **options)


class AMSGrad(Adam):
    """`rules.amsgrad` for a model; torch.optim.Adam(amsgrad=True)."""

    rule = staticmethod(rules.amsgrad)
    names = {**Adam.names, "v_max": "max_exp_avg_sq"}
    implies = {"amsgrad": True, "decoupled_weight_decay": False}


class AdaMax(Adam):
    """`rules.adamax` for a model; torch.optim.Adamax."""

    rule = staticmethod(rules.adamax)
    names = {"m": "exp_avg", "u": "exp_inf"}
    implies = {}

    def __init__(
        self, params: ParamsT, lr: Rate = 2e-3, betas: Pair = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, **options)


class Lion(RuleOptimizer):
    """`rules.lion` for a model; Lion of lion-pytorch. Its `weight_decay` is not an L2 term."""

    rule = staticmethod(rules.lion)
    names = {"m": "exp_avg"}
    clock = False

    def __init__(
        self, params: ParamsT, lr: Rate = 1e-4, betas: Pair = (0.9, 0.99),
        weight_decay: float = 0, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay), **options)


class NAdam(RuleOptimizer):
    """`rules.nadam` for a model; torch.optim.NAdam, which rounds `mu_product` to float32."""

    rule = staticmethod(rules.nadam)
    names = {**Adam.names, "product": "mu_product"}
    implies = {"decoupled_weight_decay": False}

    def __init__(
        self, params: ParamsT, lr: Rate = 2e-3, betas: Pair = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, momentum_decay: float = 4e-3, **options: Any,
    ) -> None:  # fmt: skip
        hyper = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        super().__init__(params, {**hyper, "momentum_decay": momentum_decay}, **options)


class RAdam(Adam):
    """`rules.radam` for a model; torch.optim.RAdam."""

    rule = staticmethod(rules.radam)
    implies = {"decoupled_weight_decay": False}


class ScheduleFree(RuleOptimizer):
    """`rules.schedule_free` for a model; AdamWScheduleFree of schedulefree, without its warm-up.

    The weights are y, where gradients are taken, until `eval()` makes them x, to be evaluated and
    saved; `train()` turns back. A new one is in training mode, where theirs is in neither. The
    optimizer has to be in eval mode when a checkpoint of model and optimizer is to hold x.
    """

    rule = staticmethod(rules.schedule_free)
    names = {"v": "exp_avg_sq"}
    implies = {"warmup_steps": 0, "r": 0}
    advice = "its average weighs all steps alike; torch.optim.lr_scheduler.LinearLR can warm up"
    modes = {"train_mode": True}

    def __init__(
        self, params: ParamsT, lr: Rate = 2.5e-3, betas: Pair = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, **options: Any,
    ) -> None:  # fmt: skip
        hyper = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        super().__init__(params, hyper, **options)

    def train(self) -> None:
        """Make the weights y, where gradients are to be taken; nothing if they are."""
        self._turn(True)

    def eval(self) -> None:
        """Make the weights x, the average to be evaluated; nothing if they are."""
        self._turn(False)

    @torch.no_grad()
    def _turn(self, training):
        for group in self.param_groups:
            away = (1 if training else -1) * (1 - float(group["betas"][0]))  # y from x
            for w in group["params"] if group["train_mode"] != training else ():
                if self.state.get(w):
                    w.add_(self.state[w]["s"], alpha=away)
            group["train_mode"] = training

    @torch._disable_dynamo
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Take one step; raise RuntimeError in eval mode, where gradients are not those of y."""
        if not all(group["train_mode"] for group in self.param_groups):
            raise RuntimeError("step() needs training mode: call the optimizer's train() before it")
        return super().step(closure)


class Muon(RuleOptimizer):
    """`rules.muon` for the matrices of a model; torch.optim.Muon.

    Takes kernels of convolutions, too: (out, in, h, w) is a matrix (out, in h w). Biases, norms,
    embeddings and the last layer belong to a second optimizer, AdamW, as with PyTorch's: only you
    know which matrices are embeddings, and theirs are another learning rate and other buffers.

    `engine="plain"` runs the rule in the dtype of the weights. "auto" and "numba" multiply float32
    in bfloat16 where the processor has it, as PyTorch does, and in another order.
    """

    rule = staticmethod(rules.muon)
    runner = MatrixRunner
    clock = False
    names = {"b": "momentum_buffer"}
    implies = {
        "nesterov": True,
        "ns_coefficients": rules.orthogonal.__defaults__[-1],
        "adjust_lr_fn": None,
    }

    def __init__(
        self, params: ParamsT, lr: Rate = 1e-3, weight_decay: float = 0.1, momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = implies["ns_coefficients"],
        eps: float = 1e-7, ns_steps: int = 5, adjust_lr_fn: str | None = None, **options: Any,
    ) -> None:  # fmt: skip
        hyper = dict(
            lr=lr, weight_decay=weight_decay, momentum=momentum, eps=eps, ns_steps=ns_steps
        )
        options |= dict(nesterov=nesterov, ns_coefficients=tuple(ns_coefficients))
        options["adjust_lr_fn"] = None if adjust_lr_fn == "original" else adjust_lr_fn
        super().__init__(params, hyper, **options)

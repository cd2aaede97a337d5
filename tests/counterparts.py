"""What torch.optim has not, or not in float64, written out for ours to be compared with.

`tests/test_authors.py` holds two of them to recorded walks of their authors' packages.
"""

from contextlib import contextmanager

import torch


class Loop(torch.optim.Optimizer):
    """An optimizer in single operations; a subclass has its `usual` settings and an `update`.

    Two-byte weights are computed in float32, complex ones as pairs of numbers.
    """

    usual, buffers = {}, ()

    def __init__(self, params, **settings):
        super().__init__(params, {**self.usual, "maximize": False, **settings})

    @torch.no_grad()
    def step(self, closure=None):
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            for w in (w for w in group["params"] if w.grad is not None):
                state, lr = self.state[w], float(group["lr"])
                if not state:
                    state |= {"step": torch.tensor(0.0)}
                    state |= {name: torch.zeros_like(w) for name in self.buffers}
                state["step"] += 1  # an int in a checkpoint of ours
                tensors = (w, w.grad, *(state[name] for name in self.buffers))
                real = [torch.view_as_real(x) if x.is_complex() else x for x in tensors]
                own, g, *old = (x.to(torch.promote_types(x.dtype, torch.float32)) for x in real)
                g = -g if group["maximize"] else g
                new = self.update(own, g, int(state["step"]), *old, lr, group)
                for x, value in zip((real[0], *real[2:]), new, strict=True):
                    x.copy_(value)
        return loss


class Lion(Loop):
    """Chen et al. (2023), Algorithm 2."""

    usual, buffers = {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0.0}, ("exp_avg",)

    def update(self, w, g, t, m, lr, group):
        beta1, beta2 = group["betas"]
        toward = torch.sign(torch.lerp(g, m, beta1)) + group["weight_decay"] * w
        return w - lr * toward, torch.lerp(g, m, beta2)


class ScheduleFree(Loop):
    """Defazio et al. (2024), Algorithm 1, with Adam's ruler: x and z, and y between them."""

    usual = {"lr": 0.0025, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0}
    usual |= {"warmup_steps": 0, "r": 0.0, "train_mode": True}
    buffers = ("s", "exp_avg_sq")

    def update(self, y, g, t, s, v, lr, group):
        beta1, beta2 = group["betas"]
        x, z = y - (1 - beta1) * s, y + beta1 * s
        v = torch.lerp(g * g, v, beta2)
        z = z - lr * g / ((v / (1 - beta2**t)).sqrt() + group["eps"])
        z = z - lr * group["weight_decay"] * y
        x = (1 - 1 / t) * x + z / t
        return (1 - beta1) * z + beta1 * x, z - x, v


class NAdam(torch.optim.NAdam):
    """torch.optim's, its product of all momenta in float64; there it has the default dtype."""

    def _init_group(self, *arguments):
        with doubled():
            return super()._init_group(*arguments)

    def __setstate__(self, state):
        with doubled():
            super().__setstate__(state)


@contextmanager
def doubled():
    """Let new numbers of torch be in float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)

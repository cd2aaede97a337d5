"""Random programs over an optimizer: ours goes as torch's does after every operation.

`pytest tests/engine/test_programs.py --programs 20000` runs more of them than `make test` does.
"""

import copy
import math
import pickle

import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run
from oracle import PAIRS
from torch.optim import lr_scheduler as torchs

SHAPES = [(3,), (2, 3), (), (0,), (40,)]
#: Of the largest number so far. bfloat16: torch rounds within a step, too.
CLOSE = {torch.float64: 1e-10, torch.float32: 3e-5, torch.bfloat16: 0.1}
WAYS = {  # what users hand over
    "list": lambda weights: weights,
    "iterator": iter,
    "values": lambda weights: dict(enumerate(weights)).values(),
    "module": lambda weights: torch.nn.ParameterList(weights).parameters(),
    "named": lambda weights: [(f"w{k}", w) for k, w in enumerate(weights)],
    "groups": lambda weights: [
        {"params": weights[:2], "lr_scale": 0.5, "weight_decay": 0.01},
        {"params": iter(weights[2:]), "lr": 0.05, "layer_id": 3},
    ],
}
GRADIENTS = {"none": None, "zero": 0.0, "small": 1e-6, "usual": 1.0, "huge": 1e12}
KINDS = st.sampled_from(sorted(GRADIENTS))
SEEDS = st.integers(0, 2**20)
EDITS = {
    "lr": (0.0, 0.01, 0.3),
    "weight_decay": (0, 0.1),
    "eps": (1e-8, 0.1),
    "betas": ((0.5, 0.9), [0.0, 0.99]),
    "momentum": (0.5, 0.99),
    "alpha": (0.5, 0.99),
    "momentum_decay": (0.0, 0.5),
    "maximize": (True, False),
    "lr_scale": (0.1, 2),
}
UNCOUNTED = ("gradient_descent", "momentum", "nesterov")  # torch's SGD keeps no step
CYCLES = ("momentum", "nesterov", "adam", "adamw", "amsgrad", "adamax")  # they have one to cycle
CYCLES += ("lion", "nadam", "radam", "schedule_free")
SCHEDULES = {
    "StepLR": lambda o: torchs.StepLR(o, 2, 0.5),
    "CosineAnnealingLR": lambda o: torchs.CosineAnnealingLR(o, 3),
    "CosineAnnealingWarmRestarts": lambda o: torchs.CosineAnnealingWarmRestarts(o, 2),
    "LambdaLR": lambda o: torchs.LambdaLR(o, lambda t: 1 / (1 + t)),
    "SequentialLR": lambda o: torchs.SequentialLR(
        o, [torchs.LinearLR(o), torchs.ExponentialLR(o, 0.9)], [2]
    ),
    "ChainedScheduler": lambda o: torchs.ChainedScheduler(
        [torchs.ConstantLR(o), torchs.MultiStepLR(o, [1, 3])]
    ),
    "OneCycleLR": lambda o: torchs.OneCycleLR(o, 0.1, total_steps=50),
    "CyclicLR": lambda o: torchs.CyclicLR(o, 0.01, 0.1, step_size_up=2),
    "ReduceLROnPlateau": lambda o: torchs.ReduceLROnPlateau(o, patience=0),
}


class Side:
    """One of the two optimizers, with its weights and what goes with them."""

    def __init__(self, make, way, seed, dtype):
        draw = torch.Generator().manual_seed(seed)
        tensors = [torch.randn(s, generator=draw, dtype=torch.float64).to(dtype) for s in SHAPES]
        self.optimizer = make(WAYS[way]([torch.nn.Parameter(x) for x in tensors]))
        self.schedules = []

    @property
    def weights(self):
        return [w for group in self.optimizer.param_groups for w in group["params"]]

    def replace(self, k, change):
        """Put another parameter in the place of number k, and its state with it."""
        old = self.weights[k]
        new = torch.nn.Parameter(change(old.detach()))
        for group in self.optimizer.param_groups:
            group["params"] = [new if w is old else w for w in group["params"]]
        state = self.optimizer.state.pop(old, {})
        alike = {name: torch.is_tensor(x) and x.shape == old.shape for name, x in state.items()}
        moved = {x: change(state[x]) if alike[x] and x != "step" else state[x] for x in state}
        if moved:
            self.optimizer.state[new] = moved


class Programs(RuleBasedStateMachine):
    @initialize(
        name=st.sampled_from(sorted(PAIRS)),
        way=st.sampled_from(sorted(WAYS)),
        dtype=st.sampled_from([torch.float64, torch.float64, torch.float32, torch.bfloat16]),
        engine=st.sampled_from(["auto", "auto", "plain"]),
        seed=SEEDS,
    )
    def construct(self, name, way, dtype, engine, seed):
        self.cls, other, hyper, switches = PAIRS[name]
        self.name, self.largest, self.dtype = name, 1.0, dtype
        self.sides = (
            Side(lambda params: self.cls(params, engine=engine, **hyper), way, seed, dtype),
            Side(lambda params: other(params, **hyper, **switches), way, seed, dtype),
        )

    def gradients(self, kinds, seed, scale=1.0):
        for side in self.sides:
            draw = torch.Generator().manual_seed(seed)
            for k, w in enumerate(side.weights):
                size = GRADIENTS[kinds[k % len(kinds)]]
                g = torch.randn(w.shape, generator=draw, dtype=torch.float64)
                w.grad = None
                if size is not None and w.requires_grad:
                    w.grad = (g * size * scale).to(w.dtype)

    @rule(kinds=st.lists(KINDS, min_size=1, max_size=5), seed=SEEDS, closure=st.booleans())
    def step(self, kinds, seed, closure):
        self.gradients(kinds, seed)
        for side in self.sides:  # no two steps at one rate
            side.optimizer.param_groups[0]["lr"] *= 0.9
        returned = [
            side.optimizer.step((lambda: torch.ones(())) if closure else None)
            for side in self.sides
        ]
        assert returned[0] == returned[1]

    @rule(kinds=st.lists(KINDS, min_size=1, max_size=5), seed=SEEDS)
    def clipped_step(self, kinds, seed):
        self.gradients(kinds, seed)
        for side in self.sides:
            torch.nn.utils.clip_grad_norm_(side.weights, 1.0)
            side.optimizer.step()

    @rule(seed=SEEDS, spoilt=st.booleans())
    def scaled_step(self, seed, spoilt):
        self.gradients(["usual"], seed, math.inf if spoilt else 8.0)
        for side in self.sides:
            if all(w.grad is None for w in side.weights):
                return  # GradScaler refuses a step without gradients
            scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
            scaler.scale(torch.zeros(()))
            scaler.step(side.optimizer)
            scaler.update()
            side.optimizer.zero_grad()  # what is not finite spoils both, in other ways

    @rule(to_none=st.booleans())
    def zero_grad(self, to_none):
        for side in self.sides:
            side.optimizer.zero_grad(set_to_none=to_none)

    @rule(kind=st.sampled_from(sorted(SCHEDULES)))
    def schedule(self, kind):
        if kind in ("OneCycleLR", "CyclicLR") and self.name not in CYCLES:
            return
        for side in self.sides:
            if len(side.schedules) < 2:
                side.optimizer.step()  # without gradients, or PyTorch warns of the order
                side.schedules.append(SCHEDULES[kind](side.optimizer))

    @rule(seed=SEEDS)
    def scheduled(self, seed):
        self.gradients(["usual"], seed)
        for side in self.sides:
            side.optimizer.step()
            for each in side.schedules:
                each.step(*([1.0] if isinstance(each, torchs.ReduceLROnPlateau) else []))

    @rule(key=st.sampled_from(["lr", *sorted(EDITS)]), which=SEEDS, value=SEEDS)
    def edit(self, key, which, value):
        self.gradients(["usual"], value)
        for side in self.sides:
            group = side.optimizer.param_groups[which % len(side.optimizer.param_groups)]
            if key in self.cls.hyper or key == "lr_scale":
                group[key] = EDITS[key][value % len(EDITS[key])]
            side.optimizer.step()

    @rule(which=SEEDS, how=st.sampled_from(["clear", "pop", "copy", "zeros"]))
    def touch_state(self, which, how):
        if how in ("clear", "pop") and self.name == "adagrad":
            return  # torch's Adagrad makes its state when it is built
        for side in self.sides:
            state = side.optimizer.state
            w = side.weights[which % len(side.weights)]
            if how == "pop":
                state.pop(w, None)
            elif w in state and how == "clear":
                state[w].clear()
            elif w in state and how == "copy":
                state[w] = copy.deepcopy(state[w])
            elif state.get(w):  # as torch.optim would begin: "step" is a tensor, if there is one
                begun = {x: torch.zeros_like(w) for x in self.cls.arrays}
                begun |= {x: torch.tensor(1.0) for x in self.cls.numbers.values()}
                counts = self.name not in UNCOUNTED
                state[w] = ({"step": torch.tensor(0.0)} if counts else {}) | begun

    @rule(missing=st.booleans(), swapped=st.booleans(), which=SEEDS)
    def load(self, missing, swapped, which):
        dicts = [copy.deepcopy(side.optimizer.state_dict()) for side in self.sides]
        for state_dict in dicts:
            if missing and self.name != "adagrad":
                state_dict["state"].pop(which % len(SHAPES), None)
        for side, state_dict in zip(self.sides, dicts[::-1] if swapped else dicts, strict=True):
            side.optimizer.load_state_dict(state_dict)

    @precondition(lambda self: not self.sides[0].schedules)
    @rule(pickled=st.booleans())
    def copied(self, pickled):
        for side in self.sides:
            again = pickle.loads(pickle.dumps(side.optimizer)) if pickled else None
            side.optimizer = again or copy.deepcopy(side.optimizer)

    @precondition(lambda self: not self.sides[0].schedules and len(self.sides[0].weights) < 8)
    @rule(seed=SEEDS)
    def add_group(self, seed):
        for side in self.sides:
            x = torch.randn(4, generator=torch.Generator().manual_seed(seed)).to(self.dtype)
            x = torch.nn.Parameter(x)
            named = "param_names" in side.optimizer.param_groups[0]
            side.optimizer.add_param_group({"params": [("x", x)] if named else x, "rho": 0.05})

    @rule(which=SEEDS, grow=st.booleans())
    def resize(self, which, grow):
        for side in self.sides:
            k = which % len(side.weights)
            if side.weights[k].ndim:
                side.replace(k, lambda x: torch.cat([x, x * 0]) if grow else x[: len(x) // 2])

    @rule(which=SEEDS)
    def freeze_or_thaw(self, which):
        for side in self.sides:
            w = side.weights[which % len(side.weights)]
            w.grad = None
            w.requires_grad_(not w.requires_grad)

    @rule(which=SEEDS)
    def other_memory(self, which):
        for side in self.sides:
            w = side.weights[which % len(side.weights)]
            w.data = w.data.clone()

    @rule(dtype=st.sampled_from([torch.float64, torch.float32]))
    def other_dtype(self, dtype):
        for side in self.sides:
            for w in side.weights:
                w.grad, w.data = None, w.data.to(dtype)
            side.optimizer.load_state_dict(side.optimizer.state_dict())
        self.dtype = dtype if self.dtype == torch.float64 else self.dtype  # what was rounded stays

    @invariant()
    def same(self):
        mine, torchs_ = self.sides
        for w, other in zip(mine.weights, torchs_.weights, strict=True):
            pairs = [(w.detach(), other.detach())]
            states = mine.optimizer.state.get(w, {}), torchs_.optimizer.state.get(other, {})
            uncounted = {"step"} if self.name in UNCOUNTED else set()
            for key in (states[0].keys() & states[1].keys()) - uncounted:
                pairs.append([torch.as_tensor(x[key], dtype=torch.float64) for x in states])
            for x, y in pairs:
                if y.numel():
                    self.largest = max(self.largest, y.abs().nan_to_num(0, 0, 0).max().item())
                near = CLOSE[self.dtype] * self.largest
                torch.testing.assert_close(
                    x.double(), y.double(), rtol=0, atol=near, equal_nan=True
                )
        groups = (side.optimizer.param_groups for side in self.sides)
        for group, other in zip(*groups, strict=True):
            for key in ("lr", "lr_scale", "layer_id", "rho", "initial_lr"):
                assert group.get(key) == other.get(key), key


@pytest.mark.slow
def test_programs_go_as_with_torch(pytestconfig):
    many = pytestconfig.getoption("--programs")
    steps = dict(stateful_step_count=12, deadline=None, derandomize=many == 200, database=None)
    quiet = dict(suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
    run(Programs, settings=settings(max_examples=many, **steps, **quiet))

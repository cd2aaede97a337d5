"""What is put around an optimizer: schedules, averages, scaled and clipped gradients."""

import pytest
import torch
from oracle import (
    CLOSE,
    NEAR,
    PAIRS,
    distance,
    every_class,
    every_engine,
    ours,
    ramp,
    theirs,
    walk,
    weights_of,
)
from torch.nn.utils import (
    clip_grad_norm_,
    clip_grad_value_,
    parameters_to_vector,
    vector_to_parameters,
)
from torch.optim import lr_scheduler, swa_utils

from adamlib.engine import compiler


def cycles(optimizer):
    """Whether there is a momentum to cycle (torch's SGD and RMSprop have one that may be 0)."""
    group = optimizer.param_groups[0]
    return "betas" in group or group.get("momentum", 0) > 0


SCHEDULERS = {
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 0.9**epoch),
    "MultiplicativeLR": lambda o: lr_scheduler.MultiplicativeLR(o, lambda epoch: 0.9),
    "StepLR": lambda o: lr_scheduler.StepLR(o, 2),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [2, 4]),
    "ConstantLR": lambda o: lr_scheduler.ConstantLR(o, total_iters=3),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, total_iters=4),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.8),
    "PolynomialLR": lambda o: lr_scheduler.PolynomialLR(o, 5),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 6),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ExponentialLR(o, 0.9), lr_scheduler.ConstantLR(o, total_iters=2)]
    ),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.ConstantLR(o, total_iters=2), lr_scheduler.ExponentialLR(o, 0.9)], [3]
    ),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=1),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(
        o, 0.01, 0.1, step_size_up=3, cycle_momentum=cycles(o)
    ),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.1, 10, cycle_momentum=cycles(o)),
    "SWALR": lambda o: swa_utils.SWALR(o, 0.005, anneal_epochs=3),
}
ABSTRACT = {"LRScheduler", "_LRScheduler"}


def test_every_scheduler_of_torch_is_tried():
    kinds = [k for k in vars(lr_scheduler).values() if isinstance(k, type)]
    found = {k.__name__ for k in kinds if issubclass(k, lr_scheduler.LRScheduler)}
    assert set(SCHEDULERS) == (found | {"SWALR"}) - ABSTRACT


@every_class
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_every_scheduler_goes_as_in_torch(name, scheduler):
    mine, other = ours(name), theirs(name)
    schedules = [SCHEDULERS[scheduler](optimizer) for optimizer in (mine, other)]
    rates = set()
    for k in range(8):
        walk((mine, other), 1, seed=k)
        for schedule in schedules:
            schedule.step(*((1.0,) if scheduler == "ReduceLROnPlateau" else ()))
        groups = mine.param_groups[0], other.param_groups[0]
        assert groups[0]["lr"] == groups[1]["lr"]
        assert all(
            groups[0][key] == groups[1][key] for key in groups[0].keys() & {"betas", "momentum"}
        )
        rates.add(groups[0]["lr"])
    assert distance(mine, other) < CLOSE and len(rates) > 1


@pytest.mark.parametrize("name", ["gradient_descent", "adagrad", "rmsprop"])
@pytest.mark.parametrize("make", [lr_scheduler.CyclicLR, lr_scheduler.OneCycleLR])
def test_a_momentum_that_a_rule_lacks_cannot_be_cycled(name, make):
    with pytest.raises(ValueError, match="support momentum"):
        make(ours(name), 0.01, 10)


@every_class
def test_a_scheduler_writes_into_a_tensor_lr(name):
    mine, other = (f(name, lr=torch.tensor(0.05, dtype=torch.float64)) for f in (ours, theirs))
    rate = mine.param_groups[0]["lr"]
    schedules = [lr_scheduler.ExponentialLR(optimizer, 0.5) for optimizer in (mine, other)]
    for k in range(4):
        walk((mine, other), 1, seed=k)
        for schedule in schedules:
            schedule.step()
    assert mine.param_groups[0]["lr"] is rate and rate == other.param_groups[0]["lr"] == 0.05 / 16
    assert distance(mine, other) < CLOSE


@every_class
@every_engine
def test_hyperparameters_that_all_change_at_every_step_compile_nothing(name, engine):
    mine, other = ours(name, engine=engine), theirs(name)
    walk((mine, other), 1)
    built = compiler.kernel.cache_info().misses
    for k in range(1, 6):
        for group in (mine.param_groups[0], other.param_groups[0]):
            group["maximize"] = k % 2 == 0
            for key in mine.own.keys() | {"weight_decay"}:
                if key == "betas":
                    group[key] = tuple(beta * 0.99 for beta in group[key])
                else:
                    group[key] = 0.9 * group[key] + 1e-3
        walk((mine, other), 1, seed=k)
    assert distance(mine, other) < NEAR[engine]
    assert compiler.kernel.cache_info().misses == built


@every_class
@pytest.mark.parametrize("average", [None, swa_utils.get_ema_multi_avg_fn(0.9)], ids=["SWA", "EMA"])
def test_averages_of_the_weights_go_as_in_torch(name, average):
    ends = []
    for cls, switches in ((PAIRS[name][0], {}), (PAIRS[name][1], PAIRS[name][3])):
        model = torch.nn.Linear(4, 2, dtype=torch.float64)
        vector_to_parameters(ramp(10), model.parameters())
        optimizer = cls(model.parameters(), **PAIRS[name][2], **switches)
        mean = swa_utils.AveragedModel(model, multi_avg_fn=average)
        schedule = swa_utils.SWALR(optimizer, 0.005, anneal_epochs=2)
        for k in range(5):
            walk((optimizer,), 1, seed=k)
            mean.update_parameters(model)
            schedule.step()
        ends.append([parameters_to_vector(m.parameters()).detach() for m in (mean, model)])
    assert (ends[0][0] - ends[1][0]).abs().max() < CLOSE
    assert not torch.equal(*ends[0])


@every_class
@pytest.mark.parametrize("clip", [clip_grad_norm_, clip_grad_value_])
def test_gradients_are_scaled_and_clipped_as_in_torch_and_an_overflow_skips_the_step(name, clip):
    mine, other = (f(name, lambda: [ramp(3, 4)]) for f in (ours, theirs))
    for optimizer in (mine, other):
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8)
        (w,) = weights_of(optimizer)
        for k in range(6):
            optimizer.zero_grad()
            scaler.scale((torch.inf if k == 3 else 1.0) * (w**2).sum()).backward()
            scaler.unscale_(optimizer)
            clip([w], 0.5)
            before = w.detach().clone()
            scaler.step(optimizer)
            scaler.update()
            assert torch.equal(w, before) == (k == 3)
        assert scaler.get_scale() == 2.0**7
    assert mine.state[weights_of(mine)[0]]["step"] == 5
    assert distance(mine, other) < CLOSE

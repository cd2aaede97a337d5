"""Each schedule is its counterpart in torch, step for step, and a step has the length it says."""

import math
from functools import partial

import pytest
import torch
from oracle import every_class, ours, walk, weights_of
from torch.optim import lr_scheduler

from adamlib import data, optim, rules, schedules
from adamlib.descent import descend
from adamlib.train import train

STEPS = 40
EXACT = 1e-12  # relative: torch multiplies its rate from step to step and adds up roundings

COUNTERPARTS = {  # ours, torch's on an optimizer whose learning rate is `lr`
    "constant": (
        schedules.constant,
        lambda o, lr: lr_scheduler.ConstantLR(o, factor=1.0),
    ),
    "step": (
        partial(schedules.step, every=7, factor=0.3),
        lambda o, lr: lr_scheduler.StepLR(o, 7, gamma=0.3),
    ),
    "cosine": (
        partial(schedules.cosine, steps=STEPS),
        lambda o, lr: lr_scheduler.CosineAnnealingLR(o, STEPS),
    ),
    "cosine to a tenth": (
        partial(schedules.cosine, steps=STEPS, final=0.1),
        lambda o, lr: lr_scheduler.CosineAnnealingLR(o, STEPS, eta_min=0.1 * lr),
    ),
    "warm-up": (
        partial(schedules.warm_up, steps=9),
        lambda o, lr: lr_scheduler.LinearLR(o, start_factor=1 / 9, total_iters=8),
    ),
    "one cycle": (
        partial(schedules.one_cycle, steps=STEPS),
        lambda o, lr: lr_scheduler.OneCycleLR(o, lr, STEPS, cycle_momentum=False),
    ),
    "one cycle, early": (
        partial(schedules.one_cycle, steps=STEPS, rise=0.11, initial=0.5, final=0.05),
        lambda o, lr: lr_scheduler.OneCycleLR(
            o, lr, STEPS, pct_start=0.11, div_factor=2, final_div_factor=10, cycle_momentum=False
        ),
    ),
    "a product": (
        lambda t: schedules.warm_up(t, steps=9) * schedules.step(t, every=7, factor=0.3),
        lambda o, lr: lr_scheduler.ChainedScheduler(
            [lr_scheduler.LinearLR(o, 1 / 9, total_iters=8), lr_scheduler.StepLR(o, 7, gamma=0.3)]
        ),
    ),
}


@every_class
@pytest.mark.parametrize("schedule", COUNTERPARTS)
def test_a_schedule_under_lambdalr_is_its_counterpart_in_torch(name, schedule):
    factor, counterpart = COUNTERPARTS[schedule]
    mine, other = ours(name), ours(name)
    lr = mine.defaults["lr"]
    pair = lr_scheduler.LambdaLR(mine, factor), counterpart(other, lr)
    rates = []
    for t in range(STEPS):
        walk((mine, other), 1, seed=t)
        rates.append([optimizer.param_groups[0]["lr"] for optimizer in (mine, other)])
        for scheduler in pair if t < STEPS - 1 else ():
            scheduler.step()
    assert [rate for rate, _ in rates] == [lr * factor(t) for t in range(STEPS)]
    assert [rate for rate, _ in rates] == pytest.approx([rate for _, rate in rates], rel=EXACT)
    for w, u in zip(weights_of(mine), weights_of(other), strict=True):
        assert torch.allclose(w, u, rtol=0, atol=1e-11)  # forty steps of about 0.1 at EXACT


def test_the_inverse_root_is_the_rate_of_the_paper_and_with_a_warm_up_that_of_the_transformer():
    for t in range(100):
        number = t + 1  # both papers count from 1
        assert schedules.inverse_root(t) == pytest.approx(number**-0.5)
        noam = 20**0.5 * min(number**-0.5, number * 20**-1.5)  # scaled to a peak of 1
        ours = schedules.warm_up(t, steps=20) * schedules.inverse_root(t, start=20)
        assert ours == pytest.approx(noam)


def test_the_ends_of_each_schedule():
    assert schedules.warm_up(0, steps=9) == 1 / 9 and schedules.warm_up(8, steps=9) == 1
    assert schedules.cosine(0, steps=9) == 1 and schedules.cosine(8, steps=9) > 0.03
    assert schedules.cosine(9, steps=9) == schedules.cosine(94, steps=9) == 0
    assert schedules.one_cycle(0, steps=20) == pytest.approx(0.04)
    assert schedules.one_cycle(5, steps=20) == 1
    assert schedules.one_cycle(19, steps=20) == schedules.one_cycle(99, steps=20) == 4e-6


def test_a_step_of_adam_on_a_slope_is_as_long_as_the_schedule_says():
    def scheduled(w, g, t, m=0, v=0):
        factor = schedules.one_cycle(t - 1, steps=STEPS)
        return rules.adam(w, g, t, m, v, lr=0.1 * factor, eps=0)

    path = descend(scheduled, lambda w: 1 + 0 * w, [0.0], STEPS)[:, 0]
    lengths = [0.1 * schedules.one_cycle(t, steps=STEPS) for t in range(STEPS)]
    assert path[:-1] - path[1:] == pytest.approx(lengths, rel=1e-9, abs=1e-14)  # float64 sums


def test_a_network_trains_in_steps_as_long_as_the_schedule_says():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10)).double()
    digits = data.load(device="cpu")
    digits = digits._replace(x_train=digits.x_train.double(), x_test=digits.x_test.double())
    optimizer = optim.GradientDescent(model.parameters(), lr=0.05)
    factor = partial(schedules.one_cycle, steps=22)
    scheduler = lr_scheduler.LambdaLR(optimizer, factor)
    weight, shares = model[1].weight, []
    before = weight.detach().clone()

    def measure(*_):
        shares.append(((weight.detach() - before).norm() / weight.grad.norm()).item())
        before.copy_(weight.detach())
        scheduler.step()

    optimizer.register_step_post_hook(measure)
    train(model, digits, optimizer, 2, device="cpu", progress=False)
    assert shares == pytest.approx([0.05 * factor(t) for t in range(22)], rel=1e-6)  # small steps


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (partial(schedules.step, every=0), "every must be a number of steps >= 1, got 0"),
        (partial(schedules.step, every=3, factor=1.5), "factor must be from 0 to 1, got 1.5"),
        (partial(schedules.cosine, steps=0.5), "steps must be a number of steps >= 1, got 0.5"),
        (partial(schedules.cosine, steps=math.inf), "steps .* got inf"),
        (partial(schedules.cosine, steps=9, final=-0.1), "final must be from 0 to 1, got -0.1"),
        (partial(schedules.inverse_root, start=0), "start must be a number of steps >= 1, got 0"),
        (partial(schedules.warm_up, steps=math.nan), "steps .* got nan"),
        (partial(schedules.one_cycle, steps=-1), "steps must be a number of steps >= 1, got -1"),
        (partial(schedules.one_cycle, steps=9, initial=2), "initial must be from 0 to 1, got 2"),
        (partial(schedules.one_cycle, steps=9, final=math.nan), "final .* got nan"),
        (partial(schedules.one_cycle, steps=3), "rise must leave steps .* got 0.3 of 3 steps"),
        (partial(schedules.one_cycle, steps=9, rise=1), "rise must leave steps .* got 1 of 9"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(call, words):
    with pytest.raises(ValueError, match=words):
        call(0)

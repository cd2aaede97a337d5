"""Chapter 13: networks are what they are said to be, and its claims can be judged."""

import pytest
import torch

from adamlib import data, paper, rules
from adamlib.model import MLPStack
from adamlib.stack import stack_loss, train_stack
from experiments import why_adam, why_adam_more, why_adam_networks

FEW = why_adam.balanced(data.load(device="cpu"), 40)
KS, LRS = [-8, -4], torch.tensor([0.01, 0.1])[:, None, None]


def losses(make, rule, **how):
    return why_adam_networks.measures(
        why_adam_networks.trained(make, rule, KS, 3, FEW, 3, 16, **how), FEW
    )["loss"]


def test_networks_are_trained_as_train_stack_does_with_rates_that_fall_or_not():
    falling = lambda *a, lr: rules.adam(*a, lr=lr * (10 - a[2]) / 9)  # noqa: E731, 9 steps
    for falls, rule in ((True, falling), (False, rules.adam)):
        theirs = train_stack(rule, MLPStack([3, 3], 32), FEW, 3, 16, seed=3, lr=LRS)
        torch.testing.assert_close(losses(MLPStack, rules.adam, falls=falls), theirs)
    with pytest.raises(ValueError, match="at least two"):
        why_adam_networks.trained(MLPStack, rules.adam, [-4], 3, FEW, 3, 16)


def test_a_turn_changes_adam_and_not_momentum():
    turned = why_adam_networks.Turned
    plain, other = (losses(make, rules.momentum) for make in (MLPStack, turned))
    torch.testing.assert_close(plain, other, rtol=1e-3, atol=0)  # nine steps of rounding
    assert (losses(MLPStack, rules.adam) / losses(turned, rules.adam) - 1).abs().min() > 0.01


def test_the_last_layer_learns_so_many_times_as_fast():
    model = MLPStack([3], 32)
    weights, x, y = list(model.parameters()), FEW.x_train.flatten(1), FEW.y_train
    gradients = torch.autograd.grad(stack_loss(model(x), y).sum(), weights)
    with torch.no_grad():
        for w, g, rate in zip(weights, gradients, (0.1, 0.1, 1.6, 1.6), strict=True):
            w -= rate * g
    make = lambda seeds, width: why_adam_networks.TwoRates(seeds, width, 16.0)  # noqa: E731
    rule, how = rules.gradient_descent, {"falls": False}
    theirs = why_adam_networks.trained(make, rule, KS, 3, FEW, 1, 40, **how)
    mine = stack_loss(model(x), y)[0].detach()
    torch.testing.assert_close(why_adam_networks.measures(theirs, FEW)["loss"][1], mine)


def test_a_gradient_is_shortened_as_a_whole_and_only_if_it_is_long():
    gradients = [torch.ones(2, 3, 4) * torch.tensor([1, 0.01])[:, None, None], torch.zeros(2, 5, 1)]
    short, same = why_adam_networks.shortened(gradients, 1.0)[0]
    assert (short**2).sum() == pytest.approx(1) and torch.equal(same, gradients[0][1])


def test_both_hessians_have_the_same_eigenvalues_and_blocks_apart_their_own():
    for blocks in (why_adam_more.EIGENVALUES, why_adam_more.EIGENVALUES.T):
        H = torch.tensor(why_adam_more.quadratic(blocks, 0)[0])
        found = torch.linalg.eigvalsh(H).tolist()
        assert found == pytest.approx(sorted(blocks.flatten()))
        assert torch.linalg.eigvalsh(H[:3, :3]).tolist() == pytest.approx(list(blocks[0]))


def test_the_rules_of_the_claims_are_those_of_the_paper_chapter():
    known = {"beats", "alike", "no slower"}
    assert {claim["rule"] for claim in why_adam.PLAN["claims"]} == known | {"crossover", "law"}
    assert all(paper.verdict(rule, [1.2] * 10) for rule in known)

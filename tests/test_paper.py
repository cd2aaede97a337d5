"""The stacks of the Adam paper's miniatures against plain PyTorch, and the verdicts."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from adamlib import files, paper, rules

CLAIMS = files.record("paper_claims")
X, Y = torch.randn(20, 64, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 10


def test_a_network_of_a_stack_trains_as_it_would_alone():
    seeds, lrs = [3, 5], torch.tensor([0.1, 0.01, 1.0])[:, None, None]
    weights = paper.initial(paper.MLP, seeds, 3)
    w = [each[1, 2].detach().clone().requires_grad_() for each in weights]  # seed 5, rate 1
    found, _ = paper.costs(paper.mlp_cost, rules.adagrad, weights, X, Y, 3, seeds, 8, lr=lrs)
    draw, optimizer = torch.Generator().manual_seed(5), torch.optim.Adagrad(w, lr=1.0)
    for epoch in range(3):
        total = 0
        for batch in torch.randperm(20, generator=draw).split(8):
            optimizer.zero_grad()
            h = ((X[batch] @ w[0] + w[1]).relu() @ w[2] + w[3]).relu()
            cost = torch.nn.functional.cross_entropy(h @ w[4] + w[5], Y[batch])
            cost = cost + 1e-4 / 2 * sum((each**2).sum() for each in w)
            cost.backward()
            optimizer.step()
            total += cost.item() * len(batch) / 20
        assert found[epoch, 1, 2] == pytest.approx(total, rel=1e-4)  # the order of rounding


def test_settings_of_a_seed_share_start_order_and_noise():
    same = torch.full((2, 1, 1), 0.01)
    for cost, layers in ((paper.dropout_cost, paper.MLP), (paper.sparse_cost, paper.SPARSE)):
        x = X if layers is paper.MLP else torch.arange(20.0)[:, None].expand(20, 64) % 17
        weights = paper.initial(layers, [1, 2], 2)
        found, _ = paper.costs(cost, rules.adam, weights, x, Y, 2, [1, 2], 8, lr=same)
        torch.testing.assert_close(found[:, :, 0], found[:, :, 1])
        assert (found[:, 0] != found[:, 1]).all()


def test_dropout_keeps_the_mean():
    draws = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
    kept = paper.dropped(torch.ones(2, 3, 50, 40), draws)  # (S, L, B, columns)
    assert set(kept.unique().tolist()) == {0, 2} and torch.equal(kept[:, 0], kept[:, 2])
    assert not torch.equal(kept[0], kept[1]) and abs(kept.mean() - 1) < 0.1  # 4,000 coins


def test_the_cost_of_the_vae_is_minus_the_bound():
    weights = paper.initial(paper.VAE, [4], 1)
    x = X.sigmoid()
    cost = paper.vae_cost(weights, x[None], None, [torch.Generator().manual_seed(0)])
    w = [each[0, 0] for each in weights]
    h = torch.nn.functional.softplus(x @ w[0] + w[1]) @ w[2] + w[3]
    q = Normal(h[:, :4], (h[:, 4:] / 2).exp())
    eps = torch.randn((1, 20, 4), generator=torch.Generator().manual_seed(0))[0]
    logits = torch.nn.functional.softplus((q.mean + eps * q.scale) @ w[4] + w[5]) @ w[6] + w[7]
    fit = (x * logits.sigmoid().log() + (1 - x) * (1 - logits.sigmoid()).log()).sum(1)
    bound = fit - kl_divergence(q, Normal(0.0, 1.0)).sum(1)
    assert cost.item() == pytest.approx(-bound.mean().item(), rel=1e-4)


@pytest.mark.parametrize(
    ("rule", "x", "by", "due"),
    [
        ("beats", [1.2] * 9 + [0.9], 1.1, "holds"),
        ("beats", [1.2] * 8 + [0.9] * 2, 1.1, "holds weakly"),
        ("beats", [1.2] * 10, 1.5, "holds weakly"),
        ("beats", [1.2] * 6 + [0.9] * 4, 1.1, "not at this scale"),
        ("beats", [0.95] * 10, 1.1, "not at this scale"),
        ("beats", [0.9] * 9 + [1.2], 1.1, "reversed"),
        ("beats", [1.2] * 4 + [0.9], 1.1, "holds weakly"),  # of five seeds, too
        ("alike", [0.92, 1.05], 1.1, "holds"),
        ("alike", [0.85], 1.1, "holds weakly"),
        ("alike", [1.3], 1.1, "not at this scale"),
        ("no slower", [3.0], 1.1, "holds"),
        ("no slower", [0.85], 1.1, "holds weakly"),
        ("marginal", [1.3] * 10, 1.1, "holds"),
        ("marginal", [6.0] * 10, 1.1, "holds weakly"),
        ("lower", [0.2] * 9 + [-1.0], 0.1, "holds"),
        ("lower", [0.05] * 10, 0.1, "holds weakly"),
        ("lower", [-0.2] * 10, 0.1, "reversed"),
        ("unstable", [2, 3], 1.1, "holds"),  # for β2 = 0.99 and 0.9999
        ("unstable", [3, 3], 1.1, "holds weakly"),
        ("unstable", [3, 0], 1.1, "not at this scale"),
        ("share", [0.0], 1.1, "not at this scale"),
        ("everywhere", [0.5], 1.1, "reversed"),
    ],
)
def test_a_verdict_follows_its_rule(rule, x, by, due):
    assert paper.verdict(rule, x, by) == due


def test_the_ratio_is_b_over_a_by_the_measure():
    runs = {"A": {"cost": [[8.0, 1.0, 1.0, 1.0]]}, "B": {"cost": [[8.0, 8.0, 1.0, 16.0]]}}
    for measure, due in (("first", 2), ("curve", 128**0.25), ("end", 128**0.25)):
        claim = {"of": ["A", "B"], "measure": measure}
        assert np.allclose(paper.ratios(claim, runs), due)


def test_every_claim_names_a_rule_and_a_measure_that_are_explained():
    for claim in CLAIMS["claims"]:
        assert claim["rule"] in CLAIMS["rules"] and claim["measure"] in CLAIMS["measures"]
    assert len({claim["id"] for claim in CLAIMS["claims"]}) == 28

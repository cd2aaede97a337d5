"""Muon: the rule in another order of products, and the class beside PyTorch's."""

import copy

import pytest
import torch
from oracle import stored, weights_of

from adamlib import optim, rules
from adamlib.engine import matrices, newton


def spectra(m, n):
    """Name -> a matrix (m, n) in float64: of noise, of few directions, of many sizes."""
    generator = torch.Generator().manual_seed(0)

    def noise(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    few = min(m, n)
    u, _, v = torch.linalg.svd(noise(m, n), full_matrices=False)
    return {
        "noise": noise(m, n),
        "one large": u * torch.tensor([1.0] + [0.1] * (few - 1), dtype=torch.float64) @ v,
        "two sizes": u
        * torch.tensor([1.0, 0.01]).double().repeat_interleave((few + 1) // 2)[:few]
        @ v,
        "rank 3": noise(m, 3) @ noise(3, n),
        "1 / k": u * (1 / torch.arange(1, few + 1)) @ v,
        "e^-k": u * torch.logspace(0, -6, few, dtype=torch.float64) @ v,
        "tiny": 1e-9 * noise(m, n),
        "zero": torch.zeros(m, n, dtype=torch.float64),
    }


def far(x, rule):
    """Return the largest singular value of the difference; most of the rule's are near 1."""
    return torch.linalg.matrix_norm(x.double() - rule, 2).max().item()


def pytorchs(x, steps):
    """Return what torch.optim.Muon makes of x, in bfloat16."""
    coefficients = (3.4445, -4.7750, 2.0315)
    return torch.optim._muon._zeropower_via_newtonschulz(x, coefficients, steps, 1e-7)


SHAPES = [(130, 520), (520, 130), (150, 150), (150, 170), (20, 300), (7, 5), (1, 9)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_another_order_of_products_is_the_rule(shape):
    for name, x in spectra(*shape).items():
        rule = rules.orthogonal(x)
        assert far(newton.orthogonal(x), rule) < 1e-12, name  # roundings of float64
        # float32: what rounds λ = σ² by 6e-8 is multiplied by 12 in four steps: 1e-3, up to 5e-3
        assert far(newton.orthogonal(x.float()), rule) < 5e-3, name


@pytest.mark.parametrize("shape", SHAPES[:4], ids=str)
def test_in_bfloat16_it_is_as_near_to_the_rule_as_pytorchs(shape):
    for name, x in spectra(*shape).items():
        rule = rules.orthogonal(x)
        theirs = pytorchs(x, 5)
        ours = newton.orthogonal(x.bfloat16())
        # 2^-9 of the digits times 12 in one step: 0.02; PyTorch's own error is of that size
        assert far(ours, rule) < 1.3 * far(theirs, rule) + 0.02, name


def test_a_batch_gives_what_each_of_its_matrices_gives():
    for shape in SHAPES:
        x = torch.stack([*spectra(*shape).values()]).float()
        each = torch.stack([newton.orthogonal(one) for one in x])
        torch.testing.assert_close(newton.orthogonal(x), each, rtol=0, atol=1e-3)  # other products


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 6, 7])
def test_any_number_of_steps_is_the_rules(steps):
    x = spectra(130, 300)["1 / k"]
    rule = rules.orthogonal(x, steps)
    assert far(newton.orthogonal(x.float(), steps), rule) < 0.02  # 12 times more each step
    ours = newton.orthogonal(x.bfloat16(), steps)
    assert far(ours, rule) < 1.3 * far(pytorchs(x, steps), rule) + 0.02  # as above


def weights(dtype, flat=False):
    shapes = (6, 4), (4, 6), (6, 4), (5, 3, 2, 2), (140, 150)
    made = [
        torch.linspace(-1, 1, 4 * 35 * 150, dtype=dtype)[: torch.Size(s).numel()] for s in shapes
    ]
    made = [w.reshape(s).clone() for w, s in zip(made, shapes, strict=True)]
    return [torch.nn.Parameter(w.flatten(1) if flat else w) for w in made]


def give(optimizer, seed, lay=lambda g: g):
    generator = torch.Generator().manual_seed(seed)
    for w in weights_of(optimizer):
        g = torch.randn(w.numel(), dtype=torch.float64, generator=generator)
        w.grad = lay(g.to(w.dtype).reshape(w.shape))


def difference(one, other):
    pairs = zip(weights_of(one), weights_of(other), strict=True)
    return max((a.flatten(1) - b.flatten(1)).abs().max().item() for a, b in pairs)


def test_in_float64_every_engine_takes_the_steps_of_the_rule():
    made = [optim.Muon(weights(torch.float64), engine=e) for e in ("plain", "numba", "auto")]
    by_hand = [(w.detach().flatten(1),) for w in weights(torch.float64)]
    for t in (1, 2, 3):
        for optimizer in made:
            give(optimizer, t)
            optimizer.step()
        grads = [w.grad.flatten(1) for w in weights_of(made[0])]
        by_hand = [rules.muon(w, g, t, *b) for (w, *b), g in zip(by_hand, grads, strict=True)]
    for optimizer in made:
        for w, (expected, _) in zip(weights_of(optimizer), by_hand, strict=True):
            assert (w.flatten(1) - expected).abs().max() < 1e-14  # roundings in steps of 0.001


@pytest.mark.parametrize("engine", ["numba", "auto", "plain"])
def test_in_float32_it_goes_with_pytorchs(engine):
    ours = optim.Muon(weights(torch.float32), lr=0.02, engine=engine)
    theirs = torch.optim.Muon(weights(torch.float32, flat=True), lr=0.02)
    for t in range(3):
        give(ours, t), give(theirs, t)
        ours.step(), theirs.step()
    # an element of a step is at most lr √(m / n) times its direction's, of which bfloat16 has 2^-8
    assert 0 < difference(ours, theirs) < 3 * 0.02 * 5 * 2**-8


def test_checkpoints_go_both_ways():
    ours, again = (optim.Muon(weights(torch.float32)) for _ in range(2))
    theirs, there = (torch.optim.Muon(weights(torch.float32, flat=True)[:3]) for _ in range(2))
    give(theirs, 0), theirs.step()
    small = optim.Muon(weights(torch.float32)[:3])
    small.load_state_dict(stored(theirs.state_dict()))
    there.load_state_dict(stored(small.state_dict()))
    for w, v in zip(weights_of(theirs), weights_of(there), strict=True):
        assert torch.equal(theirs.state[w]["momentum_buffer"], there.state[v]["momentum_buffer"])
    assert there.param_groups[0].keys() == theirs.param_groups[0].keys() | {
        "maximize",
        "differentiable",
    }
    give(ours, 0), ours.step()
    again.load_state_dict(copy.deepcopy(ours.state_dict()))
    assert set(again.state[weights_of(again)[0]]) == {"step", "momentum_buffer"}


@pytest.mark.parametrize(
    "what", [dict(nesterov=False), dict(ns_coefficients=(2, -1.5, 0.5))], ids=str
)
def test_what_the_rule_does_not_do_is_refused(what):
    with pytest.raises(ValueError, match=f"{next(iter(what))} must be .* only torch.optim's"):
        optim.Muon(weights(torch.float32), **what)
    with pytest.raises(ValueError, match="adjust_lr_fn must be None"):
        optim.Muon(weights(torch.float32), adjust_lr_fn="match_rms_adamw")
    optim.Muon(weights(torch.float32), adjust_lr_fn="original")


@pytest.mark.parametrize(
    "w", [torch.ones(3), torch.ones(()), torch.ones(2, 2) * 1j], ids=["1", "0", "i"]
)
def test_what_is_no_matrix_is_sent_to_adamw(w):
    with pytest.raises(ValueError, match=r"matrices.*second optimizer, adamlib.optim.AdamW"):
        optim.Muon([torch.nn.Parameter(torch.ones(2, 2)), torch.nn.Parameter(w)])


def test_layouts_without_gaps_and_with_them_walk_alike():
    start = torch.linspace(-1, 1, 240, dtype=torch.float64).reshape(4, 3, 5, 4)
    wide = torch.zeros(4, 3, 5, 8, dtype=torch.float64)
    layouts = {
        "rows": (lambda x: x.clone()),
        "channels last": lambda x: x.clone(memory_format=torch.channels_last),
        "gaps": lambda x: wide.clone()[..., ::2].copy_(x),
    }
    made = {}
    for name, lay in layouts.items():
        made[name] = optim.Muon([torch.nn.Parameter(lay(start))])
        for t in (1, 2):
            give(made[name], t, lay)
            made[name].step()
    for optimizer in made.values():
        assert (
            difference(optimizer, made["rows"]) < 1e-15
        )  # a permutation of the columns: roundings
    assert not torch.equal(weights_of(made["rows"])[0], start)


def test_buffers_of_two_bytes_and_a_gradient_to_climb_are_taken():
    up = optim.Muon(weights(torch.float32), maximize=True, weight_decay=0, engine="numba")
    down = optim.Muon(weights(torch.float32), weight_decay=0, engine="numba")
    half = optim.Muon(weights(torch.float32), state_dtype=torch.bfloat16, engine="numba")
    for optimizer in (up, down, half):
        give(optimizer, 0)
        optimizer.step()
    for a, b, start in zip(weights_of(up), weights_of(down), weights(torch.float32), strict=True):
        torch.testing.assert_close(a - start, start - b, rtol=0, atol=1e-6)  # float32 near 1
    assert half.state[weights_of(half)[0]]["momentum_buffer"].dtype == torch.bfloat16


def test_an_empty_matrix_and_a_long_list_are_taken(monkeypatch):
    monkeypatch.setattr(matrices, "BATCH", 60)  # two of the matrices together, and one left
    ours = optim.Muon([torch.nn.Parameter(torch.ones(0, 3)), *weights(torch.float64)])
    theirs = optim.Muon(
        [torch.nn.Parameter(torch.ones(0, 3)), *weights(torch.float64)], engine="plain"
    )
    give(ours, 0), give(theirs, 0)
    ours.step()
    theirs.step()
    assert difference(*(optim.Muon(weights_of(o)[1:]) for o in (ours, theirs))) < 1e-14

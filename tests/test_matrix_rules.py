"""The rules of matrices, and those that no optimizer here has: parity and closed forms."""

import numpy as np
import pytest
import torch
from test_rules import ALL, RELATIVE, distance, torch_walk, walk
from torch.optim import _muon

from adamlib import rules

SHAPES = [(6, 4), (4, 6), (5, 5)]
TURNED = 1e-10  # where two eigenvalues are near, a rounding turns the axes by more
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def gradients(*shape, steps=1000, spread=1.0, seed=0):
    """Gradients (steps, *shape) whose scale drifts and, by e**spread, differs by entry."""
    rng = np.random.default_rng(seed)
    scale = np.exp(spread * rng.standard_normal(shape))
    drift = np.exp(np.sin(np.arange(steps) / 50)).reshape(-1, *[1] * len(shape))
    return rng.standard_normal((steps, *shape)) * scale * drift


def ours(rule, start, sequence, **hyper):
    return np.stack(walk(rule, start, sequence, **hyper))


def hyper_of(name, library):
    """What a rule has to be given; SOAP's eps hides that zeros are rounded."""
    return {"eigh": library.linalg.eigh, "eps": 1e-3} if name == "soap" else {}


def turn(n, seed):
    """An orthogonal matrix (n, n)."""
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]


# Parity


@every_shape
@pytest.mark.parametrize("hyper", [{}, {"weight_decay": 0.1, "lr": 0.5, "d": 1.5}], ids=str)
def test_adafactor_agrees_with_torch_over_1000_steps(shape, hyper):
    start, sequence = np.ones(shape), gradients(*shape, spread=3)
    settings = {"eps": (1e-7, 1e-3), "weight_decay": 0.0, **hyper}
    oracle = torch_walk(lambda w: torch.optim.Adafactor(w, **settings), start, sequence)
    assert distance(ours(rules.adafactor, start, sequence, **hyper), oracle) < RELATIVE


@pytest.mark.parametrize("size", [1e-4, 1e-9])
def test_the_limits_of_adafactor_are_torchs(size):
    """Gradients so small that eps bounds their mean or the moment, weights at 0."""
    start, sequence = np.zeros((6, 4)), size * gradients(6, 4, steps=50)
    settings = {"eps": (1e-7, 1e-3), "weight_decay": 0.0, "d": 1e3}
    oracle = torch_walk(lambda w: torch.optim.Adafactor(w, **settings), start, sequence)
    path = ours(rules.adafactor, start, sequence, d=1e3)
    assert distance(path, oracle) < RELATIVE
    assert distance(ours(rules.adafactor, start, sequence, d=1e3, eps=(0, 1e-3)), oracle) > 0.5


@every_shape
def test_muon_agrees_with_torch_over_1000_steps_if_torch_keeps_float64(shape, monkeypatch):
    """torch.optim.Muon computes the Newton-Schulz steps in bfloat16; here it is made not to."""
    start, sequence = np.ones(shape), gradients(*shape)
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)  # it divides in place
    oracle = torch_walk(torch.optim.Muon, start, sequence)
    assert distance(ours(rules.muon, start, sequence), oracle) < RELATIVE


@every_shape
def test_the_parts_of_muon_are_torchs(shape, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    coefficients = (_muon.DEFAULT_A, _muon.DEFAULT_B, _muon.DEFAULT_C)
    for g in (*torch.tensor(gradients(*shape, steps=20)), torch.zeros(shape).double()):
        theirs = _muon._zeropower_via_newtonschulz(g, coefficients, 5, _muon.EPS)
        assert (rules.orthogonal(g) - theirs).abs().max() < RELATIVE  # of entries up to 1
    one = np.ones(shape)
    step, _ = rules.muon(0 * one, one, 1, lr=1.0)
    scale = np.abs(step).max() / np.abs(rules.orthogonal(one)).max()
    assert scale == pytest.approx(_muon._adjust_lr(1.0, None, shape), rel=1e-14)


@every_shape
def test_muon_agrees_with_torch_within_bfloat16(shape):
    """Fifteen products in a row are each rounded to 8 bits there, by a share of 2**-9 = 0.002.

    The length of a step is that of an orthogonal matrix, so what is off does not add up along the
    walk more than its steps do: 0.003 to 0.005 of the way here.
    """
    start, sequence = np.ones(shape), gradients(*shape, steps=20)
    oracle = torch_walk(lambda w: torch.optim.Muon(w, lr=0.01), start, sequence)
    path = ours(rules.muon, start, sequence, lr=0.01)
    assert np.linalg.norm(path[-1] - oracle[-1]) < 0.02 * np.linalg.norm(oracle[-1] - start)


# Closed forms


def test_signum_moves_every_coordinate_by_lr_and_one_without_gradients_not():
    sequence = gradients(5, steps=50, spread=5)
    sequence[:, 3] = 0
    steps = np.diff(ours(rules.sign_momentum, np.zeros(5), sequence, lr=2.0**-7), axis=0)
    lengths = np.abs(steps)
    assert (lengths[:, 3] == 0).all() and (np.delete(lengths, 3, axis=1) == 2.0**-7).all()
    assert (steps > 0).any() and (steps < 0).any()


def test_signum_sees_the_sign_of_the_sum_of_fading_gradients_and_no_scale():
    sequence = gradients(5, steps=200)
    path = ours(rules.sign_momentum, np.zeros(5), sequence, momentum=0.75)
    scaled = ours(rules.sign_momentum, np.zeros(5), 1024 * sequence, momentum=0.75)
    np.testing.assert_array_equal(path, scaled)  # a power of two: exact
    total, before = 0, np.zeros(5)
    for g, after in zip(sequence, path, strict=True):
        total = 0.75 * total + g
        np.testing.assert_array_equal(np.sign(before - after), np.sign(total))
        before = after


def test_soap_along_the_axes_that_are_there_is_adam():
    sequence, betas = gradients(6, 4, steps=200, spread=3), (0.9, 0.99)
    settings = {"lr": 0.01, "betas": betas, "eps": 1e-3}
    still = {"eigh": lambda square: (None, np.eye(len(square)))}
    path = ours(rules.soap, np.ones((6, 4)), sequence, **settings, **still)
    assert distance(path, ours(rules.adam, np.ones((6, 4)), sequence, **settings)) < RELATIVE


def test_soap_walks_alike_in_turned_coordinates_and_adam_does_not():
    sequence, (u, v) = gradients(5, 5, steps=100), (turn(5, 1), turn(5, 2))
    for name, least, most in (("soap", 0, TURNED), ("adam", 0.01, 1)):
        rule, hyper = getattr(rules, name), hyper_of(name, np)
        path = ours(rule, np.ones((5, 5)), sequence, lr=0.01, **hyper)
        turned = ours(rule, u @ np.ones((5, 5)) @ v, u @ sequence @ v, lr=0.01, **hyper)
        assert least <= np.abs(u @ path @ v - turned).max() < most


def test_soap_finds_new_axes_each_tenth_step():
    calls = []

    def eigh(square):
        calls.append(len(square))
        return np.linalg.eigh(square)

    ours(rules.soap, np.ones((6, 4)), gradients(6, 4, steps=21), eigh=eigh)
    assert calls == [6, 4] * 3  # steps 1, 11 and 21


def quintic(s, steps=5):
    for _ in range(steps):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return s


@pytest.mark.parametrize("shape", [*SHAPES, (30, 7)], ids=str)
def test_orthogonal_keeps_the_vectors_and_maps_the_values(shape):
    n = min(shape)
    u, v = turn(shape[0], 1)[:, :n], turn(shape[1], 2)[:n]
    s = np.geomspace(1, 0.01, n)
    expected = (u * quintic(s / np.linalg.norm(s))) @ v
    for x in ((u * s) @ v, 1e5 * (u * s) @ v):
        assert np.abs(rules.orthogonal(x) - expected).max() < RELATIVE  # of entries up to 1
    np.testing.assert_array_equal(rules.orthogonal(np.zeros(shape)), 0)


def test_orthogonal_brings_singular_values_near_to_one():
    values = quintic(np.linspace(1 / 500, 1, 100_000))
    assert values.min() > 0.68 and values.max() < 1.21
    values = np.linalg.svd(rules.orthogonal(gradients(64, 32, steps=1)[0]), compute_uv=False)
    assert values.min() > 0.68 and values.max() < 1.21  # its smallest is above 1/500


def test_adafactor_knows_the_squares_that_a_row_and_a_column_make():
    """Then the first step has the gradient's signs and 1/100 of the size of the weights."""
    rng = np.random.default_rng(0)
    g = np.outer(np.exp(rng.standard_normal(6)), np.exp(rng.standard_normal(4)))
    g *= rng.choice([-1, 1], g.shape)
    w, row, col = rules.adafactor(np.full(g.shape, 2.0), g, 1)
    np.testing.assert_allclose(row @ col / row.mean(), g**2, rtol=1e-14)  # a few roundings
    np.testing.assert_allclose(w, 2 - 0.02 * np.sign(g), rtol=1e-14)  # likewise


# One text


@pytest.mark.parametrize("name", ALL)
def test_one_text_runs_on_arrays_and_on_tensors(name):
    rule, sequence = getattr(rules, name), gradients(4, 4, steps=50)
    path = ours(rule, np.ones((4, 4)), sequence, **hyper_of(name, np))
    tensors = [torch.ones(4, 4, dtype=torch.float64), torch.tensor(sequence)]
    theirs = torch.stack(walk(rule, *tensors, **hyper_of(name, torch))).numpy()
    assert distance(path, theirs) < (TURNED if name == "soap" else RELATIVE)


@pytest.mark.parametrize("name", ["adafactor", "soap", "muon"])
def test_a_stack_of_matrices_is_each_matrix_alone(name):
    rule, hyper = getattr(rules, name), hyper_of(name, np)
    sequence = gradients(3, 6, 4, steps=20)
    together = ours(rule, np.ones((3, 6, 4)), sequence, **hyper)
    for k in range(3):
        alone = ours(rule, np.ones((6, 4)), sequence[:, k], **hyper)
        assert distance(together[:, k], alone) < (TURNED if name == "soap" else RELATIVE)

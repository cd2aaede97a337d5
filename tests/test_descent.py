"""Surfaces and the walks over them."""

import numpy as np
import pytest

from adamlib import rules, surfaces
from adamlib.descent import descend, follow

SURFACES = {
    "bowl": surfaces.quadratic([1, 10]),
    "turned bowl": surfaces.quadratic([1, 10], angle=0.7),
    "rosenbrock": surfaces.rosenbrock(),
    "saddle": surfaces.saddle(),
}


@pytest.mark.parametrize("name", SURFACES)
def test_gradient_is_the_derivative(name):
    surface = SURFACES[name]
    points = np.random.default_rng(0).standard_normal((20, 2))
    for i, step in enumerate(np.eye(2) * 1e-6):
        slope = (surface.f(points + step) - surface.f(points - step)) / 2e-6
        # central differences: h² times the third derivative, and rounding / h
        np.testing.assert_allclose(surface.grad(points)[:, i], slope, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", SURFACES)
def test_nothing_is_below_the_minimum(name):
    surface = SURFACES[name]
    around = surface.minimum + np.random.default_rng(0).standard_normal((1000, 2))
    assert (surface.f(around) > surface.f(surface.minimum)).all()
    assert surface.f(surface.minimum) == 0
    assert (surface.grad(surface.minimum) == 0).all()


@pytest.mark.parametrize("name", SURFACES)
def test_the_formulas_are_the_surface_at_one_point(name):
    surface, (f, grad) = SURFACES[name], SURFACES[name].formulas
    for x, y in np.random.default_rng(0).standard_normal((20, 2)).tolist():
        assert f(x, y) == pytest.approx(surface.f([x, y]), rel=1e-14)  # NumPy's own squares
        assert grad(x, y) == pytest.approx(surface.grad([x, y]), rel=1e-13)  # and differences


def test_the_saddle_has_two_lowest_points_and_a_level_place_between_them():
    surface = surfaces.saddle()
    assert surface.f([[0, 1], [0, -1], [0, 0]]).tolist() == [0, 0, 0.25]
    assert (surface.grad([[0, 1], [0, -1], [0, 0]]) == 0).all()
    assert surface.f([0.1, 0]) > 0.25 > surface.f([0, 0.1])


def test_a_bowl_is_turned_counterclockwise():
    turned = surfaces.quadratic([1, 10], angle=np.pi / 2)
    assert turned.f([[1, 0], [0, 1]]) == pytest.approx([5, 0.5], rel=1e-15)  # cos 90° is 6e-17


def test_a_turned_bowl_has_the_same_curvatures():
    grad = surfaces.quadratic([1, 10], angle=0.7).grad
    hessian = np.stack([grad(e) for e in np.eye(2)])  # the gradient is linear
    np.testing.assert_allclose(np.linalg.eigvalsh(hessian), [1, 10], rtol=1e-12)  # LAPACK
    assert abs(hessian[0, 1]) > 1


@pytest.mark.parametrize("bad", [[1], [1, -1], [1, np.inf], [1, 2, 3]])
def test_curvatures_must_be_two_positive_numbers(bad):
    with pytest.raises(ValueError, match="curvatures"):
        surfaces.quadratic(bad)


def test_a_path_holds_the_start_and_every_step():
    path = descend(rules.gradient_descent, lambda w: w, [1.0, 2.0], 7, lr=0.5)
    assert path.shape == (8, 2)
    np.testing.assert_array_equal(path, np.outer(0.5 ** np.arange(8), [1, 2]))  # powers of two


def test_no_steps_is_the_start_alone():
    assert descend(rules.adam, lambda w: w, [1.0, 2.0], 0).shape == (1, 2)


def test_many_walks_at_once_are_each_walk_alone():
    grad, rates = surfaces.quadratic([1, 10]).grad, np.array([0.01, 0.1])
    together = descend(rules.adam, grad, np.ones((2, 2)), 30, lr=rates[:, None])
    assert together.shape == (31, 2, 2)
    for k, lr in enumerate(rates):
        np.testing.assert_array_equal(together[:, k], descend(rules.adam, grad, [1, 1], 30, lr=lr))


def test_divergence_is_a_result_and_not_a_warning():
    path = descend(rules.gradient_descent, surfaces.quadratic([1, 10]).grad, [1, 1], 2000, lr=1.0)
    assert not np.isfinite(path[-1]).all()


@pytest.mark.parametrize("steps", [-1, 1.5, True, "3"])
def test_steps_must_be_a_whole_number(steps):
    with pytest.raises(ValueError, match="steps"):
        descend(rules.adam, lambda w: w, [1.0, 2.0], steps)


def test_the_start_must_be_finite():
    with pytest.raises(ValueError, match="w must be finite"):
        descend(rules.adam, lambda w: w, [1.0, np.nan], 3)


def test_a_misspelt_hyperparameter_raises():
    with pytest.raises(TypeError, match="learning_rate"):
        descend(rules.adam, lambda w: w, [1.0, 2.0], 3, learning_rate=0.1)


def test_following_gradients_takes_the_rule_s_steps_at_a_falling_rate():
    path = follow(rules.gradient_descent, [3.0, -1.0, -1.0], 0.5, lr=0.3)
    np.testing.assert_allclose(
        path, [0.5, -0.4, -0.4 + 0.3 / 2**0.5, -0.4 + 0.3 / 2**0.5 + 0.3 / 3**0.5]
    )


def test_following_gradients_stays_inside_and_walks_many_side_by_side():
    path = follow(rules.adam, [1.0] * 5, 0.0, lr=np.array([0.1, 9.0]), inside=(-2, 2), betas=(0, 0))
    assert path.shape == (6, 2) and path[-1, 1] == -2
    np.testing.assert_allclose(
        path[:, 0], -0.1 * np.cumsum([0, *np.arange(1, 6) ** -0.5]), rtol=1e-7
    )

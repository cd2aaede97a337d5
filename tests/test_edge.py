"""The record of the ConvNet's sharpness: what its two measuring functions return."""

import pytest
import torch

from experiments import edge


def test_power_iteration_finds_the_largest_eigenvalue_and_its_vector():
    w = torch.tensor([1.0, 1.0, 1.0], dtype=torch.float64, requires_grad=True)
    bowl = (torch.tensor([1.0, 5.0, 2.0]) * w**2).sum() / 2
    (gradient,) = torch.autograd.grad(bowl, [w], create_graph=True)
    start = [torch.ones(3, dtype=torch.float64)]
    value, (vector,) = edge.largest([gradient], [w], start, 40)
    assert value == pytest.approx(5, abs=1e-9)  # the others shrink by 2/5 in each round
    assert torch.allclose(abs(vector) / vector.norm(), torch.tensor([0.0, 1, 0]).double())


def test_squared_error_is_half_the_squared_distance_to_the_label():
    labels = torch.tensor([0, 3])
    assert edge.squared_error(torch.zeros(2, 10), labels) == 0.5
    assert edge.squared_error(torch.eye(10)[labels], labels) == 0

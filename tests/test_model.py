"""The deep network, and what an initialization does to it."""

import pytest
import torch
from torch import nn

from adamlib.model import ConvNet, DeepConvNet, initialize


def he(weight):
    nn.init.kaiming_normal_(weight, nonlinearity="relu")


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("options", [{}, {"residual": True}, {"normalize": True}])
def test_a_deep_network_has_that_many_convolutions_and_ten_logits(depth, options):
    model = DeepConvNet(depth, **options)
    assert len(model.convs) == sum(isinstance(m, nn.Conv2d) for m in model.modules()) == depth
    assert model(torch.ones(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize("depth", [0, -1, 2.0, True, "3"])
def test_a_depth_must_be_a_whole_number_above_0(depth):
    with pytest.raises(ValueError, match="depth must be a whole number >= 1"):
        DeepConvNet(depth)


def test_a_residual_convolution_can_take_away_as_well_as_add():
    """A branch that ends in a ReLU only adds: the sum grows from layer to layer."""
    torch.manual_seed(0)
    model, x = DeepConvNet(2, residual=True), torch.randn(3, 1, 8, 8)
    before = model.convs[0](x)
    seen = []
    model.linear.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(x)
    expected = torch.relu(before + model.convs[1](torch.relu(before)))
    assert torch.equal(seen[0], expected.flatten(1))


def test_a_residual_network_of_dead_convolutions_passes_the_first_layer_on():
    torch.manual_seed(0)
    model, x = DeepConvNet(4, residual=True), torch.randn(3, 1, 8, 8)
    for conv in model.convs[1:]:
        nn.init.zeros_(conv.weight)
        nn.init.zeros_(conv.bias)
    expected = model.linear(torch.relu(model.convs[0](x)).flatten(1))
    assert torch.equal(model(x), expected)
    model.residual = False
    assert not torch.equal(model(x), expected)


def test_a_normalized_layer_has_mean_0_and_variance_1_before_its_activation():
    torch.manual_seed(0)
    seen = []
    model = DeepConvNet(3, lambda x: seen.append(x) or x, normalize=True)
    model(torch.randn(64, 1, 8, 8))
    for x in seen:
        variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        assert mean.abs().max() < 1e-5  # float32
        assert (variance - 1).abs().max() < 0.01  # batch norm's eps, 1e-5, under variances of 1e-2


def test_the_activation_follows_every_convolution():
    calls = []
    DeepConvNet(5, lambda x: calls.append(x) or x.tanh())(torch.ones(1, 1, 8, 8))
    assert len(calls) == 5


def test_an_initialization_fills_every_weight_and_clears_every_bias_of_the_layers():
    for model in (DeepConvNet(3, normalize=True), ConvNet()):
        assert initialize(model, lambda w: nn.init.constant_(w, 7)) is model
        layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        assert len(layers) == 4
        assert all((m.weight == 7).all() and (m.bias == 0).all() for m in layers)
        norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
        assert all((m.weight == 1).all() for m in norms)


def test_he_keeps_a_gradient_that_pytorchs_default_loses():
    def first_gradient(draw):
        torch.manual_seed(0)
        model = DeepConvNet(20)
        model = initialize(model, draw) if draw else model
        model(torch.randn(32, 1, 8, 8)).square().mean().backward()
        return model.convs[0].weight.grad.norm().item()

    assert first_gradient(None) < 1e-6  # a factor 0.4 a layer
    assert first_gradient(he) > 1e-3

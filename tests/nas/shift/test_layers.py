"""The kinds of weights behind one face, and the layers that use them."""

import math

import pytest
import torch

from nas.shift import (
    Layer,
    RealWeight,
    ShiftConv2d,
    ShiftLinear,
    ShiftSettings,
    ShiftWeight,
    advance_weights,
    make_weight,
)


@pytest.mark.parametrize("domain", ["shift", "real"])
def test_layers_compute_with_their_weights(domain):
    conv = ShiftConv2d(2, 3, (3, 3), padding=(1, 1), domain=domain)
    x = torch.randn(1, 2, 5, 5)
    expected = torch.nn.functional.conv2d(x, conv.weight().detach(), padding=1)
    assert torch.equal(conv(x), expected)
    linear = ShiftLinear(4, 2, domain=domain)
    y = torch.randn(3, 4)
    assert torch.equal(linear(y), y @ linear.weight().T + linear.bias)
    assert isinstance(linear.weight, RealWeight) == (domain == "real")


@pytest.mark.parametrize("layer", Layer)
@pytest.mark.parametrize("init", ["kaiming", "uniform"])
def test_every_kind_ends_in_the_powers_of_two_that_it_says(layer, init):
    torch.manual_seed(0)
    settings = ShiftSettings(layer=layer, init=init, max_shift=6)
    weight = make_weight((8, 5, 3), settings, fan_in=10)
    assert isinstance(weight, ShiftWeight)
    advance_weights(weight, 1.0)
    w, (sign, power) = weight().detach(), weight.to_int()
    assert torch.equal(w, sign * torch.exp2(power.float()))
    assert set(w.abs().unique().tolist()) <= {0.0, *(2.0**-p for p in range(7))}
    assert w.unique().numel() > 5


@pytest.mark.parametrize("layer", Layer)
def test_first_values_have_the_spread_of_a_kaiming_draw(layer):
    torch.manual_seed(0)
    w = make_weight((64, 16, 3, 3), ShiftSettings(layer=layer))().detach()
    # Rounding the exponent spreads a power-of-two weight by a few per cent.
    assert float(w.std()) == pytest.approx(math.sqrt(2 / 144), rel=0.1)


@pytest.mark.parametrize("layer", Layer)
def test_a_fan_in_of_its_own(layer):
    torch.manual_seed(0)
    w = make_weight((8, 16, 4, 3, 3), ShiftSettings(layer=layer), fan_in=36)().detach()
    assert float(w.std()) == pytest.approx(math.sqrt(2 / 36), rel=0.1)
    real = make_weight((8, 16, 4, 3, 3), ShiftSettings(), fan_in=36, domain="real")().detach()
    assert float(real.std()) == pytest.approx(math.sqrt(2 / 36), rel=0.1)


@pytest.mark.parametrize("layer", ["q", "inq"])
def test_uniform_first_values_are_those_of_p_and_s(layer):
    weights = []
    for kind in ("ps", layer):
        torch.manual_seed(0)
        weights.append(make_weight((9, 9), ShiftSettings(layer=kind, init="uniform")))
    ps, other = weights
    assert torch.equal(other.value == 0, ps() == 0)
    powers = other.value.detach().abs().log2()
    torch.testing.assert_close(powers[ps() != 0], ps.power.detach()[ps() != 0])

"""DeepShift-PS: quantisers and gradients of P and S."""

import math

import pytest
import torch

from nas.shift import (
    DeepShiftPS,
    ShiftSettings,
    power_of,
    quantised,
    round_half_up,
    sign_of,
)


def test_rounding_is_half_up_not_half_even():
    x = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.4])
    assert round_half_up(x).tolist() == [-2, -1, 0, 1, 2, 2]


def test_sign_has_the_thresholds_of_equation_7():
    s = torch.tensor([-1.0, -0.5, -0.49, 0.0, 0.49, 0.5, 1.0])
    assert sign_of(s).tolist() == [-1, -1, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(("bits", "least"), [(5, -14), (6, -15)])
def test_power_stays_in_the_code(bits, least):
    p = torch.tensor([3.0, 0.4, -1.5, -14.4, -15.4, -40.0])
    expected = [0, 0, -1, -14, max(-15, least), least]
    assert power_of(p, ShiftSettings(weight_bits=bits).power_min).tolist() == expected


def test_max_shift_narrows_the_range_but_never_widens_the_code():
    assert ShiftSettings(max_shift=7).power_min == -7
    assert ShiftSettings(weight_bits=5, max_shift=15).power_min == -14
    weight = DeepShiftPS((50, 50), ShiftSettings(max_shift=3))()
    assert set(weight.abs().unique().tolist()) <= {0.0, 1.0, 0.5, 0.25, 0.125}


def test_forward_is_zero_or_a_signed_power_of_two():
    p, s = torch.tensor([-0.2, -3.5, -3.51, -7.0]), torch.tensor([0.7, -0.9, 0.6, 0.1])
    assert quantised(p, s, -14).tolist() == [1.0, -(2.0**-3), 2.0**-4, 0.0]


@pytest.mark.parametrize("rule", ["paper", "exact"])
def test_gradients_are_those_of_equation_10(rule):
    weight = DeepShiftPS((3, 5), ShiftSettings(grad_rule=rule))
    weight.sign.data[0] = 0.0
    upstream = torch.randn(3, 5)
    w = weight()
    w.backward(upstream)
    w = w.detach()
    slope = w * math.log(2) * (w.abs() if rule == "paper" else 1)
    assert torch.equal(weight.power.grad, upstream * slope)
    assert torch.equal(weight.sign.grad, upstream)


def test_the_two_rules_differ():
    grads = {}
    for rule in ("paper", "exact"):
        torch.manual_seed(0)
        weight = DeepShiftPS((4, 9), ShiftSettings(grad_rule=rule))
        weight().sum().backward()
        grads[rule] = weight.power.grad
    assert not torch.equal(grads["paper"], grads["exact"])


def test_kaiming_draw_has_its_spread_and_no_zeros():
    torch.manual_seed(0)
    w = DeepShiftPS((64, 16, 3, 3), ShiftSettings())().detach()
    assert (w != 0).all()
    # Rounding the exponent spreads a power-of-two weight by a few per cent.
    assert float(w.std()) == pytest.approx(math.sqrt(2 / 144), rel=0.1)


def test_uniform_draw_leaves_half_of_the_weights_zero():
    torch.manual_seed(0)
    w = DeepShiftPS((64, 64), ShiftSettings(init="uniform"))().detach()
    assert float((w == 0).float().mean()) == pytest.approx(0.5, abs=0.05)


def test_to_int_gives_the_weights_back():
    torch.manual_seed(0)
    weight = DeepShiftPS((8, 8), ShiftSettings(init="uniform", weight_bits=6))
    sign, power = weight.to_int()
    assert torch.equal(sign * torch.exp2(power.float()), weight().detach())


def test_forward_leaves_the_latent_parameters_alone():
    weight = DeepShiftPS((4,), ShiftSettings(), fan_in=1)
    weight.power.data.fill_(-30.0)
    weight()
    assert (weight.power == -30).all()

"""DeepShift-Q: rounding in the logarithm, straight-through gradients."""

import math

import pytest
import torch

from nas.shift import DeepShiftQ, ShiftSettings, nearest_in_log


def test_values_are_rounded_in_the_logarithm():
    # sqrt(1/2) = 0.7071 lies between 0.5 and 1, sqrt(1/8) = 0.3536 between 0.25 and 0.5.
    x = torch.tensor([1.0, 0.70711, 0.7071, 0.5, 0.36, 0.35, -0.25, -0.1, 0.0])
    sign, power = nearest_in_log(x, -14)
    assert sign.tolist() == [1, 1, 1, 1, 1, 1, -1, -1, 0]
    assert power.tolist()[:-1] == [0, 0, -1, -1, -1, -2, -2, -3]


def test_small_values_are_zero_and_large_ones_the_largest_power():
    x = torch.tensor([0.0624, 0.0625, -0.08, 0.125, 1.4, 3.0, -300.0])
    sign, power = nearest_in_log(x, -3)
    assert (sign * torch.exp2(power)).tolist() == [0, 0.125, -0.125, 0.125, 1, 1, -1]


def test_agrees_with_the_logarithm():
    torch.manual_seed(0)
    x = torch.randn(5000, dtype=torch.float64) * torch.exp2(-12 * torch.rand(5000).double())
    sign, power = nearest_in_log(x, -14)
    for value, s, p in zip(x.tolist(), sign.tolist(), power.tolist(), strict=True):
        assert p == max(-14, min(0, math.floor(math.log2(abs(value)) + 0.5)))
        assert s == (math.copysign(1, value) if abs(value) >= 2.0**-15 else 0)


@pytest.mark.parametrize("value", [0.3, 0.0, 2.0])
def test_gradient_passes_straight_through(value):
    weight = DeepShiftQ((2, 3), ShiftSettings())
    weight.value.data.fill_(value)
    upstream = torch.randn(2, 3)
    weight().backward(upstream)
    assert torch.equal(weight.value.grad, upstream)


def test_forward_leaves_the_latent_alone():
    weight = DeepShiftQ((4,), ShiftSettings(), fan_in=1)
    weight.value.data.fill_(30.0)
    assert weight().tolist() == [1.0] * 4
    assert (weight.value == 30).all()


def test_clamp_keeps_what_the_largest_power_can_follow():
    value = torch.tensor([-3.0, -0.4, 0.0, 1.2])
    DeepShiftQ.clamp_(ShiftSettings(), value)
    assert value.tolist() == pytest.approx([-1.0, -0.4, 0.0, 1.0])


def test_half_precision_never_enters():
    weight = DeepShiftQ((8, 8), ShiftSettings())
    with torch.autocast("cpu", torch.bfloat16):
        assert weight().dtype == torch.float32

"""Incremental quantisation: what is frozen when, and to what."""

import pytest
import torch

from hw.errors import InputError
from nas.shift import IncrementalWeight, ShiftSettings, advance_weights, largest_power
from nas.shift.inq import nearest_power, portion_at

PORTIONS = (0.5, 0.75, 0.875, 1.0)


def made(values: list[float], **settings) -> IncrementalWeight:
    weight = IncrementalWeight((len(values),), ShiftSettings(layer="inq", **settings), fan_in=1)
    weight.value.data = torch.tensor(values)
    return weight


def test_the_nearest_power_of_two():
    # Halfway between 0.25 and 0.5 is 0.375, between 0 and the smallest, 0.125, is 0.0625.
    x = torch.tensor([0.375, 0.374, -0.75, 0.74, 0.0625, 0.0624, 9.0, 0.0])
    sign, power = nearest_power(x, -3, -1)
    w = sign * torch.exp2(power.float())
    assert w.tolist() == [0.5, 0.25, -0.5, 0.5, 0.125, 0.0, 0.5, 0.0]


@pytest.mark.parametrize(
    ("largest", "n1"),
    [(0.74, -1), (0.75, 0), (1.49, 0), (5.0, 0), (0.1, -3), (1e-9, -14), (0, -14)],
)
def test_largest_exponent(largest, n1):
    """n1 = floor(log2(4·s/3)): of 0.1 floor(log2 0.1333) = -3."""
    assert largest_power(torch.tensor([0.0, -largest]), -14) == n1


def test_portions_come_at_equal_distances_and_the_last_before_the_end():
    portions = [portion_at(epoch / 9, PORTIONS) for epoch in range(10)]
    assert portions == [0, 0, 0.5, 0.5, 0.75, 0.75, 0.875, 0.875, 1, 1]
    assert [portion_at(k / 5, PORTIONS) for k in range(6)] == [0, 0.5, 0.75, 0.875, 1, 1]
    assert [portion_at(epoch / 1, PORTIONS) for epoch in range(2)] == [0, 1]


def test_the_largest_are_frozen_first_and_the_rest_is_trained_on():
    weight = made([0.3, -0.05, 0.02, -0.7, 0.11, 0.06, -0.2, 0.01])
    weight.advance(0.0)
    assert torch.equal(weight(), weight.value)
    weight.advance(0.2)  # half: 0.3, -0.7, 0.11, -0.2
    frozen = [0.25, None, None, -0.5, 0.125, None, -0.25, None]
    assert [w if f else None for w, f in zip(weight().tolist(), weight.frozen, strict=True)] == (
        frozen
    )
    assert torch.equal(weight()[~weight.frozen], weight.value[~weight.frozen])
    weight().sum().backward()
    assert weight.value.grad.tolist() == [float(f is None) for f in frozen]
    weight.advance(0.39)  # nothing is due
    assert int(weight.frozen.sum()) == 4
    weight.value.data += 0.5  # frozen weights stay
    assert weight().tolist()[3] == -0.5
    weight.advance(0.4)
    assert int(weight.frozen.sum()) == 6
    # n1 stays at -1, that of 0.7: weights grown beyond it are rounded to it.
    assert weight().abs().max() < 0.6
    with pytest.raises(InputError, match=r"25 % of the weights are still real"):
        weight.to_int()
    weight.advance(1.0)
    sign, power = weight.to_int()
    assert torch.equal(weight(), sign * torch.exp2(power.float()))


def test_small_weights_become_zero():
    weight = made([0.5, 0.03, -0.031, 0.04], max_shift=4)
    weight.advance(1.0)
    assert weight().tolist() == [0.5, 0.0, 0.0, 0.0625]
    assert weight.to_int()[0].tolist() == [1, 0, 0, 1]


def test_a_saved_weight_goes_on_where_it_stopped():
    weight = made([0.3, -0.05, 0.02, -0.7])
    weight.advance(0.2)
    other = made([1.0] * 4)
    other.load_state_dict(weight.state_dict())
    for both in (weight, other):
        both.value.data *= 0.5
        both.advance(1.0)
    assert torch.equal(weight(), other()) and int(other.n1) == -1


def test_portions_of_the_settings():
    net = torch.nn.ModuleList([made([0.1] * 10, inq_portions=(0.3, 1.0)) for _ in range(2)])
    advance_weights(net, 0.4)
    assert [int(weight.frozen.sum()) for weight in net] == [3, 3]

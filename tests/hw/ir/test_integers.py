import numpy as np
import pytest

from hw.ir.format import Format
from hw.ir.integers import (
    bits_of,
    cast,
    codes_of,
    join,
    number_type,
    pad,
    saturate,
    shift_right,
    tensor_type,
)

TYPES = [np.dtype(np.float64), np.dtype(np.int64), np.dtype(object)]


def test_type_follows_the_width():
    assert [number_type(w) for w in (53, 54, 63, 64)] == [TYPES[0], TYPES[1], TYPES[1], TYPES[2]]


def test_the_type_is_exact_at_its_limit():
    """2**53 + 1 is the first integer that float64 rounds; 53 bits do not reach it."""
    assert int(np.float64((1 << 53) + 1)) == 1 << 53
    edge = np.array([-(1 << 52), (1 << 52) - 1])
    assert cast(cast(edge, TYPES[0]), TYPES[1]).tolist() == edge.tolist()


@pytest.mark.parametrize("dtype", TYPES)
def test_shift_floors(dtype):
    values = cast(np.arange(-9, 10), dtype)
    for shift in (-3, 0, 1, 2):
        found = cast(shift_right(values, shift), TYPES[1]).tolist()
        assert found == [int(np.floor(v / 2.0**shift)) for v in range(-9, 10)]
    shifts = np.array([0, 1, 3] * 6 + [2])
    found = cast(shift_right(values, shifts), TYPES[1]).tolist()
    assert found == [v >> s for v, s in zip(range(-9, 10), shifts.tolist(), strict=True)]


@pytest.mark.parametrize("dtype", TYPES)
def test_saturation_gives_the_type_of_the_format(dtype):
    values = cast(np.array([-200, -8, 3, 200]), dtype)
    for width, clamped in ((4, [-8, -8, 3, 7]), (60, values.tolist()), (70, values.tolist())):
        target = Format(True, width, 0)
        found = saturate(values, target)
        assert found.tolist() == clamped
        assert found.dtype == tensor_type(target) == number_type(width)


@pytest.mark.parametrize("dtype", TYPES)
def test_padding_is_of_the_same_integers(dtype):
    values = cast(np.arange(12).reshape(1, 2, 3, 2), dtype)
    found = pad(values, (1, 0), (0, 2), fill=-7)
    assert found.dtype == dtype and found.shape == (1, 3, 5, 2)
    assert {type(value) for value in found.flat} == {type(value) for value in values.flat}
    assert found[0, 1:, :3].tolist() == values[0].tolist()
    assert found.sum() == 66 - 7 * (3 * 5 * 2 - 12)
    assert pad(values, (0, 0), (0, 0)) is values


def test_only_like_integers_are_joined():
    """NumPy would make floats of int64 beside float64, and put floats among Python's integers."""
    parts = [cast(np.ones((1, 1, 1, k + 1)), dtype) for k, dtype in enumerate(TYPES)]
    for k, dtype in enumerate(TYPES):
        assert join([parts[k], parts[k]]).dtype == dtype
        with pytest.raises(TypeError, match="several types are joined"):
            join([parts[k], parts[k - 1]])


def test_wide_values_are_python_integers():
    values = codes_of(np.array([1 << 80], object), 82)
    assert values.dtype == object and values[0] == 1 << 80
    assert codes_of(np.array([5.0]), 8).dtype == np.int64
    assert type(cast(np.array([5.0]), TYPES[2])[0]) is int


def test_bits_hold_zero_too():
    assert bits_of(3, 7) == 4
    assert bits_of(-8, -5) == 4
    assert bits_of(0) == 1

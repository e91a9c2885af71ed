"""Weights in bands that an int8 holds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.exchange.products import bands


@given(st.lists(st.tuples(st.sampled_from((-1, 0, 1)), st.integers(0, 46)), min_size=1))
def test_bands_add_up(drawn):
    weights = np.array([sign << power if sign >= 0 else -(1 << power) for sign, power in drawn])
    found = list(bands(weights))
    assert all(small.dtype == np.int8 and np.abs(small).max() <= 64 for _, small in found)
    assert (sum(small.astype(np.int64) << left for left, small in found) == weights).all()
    assert len(found) == 1 or all(small.any() for _, small in found)


@pytest.mark.parametrize(
    ("weights", "lefts"),
    [([0, 0], [0]), ([1, -64], [0]), ([1, 128], [0, 7]), ([-(1 << 14), 0], [14])],
)
def test_as_few_bands_as_the_exponents_need(weights, lefts):
    assert [left for left, _ in bands(np.array(weights))] == lefts

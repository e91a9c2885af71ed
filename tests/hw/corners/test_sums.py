"""Sums of terms against all of their totals, written down one by one."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.corners.sums import Sum, Target

TERMS = st.lists(
    st.tuples(st.integers(-5, 2), st.integers(0, 6), st.integers(0, 7)), min_size=0, max_size=4
)
"""(smallest value, how many more, shift) of each term: ranges with gaps between their multiples."""


def made(terms) -> tuple[Sum, set[int]]:
    """A sum, and all of its totals."""
    columns = ([low for low, _, _ in terms], [low + more for low, more, _ in terms],
               [shift for _, _, shift in terms])  # fmt: skip
    each = [[value << shift for value in range(low, low + more + 1)] for low, more, shift in terms]
    totals = {sum(values) for values in product(*each)}
    return Sum(*(np.array(column, np.int64) for column in columns)), totals


@given(TERMS, st.integers(-700, 700), st.integers(0, 90))
def test_what_is_reached_and_what_is_not(terms, low, size):
    total, totals = made(terms)
    high = low + size
    inside = sorted(value for value in totals if low <= value <= high)
    assert (total.least, total.most) == (min(totals), max(totals))
    assert total.reaches(Target(low, high)) == bool(inside)
    assert total.first(low, high) == (inside[0] if inside else None)
    assert total.last(low, high) == (inside[-1] if inside else None)


@given(TERMS, st.integers(-700, 700), st.integers(0, 500), st.integers(0, 5), st.integers(0, 2**31))
def test_values_have_a_total_that_was_asked_for(terms, low, size, bits, seed):
    total, totals = made(terms)
    rest = seed % (1 << bits)
    wanted = [
        value for value in totals if low <= value <= low + size and value % (1 << bits) == rest
    ]
    target = Target(low, low + size, rest, bits)
    values = total.values(target, np.random.default_rng(seed))
    assert total.reaches(target) == (values is not None) == bool(wanted)
    if values is not None:
        assert all(
            least <= value <= least + more
            for (least, more, _), value in zip(terms, values.tolist(), strict=True)
        )
        shifts = [shift for _, _, shift in terms]
        assert sum(v << s for v, s in zip(values.tolist(), shifts, strict=True)) in wanted


@pytest.mark.parametrize("seed", range(3))
def test_many_wide_terms_and_totals_of_over_63_bits(seed):
    rng = np.random.default_rng(seed)
    low = rng.integers(-(2**31), 0, 300)
    high, shift = low + rng.integers(0, 2**32, 300), rng.integers(0, 40, 300)
    total = Sum(low, high, shift)
    assert total.most.bit_length() > 63
    for _ in range(20):
        at = total.least + int.from_bytes(rng.bytes(16), "little") % (total.most - total.least)
        reached = total.first(at, total.most)
        assert reached is not None
        values = total.values(Target(reached, reached), rng)
        assert values is not None and ((values >= low) & (values <= high)).all()
        made = sum(v << s for v, s in zip(values.tolist(), shift.tolist(), strict=True))
        assert made == reached

"""The level rule against plain integers."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.overlay import isa
from hw.overlay.compiler.levels import TooFar, arrange, digits


def run(words: np.ndarray, terms: np.ndarray, pixels: list[int]) -> tuple[int, int, int]:
    """What the words leave in an accumulator; its least and largest value on the way."""
    total = least = most = 0
    for packed, term in zip(words.tolist(), terms.tolist(), strict=True):
        word = isa.unpack(packed)
        if isinstance(word, isa.Imm):
            operand = word.value + word.carry
        else:
            assert isinstance(word, isa.Weight)
            assert word.operand == term
            operand = -pixels[term] if word.negative else pixels[term]
        total = (total >> word.halve) + operand
        least, most = min(least, total), max(most, total)
    return total, least, most


@given(
    terms=st.lists(
        st.tuples(st.integers(-4, 12), st.booleans(), st.integers(-128, 255)), max_size=12
    ),
    constant=st.integers(-(1 << 22), 1 << 22) | st.integers(-600, 600),
    shift=st.integers(4, 14),
    extra=st.integers(0, 3),
)
def test_equal_to_the_floor_of_the_exact_sum(terms, constant, shift, extra):
    level = np.array([term[0] for term in terms], np.int64)
    negative = np.array([term[1] for term in terms], bool)
    start = min([shift, *level.tolist()]) - extra
    try:
        found = arrange(
            level,
            negative,
            np.arange(len(terms)),
            constant=constant,
            shift=shift,
            bounds=(-128, 255),
            start=start,
        )
    except TooFar:
        assert abs(constant) >> shift > 256 * 4000
        return
    pixels = [pixel for _, _, pixel in terms]
    total, least, most = run(found.words, found.terms, pixels)
    exact = sum((-x if minus else x) << (at + 4) for at, minus, x in terms) + (constant << 4)
    assert total == exact >> (shift + 4)
    assert found.low <= least
    assert most <= found.high


@given(st.integers(-(1 << 20), 1 << 20))
def test_digits(value):
    found = digits(value)
    assert sum(sign << exponent for exponent, sign in found) == value
    exponents = [exponent for exponent, _ in found]
    assert all(b - a > 1 for a, b in pairwise(exponents))


def test_a_term_far_above_the_last_level_is_refused():
    with pytest.raises(TooFar, match="a term stands 20 levels above the last one"):
        arrange(
            np.array([20]), np.array([False]), np.array([0]), constant=0, shift=0, bounds=(0, 1)
        )


def test_halvings_are_free_where_a_term_is_added():
    level, negative = np.arange(5), np.zeros(5, bool)
    found = arrange(level, negative, np.arange(5), constant=0, shift=4, bounds=(-128, 127))
    assert len(found.words) == 5
    rounded = arrange(level, negative, np.arange(5), constant=8, shift=4, bounds=(-128, 127))
    assert len(rounded.words) == 6

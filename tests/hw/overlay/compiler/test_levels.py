"""The level rule against plain integers."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.overlay import isa
from hw.overlay.compiler.levels import Sum, TooFar, arrange, digits, without_idle
from hw.overlay.compiler.terms import Terms, Wanted


def terms_of(
    level: np.ndarray, negative: np.ndarray, bounds: tuple[int, int] = (-128, 127)
) -> Terms:
    """Terms whose operand and plane are their number."""
    number = np.arange(len(level))
    return Terms.of(level, negative, number, number, bounds)


def run(found: Sum, pixels: list[int]) -> tuple[int, int, int]:
    """What a sum's words leave in an accumulator; its least and largest value on the way."""
    total = least = most = 0
    for packed, term in zip(found.words.tolist(), found.reads.tolist(), strict=True):
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


def exact(wanted: Wanted, pixels: list[int]) -> int:
    signs = np.where(wanted.terms.negative, -1, 1).tolist()
    levels = wanted.terms.level.tolist()
    total = sum(s * x << (at + 8) for s, x, at in zip(signs, pixels, levels, strict=True))
    return total + (wanted.constant << 8) >> (wanted.shift + 8)


@given(
    drawn=st.lists(
        st.tuples(st.integers(-4, 12), st.booleans(), st.integers(-128, 255)), max_size=12
    ),
    constant=st.integers(-(1 << 22), 1 << 22) | st.integers(-600, 600),
    shift=st.integers(4, 14),
    extra=st.none() | st.integers(0, 3),
)
def test_equal_to_the_floor_of_the_exact_sum(drawn, constant, shift, extra):
    level = np.array([term[0] for term in drawn], np.int64)
    negative = np.array([term[1] for term in drawn], bool)
    start = None if extra is None else min([shift, *level.tolist()]) - extra
    wanted = Wanted(terms_of(level, negative, (-128, 255)), constant, shift, start)
    try:
        found = arrange(wanted)
    except TooFar:
        assert abs(constant) >> shift > 256 * 4000
        return
    pixels = [pixel for _, _, pixel in drawn]
    total, least, most = run(found, pixels)
    assert total == exact(wanted, pixels)
    assert found.low <= least
    assert most <= found.high
    low, high = wanted.bounds
    assert low <= total <= high


@given(
    drawn=st.lists(
        st.tuples(st.integers(0, 12), st.booleans(), st.integers(0, 3)), min_size=1, max_size=4
    ),
    constant=st.integers(-(1 << 14), 1 << 14),
)
def test_what_lowest_terms_cannot_change_is_left_out(drawn, constant):
    level = np.array([term[0] for term in drawn], np.int64)
    negative = np.array([term[1] for term in drawn], bool)
    wanted = Wanted(terms_of(level, negative, (0, 3)), constant, 14)
    pixels = [pixel for _, _, pixel in drawn]
    total, _, _ = run(arrange(wanted), pixels)
    assert total == exact(wanted, pixels)


def test_a_small_term_beside_a_round_constant_takes_no_step():
    wanted = Wanted(terms_of(np.array([0, 9]), np.array([False, False]), (0, 127)), 256, 10)
    assert len(without_idle(wanted).terms) == 1
    low = Wanted(terms_of(np.array([0, 9]), np.array([True, False]), (0, 127)), 256, 10)
    assert len(without_idle(low).terms) == 1
    near = Wanted(terms_of(np.array([0, 9]), np.array([False, False]), (0, 127)), 400, 10)
    assert len(without_idle(near).terms) == 2


@given(st.integers(-(1 << 20), 1 << 20))
def test_digits(value):
    found = digits(value)
    assert sum(sign << exponent for exponent, sign in found) == value
    exponents = [exponent for exponent, _ in found]
    assert all(b - a > 1 for a, b in pairwise(exponents))


def test_a_term_far_above_the_last_level_is_refused():
    terms = terms_of(np.array([20]), np.array([False]), (0, 1))
    with pytest.raises(TooFar, match="a term stands 20 levels above the last one"):
        arrange(Wanted(terms, 0, 0))


def test_halvings_are_free_where_a_term_is_added():
    terms = terms_of(np.arange(5), np.zeros(5, bool))
    assert len(arrange(Wanted(terms, 0, 4)).words) == 5
    assert len(arrange(Wanted(terms, 8, 4)).words) == 6

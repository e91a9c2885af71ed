"""ReLU and ReLU6 as the range of a format."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.ir.clip import Clip, clipped, clipped_format
from hw.ir.format import Format

clips = st.sampled_from((None, *Clip))


@given(clips, st.integers(2, 32), st.integers(-3, 40))
def test_the_range_of_codes(clip, width, frac):
    """By rational numbers: from zero to six, as far as the width goes."""
    found = clipped_format(clip, width, frac)
    natural = Format(clip is None, width, frac)
    assert (found.width, found.frac, found.qmin) == (width, frac, natural.qmin)
    six = floor(6 * Fraction(2) ** frac + Fraction(1, 2))
    assert found.qmax == (min(natural.qmax, six) if clip is Clip.RELU6 else natural.qmax)
    assert (found.limit is None) == (found.qmax == natural.qmax)


@given(clips, st.lists(st.floats(-20, 20), min_size=1), st.integers(3, 12), st.integers(-1, 10))
def test_rounding_a_clipped_value_is_rounding_into_the_clipped_range(clip, values, width, frac):
    """Where six has a code of its own: the saturation at the end is the activation function."""
    target = clipped_format(clip, width, frac)
    codes = np.clip(np.floor(np.array(values) * 2.0**frac + 0.5), target.qmin, target.qmax)
    wide = Format(True, 40, frac)
    first = np.floor(clipped(np.array(values), clip) * 2.0**frac + 0.5)
    assert np.array_equal(np.clip(first, max(wide.qmin, target.qmin), target.qmax), codes)


@pytest.mark.parametrize(
    ("clip", "text"), [(None, "s8.5"), (Clip.RELU, "u8.5"), (Clip.RELU6, "u8.5<=192")]
)
def test_how_it_is_written(clip, text):
    assert str(clipped_format(clip, 8, 5)) == text


def test_six_beyond_the_width_is_no_limit():
    assert clipped_format(Clip.RELU6, 8, 6) == Format(False, 8, 6)

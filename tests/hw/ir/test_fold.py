import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.ir.arithmetic import Accumulation
from hw.ir.fold import fixed_point, fold, power_terms, unit_scales
from hw.ir.format import Format

OUT = Format(True, 8, 4)


def acc_of(*bounds, frac=12):
    low, high = zip(*bounds, strict=True)
    return Accumulation(p0=-4, frac=frac, low=low, high=high, width=32)


def value(terms):
    return sum((s * Fraction(2) ** e for s, e in terms), Fraction(0))


@pytest.mark.parametrize(
    ("number", "terms"),
    [
        (0.0, ()),
        (1.0, ((1, 0),)),
        (-0.25, ((-1, -2),)),
        (1.5, ((1, 0), (1, -1))),  # a tie goes to the smaller power
        (1.500001, ((1, 1), (-1, -1), (1, -20))),
        (3.0, ((1, 1), (1, 0))),
        (0.7, ((1, -1), (1, -2), (-1, -4))),
    ],
)
def test_terms(number, terms):
    assert power_terms(number, 3) == terms


@given(st.floats(-1e6, 1e6).filter(lambda x: abs(x) > 1e-30), st.integers(1, 4))
def test_terms_are_greedy(number, most):
    terms = power_terms(number, most)
    exponents = [e for _, e in terms]
    assert exponents == sorted(set(exponents), reverse=True)
    left = Fraction(number)
    for sign, exponent in terms:
        power = Fraction(2) ** exponent
        assert sign * left > 0
        # The nearest power of two, by the threshold 1.5·2**e.
        assert Fraction(3, 4) * power < abs(left) <= Fraction(3, 2) * power
        left -= sign * power
    assert left == 0 or len(terms) == most


def test_scales_must_be_finite():
    with pytest.raises(ValueError, match="finite"):
        power_terms(math.nan, 3)


def test_fixed_point_rounds_half_up_at_any_size():
    assert [fixed_point(v, 0) for v in (0.5, -0.5, 1.5, -1.5)] == [1, 0, 2, -1]
    assert fixed_point(1.0, 100) == 1 << 100
    assert fixed_point(Fraction(1, 3), -1) == 0


def test_fold():
    acc = acc_of((-4096, 4096), (-4096, 4096))
    scales = fold([0.75, -4.0], [1.0, 0.0], [0.5, -0.25], acc=acc, out=OUT, terms=3)
    assert scales.sign.tolist() == [[1, 1, 0], [-1, 0, 0]]
    assert scales.exp.tolist() == [[-1, -2, 0], [2, 0, 0]]
    assert scales.sign.dtype == np.int8 and scales.exp.dtype == np.int16
    # e_min = -2: B = b·2**(12 + 2), b = 1 - 0.5·0.75 and -(-0.25)·(-4).
    assert scales.bias == (int(0.625 * 2**14), -(2**14))


def test_bias_uses_the_quantised_scale():
    acc = acc_of((-(1 << 20), 1 << 20))
    scales = fold([0.7], [0.0], [1.0], acc=acc, out=OUT, terms=1)
    assert scales.exp.tolist() == [[-1]]
    assert scales.bias == (-(1 << 12),)  # -0.5, not -0.7


def test_terms_without_effect_are_dropped_before_e_min_is_taken():
    # One step of the output is 2**8 of the accumulator: effect = 16·|acc|·2**e / 256.
    bound = 64
    kept = fold([2.0**-2], [0.0], [0.0], acc=acc_of((0, bound)), out=OUT, terms=3)
    assert kept.exp.tolist()[0][0] == -2  # 64·2**-2 / 256 = 1/16: not below
    gone = fold([2.0**-3], [0.5], [9.0], acc=acc_of((0, bound)), out=OUT, terms=3)
    assert gone.sign.tolist() == [[0, 0, 0]]
    assert gone.bias == (1 << 11,)  # beta alone: a dead channel
    both = fold(
        [2.0**-20, 1.0], [0.0, 0.0], [0.0, 0.0],
        acc=acc_of((-512, 0), (0, 512)), out=OUT, terms=3,
    )  # fmt: skip
    assert both.sign.tolist() == [[0, 0, 0], [1, 0, 0]]
    assert both.bias == (0, 0)


def test_unit_scales():
    scales = unit_scales(2)
    assert scales.sign.tolist() == [[1], [1]]
    assert scales.exp.tolist() == [[0], [0]]
    assert scales.bias == (0, 0)

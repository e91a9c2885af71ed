import numpy as np
import pytest

from hw.ir.calibrate import choose_frac, quantise, squared_error
from hw.ir.format import Format


@pytest.mark.parametrize("width", [2, 4, 8, 16, 32])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 300.0])
def test_least_squared_error_of_all(width, signed, scale):
    rng = np.random.default_rng(0)
    for values in (rng.normal(size=500), rng.standard_t(2, 500), rng.random(500), np.ones(3)):
        values = scale * values
        errors = {f: squared_error(values, Format(signed, width, f)) for f in range(-20, 50)}
        least = min(errors.values())
        assert choose_frac(values, width, signed) == max(f for f, e in errors.items() if e == least)


def test_ties_go_to_the_larger():
    # 0.5 is exact with F = 1 to 7 in eight signed bits (2**6 at F = 7).
    assert choose_frac(np.array([0.5, -0.5]), 8, True) == 7
    assert choose_frac(np.array([-0.5]), 8, True) == 8
    assert choose_frac(np.array([0.5]), 8, False) == 8


def test_zeros():
    assert choose_frac(np.zeros(4), 8, True) == 8


@pytest.mark.parametrize("values", [np.array([]), np.array([1.0, np.nan]), np.array([np.inf])])
def test_nothing_to_choose_from(values):
    with pytest.raises(ValueError, match="one or more finite values"):
        choose_frac(values, 8, True)


def test_quantise_rounds_half_up_and_saturates():
    values = np.array([0.25, -0.25, 0.75, 100.0, -100.0])
    assert quantise(values, Format(True, 4, 1)).tolist() == [1, 0, 2, 7, -8]

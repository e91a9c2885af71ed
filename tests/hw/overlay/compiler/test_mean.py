"""Means in few steps: equal to those of `numerics.md` for every sum that can occur."""

import pytest

from hw.ir.arithmetic import average
from hw.ir.format import Format
from hw.overlay.compiler.mean import mean


@pytest.mark.parametrize("code", [Format(True, 8, 3), Format(False, 8, 8), Format(True, 4, 0)])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 6, 9, 15, 25, 49])
def test_every_mean_is_exact(code, n):
    low, high = code.qmin * n, code.qmax * n
    found = mean(code, n, low, high, 3)
    assert found is not None
    multiplier, shift = average(code.width, n)
    for total in range(low, high + 1):
        exact = (total * multiplier + (1 << shift - 1)) >> shift
        wanted = min(max(exact, code.qmin), code.qmax)
        assert (total * found.multiplier + found.constant) >> found.shift == wanted

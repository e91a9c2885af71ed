"""Clocks that the PLL of an ECP5 gives."""

import pytest

from hw.board.boards import BOARDS
from hw.board.pll import pll
from hw.errors import InputError


@pytest.mark.parametrize(
    "source, wanted, got", [(25, 50, 50), (25, 60, 60), (50, 50, 50), (100, 75, 75), (48, 50, 48)]
)
def test_pll(source, wanted, got):
    found = pll(source, wanted)
    assert found.mhz == pytest.approx(got)
    assert source / found.reference * found.feedback == pytest.approx(found.mhz)
    assert 400 <= found.mhz * found.output <= 800
    assert 3.125 <= source / found.reference <= 400


@pytest.mark.parametrize(
    ("source", "wanted", "nearest"),
    [(25, 1, "5"), (25, 3000, "800"), (48, 51, "48 or 51.2"), (100, 6.2, "5.88235 or 6.25")],
)
def test_clocks_that_the_pll_does_not_make_are_refused(source, wanted, nearest):
    with pytest.raises(InputError, match=f"clock: {wanted} MHz is not what .* choose {nearest} "):
        pll(source, wanted)
    for mhz in map(float, nearest.split(" or ")):
        assert pll(source, mhz * 1.00001).mhz == pytest.approx(mhz, rel=1e-4)


@pytest.mark.parametrize("source", sorted({board.clock_mhz for board in BOARDS.values()} | {48.0}))
def test_a_clock_is_not_above_what_is_asked_for_and_is_given_again(source):
    """Every clock from 54 to 400 MHz is made, to within 5 %; a plan that has the PLL's own clock
    gets it."""
    for wanted in range(54, 401):
        found = pll(source, wanted).mhz
        assert 0.95 * wanted <= found <= wanted + 1e-6
        assert pll(source, found).mhz == found

"""What came with a later version of the schema is left out where it is not used."""

from hw.ir.clip import Clip
from hw.ir.format import Format
from hw.ir.graph import Add, Conv
from hw.ir.schema import NEWEST, stored, version_of

PLAIN = Conv(name="a", inputs=("x",), shape=(1, 1, 1))
BIASED = Conv(name="a", inputs=("x",), shape=(1, 1, 1), batch_norm=False, bias=True)
CLIPPED = Add(name="a", inputs=("x", "x"), shape=(1, 1, 1), clip=Clip.RELU)


def test_nothing_new_is_the_first_version():
    assert version_of(PLAIN, Format(True, 8, 3)) == 1
    assert not stored(PLAIN).keys() & {"clip", "bias"}
    assert stored(Format(True, 8, 3)) == {"signed": True, "width": 8, "frac": 3}


def test_what_is_new_is_stored():
    assert version_of(PLAIN, BIASED) == version_of(CLIPPED) == NEWEST
    assert stored(BIASED)["bias"] is True and "clip" not in stored(BIASED)
    assert stored(CLIPPED)["clip"] == "relu"
    assert stored(Format(False, 8, 5, 192))["limit"] == 192

"""Sizes of an overlay: what is refused, what its digest depends on."""

import re

import pytest

from hw.errors import InputError
from hw.overlay.hardware import Overlay


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"rows": 0}, "overlay: rows: 0; expected an integer 1 to 64"),
        ({"columns": 2.0}, "overlay: columns: 2.0; expected an integer 1 to 64"),
        ({"corner": 3}, "overlay: corner: 3; expected 1, 2 or 4"),
        ({"acc_bits": 9}, "overlay: acc_bits: 9; expected more than data_bits, 9"),
        ({"fabric": "asic"}, "overlay: fabric: 'asic'; expected ecp5 or generic"),
        ({"data_bits": 12}, "overlay: data_bits: 12; the block RAMs of an ecp5 have bytes of 9"),
        ({"words": 5000}, "overlay: words: 5000; expected an integer 16 to 4095"),
    ],
)
def test_what_no_overlay_can_have(sizes, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        Overlay(**sizes)


def test_the_digest_is_of_what_a_program_must_agree_with():
    hardware = Overlay()
    assert hardware.lanes == 64
    assert hardware.digest == hardware.resized(fabric="generic").digest
    others = {hardware.resized(**{name: value}).digest for name, value in OTHER_SIZES.items()}
    assert len(others | {hardware.digest}) == 1 + len(OTHER_SIZES)
    assert 0 <= hardware.fingerprint < 1 << 32


OTHER_SIZES = {
    "rows": 4,
    "columns": 4,
    "acc_bits": 20,
    "words": 512,
    "program_words": 4096,
    "corner": 4,
    "logit_bits": 24,
}

"""The grid of lanes, in both forms, against plain integers: random micro-operations."""

import pytest

from hw.overlay import isa
from hw.overlay.rtl import micro_op as timing
from hw.overlay.rtl.array import LaneArray
from hw.overlay.rtl.capture import Mode
from hw.overlay.rtl.memory import blocks, depths
from hw.overlay.rtl.operand import Direction
from sim import gates
from sim.component import check
from sim.overlay.lanes import Bench, encode, session, shown
from sim.overlay.plain_lanes import Lanes

SIZES = [
    (Lanes(3, 5, 9, 17, 9), 2000),
    (Lanes(2, 3, 9, 12, 700), 300),
    (Lanes(2, 2, 9, 19, 1300), 300),
]


@pytest.mark.parametrize("fabric", ["generic", "ecp5"])
@pytest.mark.parametrize("case", range(len(SIZES)))
def test_array_computes_what_plain_integers_do(case, fabric):
    size, count = SIZES[case]
    ops = session(size, case, count)
    expected = shown(size, ops)
    array = LaneArray(
        size.rows,
        size.columns,
        bits=size.bits,
        total_bits=size.total_bits,
        words=size.words,
        fabric=fabric,
    )
    cells = gates.models() if fabric == "ecp5" else None
    check(
        Bench(array),
        {"i": [encode(size, op) for op in ops]},
        expected,
        stalls=[(0, 0), (0.3, 0)],
        cells=cells,
    )
    assert any(expected)


def test_hazard_is_that_of_the_encoding():
    assert timing.HAZARD == isa.HAZARD


def test_enumerations_are_those_of_the_encoding():
    for mine, theirs in ((Mode, isa.Mode), (Direction, isa.Direction)):
        assert {e.name: e.value for e in mine} == {e.name: e.value for e in theirs}


@pytest.mark.parametrize(
    ("words", "expected"),
    [(1, (512,)), (512, (512,)), (513, (1024,)), (1024, (1024,)), (1025, (1024, 512)),
     (1535, (1024, 512)), (1536, (2048,)), (4095, (2048, 2048))],
)  # fmt: skip
def test_banks_take_as_few_blocks_as_they_can(words, expected):
    assert depths(words) == expected


def test_more_words_than_two_banks_have_are_refused():
    with pytest.raises(ValueError, match="at most 4095, found 4096"):
        depths(4096)


def test_blocks_of_a_grid():
    assert blocks(16, 16, 1535) == {"blocks": 192, "words": 1535}
    assert blocks(8, 8, 1024) == {"blocks": 32, "words": 1024}
    assert blocks(3, 5, 512) == {"blocks": 6, "words": 512}

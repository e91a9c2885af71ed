"""The grid of lanes, in both forms, against plain integers: random micro-operations."""

import pytest

from hw.overlay import isa
from hw.overlay.rtl import micro_op as timing
from hw.overlay.rtl.array import LaneArray
from hw.overlay.rtl.capture import Mode
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


@pytest.mark.parametrize(
    ("case", "fabric"),
    [
        pytest.param(case, fabric, marks=[] if quick else pytest.mark.thorough)
        for case in range(len(SIZES))
        for fabric, quick in (("generic", case == 0), ("ecp5", case == 2))
    ],
)
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

"""lcov's tracefile, record by record."""

from sim.code_coverage.info import info
from sim.code_coverage.points import Kind, Point

BLOCK = Point("top.v", "top", 3, 1, Kind.LINE, "block", "3,5-6")
IF = Point("top.v", "top", 5, 1, Kind.BRANCH, "if", "5")
ELSE = Point("top.v", "top", 5, 2, Kind.BRANCH, "else", "7")
RISE = Point("top.v", "top", 2, 1, Kind.TOGGLE, "q:0->1")
FALL = Point("top.v", "top", 2, 1, Kind.TOGGLE, "q:1->0")


def test_lines_and_branches():
    text = info({BLOCK: 4, IF: 1, ELSE: 0, FALL: 0, RISE: 2}, {})
    assert text == (
        "TN:shiftnas\nSF:top.v\n"
        "BRDA:2,1,0,2\nBRDA:2,1,1,0\nBRDA:5,0,0,1\nBRDA:5,0,1,0\nBRF:4\nBRH:2\n"
        "DA:2,2\nDA:3,4\nDA:5,4\nDA:6,4\nDA:7,0\nLF:5\nLH:4\nend_of_record\n"
    )


def test_what_is_excluded_is_not_in_it():
    text = info({BLOCK: 4, IF: 1, ELSE: 0, FALL: 0, RISE: 2}, {ELSE: "never", FALL: "sticky"})
    assert "BRF:2\nBRH:2\n" in text and "DA:7" not in text and "LF:4\nLH:4" in text

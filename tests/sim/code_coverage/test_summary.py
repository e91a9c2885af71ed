"""Lines, branches and bits are counted as they should be."""

from sim.code_coverage.points import Kind, Point
from sim.code_coverage.summary import Share, by_module, summary

BLOCK = Point("top.v", "top", 3, 1, Kind.LINE, "block", "3,5-6")
IF = Point("top.v", "top", 5, 1, Kind.BRANCH, "if", "5")
ELSE = Point("top.v", "top", 5, 2, Kind.BRANCH, "else", "7")
RISE = Point("top.v", "top.sub", 9, 1, Kind.TOGGLE, "q:0->1")
FALL = Point("top.v", "top.sub", 9, 1, Kind.TOGGLE, "q:1->0")
COUNTS = {BLOCK: 4, IF: 4, ELSE: 0, RISE: 1, FALL: 0}


def test_all_together():
    found = summary("all", COUNTS, {})
    assert (found.lines, found.branches, found.toggles) == (Share(3, 4), Share(1, 2), Share(1, 2))
    assert (found.missing, found.full, found.excluded) == ((ELSE, FALL), False, 0)
    assert found.lines.percent == 75
    assert summary("none", {}, {}).lines.percent == 100


def test_what_is_excluded_is_not_asked_for():
    found = summary("all", COUNTS, {ELSE: "never", FALL: "sticky"})
    assert (found.lines, found.branches, found.toggles) == (Share(3, 3), Share(1, 1), Share(1, 1))
    assert (found.missing, found.full, found.excluded) == ((), True, 2)


def test_by_module():
    top, sub = by_module(COUNTS, {FALL: "sticky"})
    assert (top.name, top.toggles, top.branches) == ("top", Share(0, 0), Share(1, 2))
    assert (sub.name, sub.toggles, sub.lines) == ("top.sub", Share(1, 1), Share(0, 0))

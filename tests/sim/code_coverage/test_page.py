"""The page of code coverage: figures, modules, what is missing, reasons."""

from sim.code_coverage.page import MARKS, page
from sim.code_coverage.points import Kind, Point
from sim.code_coverage.summary import by_module, summary

BLOCK = Point("top.v", "top", 3, 1, Kind.LINE, "block", "3")
ELSE = Point("top.v", "top.<sub>", 5, 2, Kind.BRANCH, "else", "5")
FALL = Point("top.v", "top.<sub>", 9, 1, Kind.TOGGLE, "q[2]:1->0")


def made(counts, excluded):
    return page("abc" * 20, summary("all", counts, excluded), by_module(counts, excluded), excluded)


def test_page_has_everything_and_needs_nothing():
    text = made({BLOCK: 1, ELSE: 0, FALL: 0}, {FALL: "a <carry>"})
    assert MARKS[0] in text.encode()
    assert "50.0 %" in text and "top.&lt;sub&gt;" in text and "a &lt;carry&gt;" in text
    assert "line 5" in text and "way <code>else</code>" in text
    assert "q[2]" not in text
    assert "http" not in text and "<sub>" not in text


def test_page_of_everything_hit():
    text = made({BLOCK: 1}, {})
    assert text.count("<p>Nothing.</p>") == 2

"""Exclusions: read strictly, and each stands for something that is missing."""

import pytest

from hw.errors import InputError
from sim.code_coverage import exclusions
from sim.code_coverage.points import Kind, Point

RISE = Point("top.v", "top.cell0", 3, 5, Kind.TOGGLE, "add2[4]:0->1")
FALL = Point("top.v", "top.cell0", 3, 5, Kind.TOGGLE, "add2[4]:1->0")
OTHER = Point("top.v", "top.cell1", 3, 5, Kind.TOGGLE, "add24:0->1")
WAY = Point("top.v", "top.cell1", 12, 5, Kind.BRANCH, "else")
HIT = Point("top.v", "top.cell1", 14, 5, Kind.BRANCH, "if")
COUNTS = {RISE: 0, FALL: 0, OTHER: 0, WAY: 0, HIT: 3}


def excluded(tmp_path, text):
    file = tmp_path / "exclude.yaml"
    file.write_text(text)
    return exclusions.excluded(exclusions.load(file), COUNTS)


def test_what_is_named_is_excluded(tmp_path):
    """Brackets are no patterns; a bit is both of its changes; what was hit stays hit."""
    text = '- {module: "top.*", toggle: "add2[4]", reason: carry}\n'
    text += "- {module: top.cell1, line: 12-20, reason: never}\n"
    found = excluded(tmp_path, text)
    assert found == {RISE: "carry", FALL: "carry", WAY: "never"}
    assert list(exclusions.reasons(found)) == [("carry", 2), ("never", 1)]
    assert excluded(tmp_path, "- {module: '*', toggle: '*:1->0', reason: r}\n") == {FALL: "r"}
    assert excluded(tmp_path, "- {module: '*', line: 12, reason: r}\n") == {WAY: "r"}


def test_an_exclusion_of_nothing_is_refused(tmp_path):
    for text in (
        "- {module: top.cell1, line: 14, reason: was hit}\n",
        "- {module: top, toggle: '*', reason: no such module}\n",
        "- {module: '*', toggle: 'add2', reason: no such bit}\n",
    ):
        with pytest.raises(InputError, match="names no point that is missing"):
            excluded(tmp_path, text)
    known = exclusions.excluded(
        [exclusions.Exclusion("*", "*", range(0), "all")], COUNTS, {RISE, FALL}
    )
    assert list(known) == [OTHER]


@pytest.mark.parametrize(("text", "message"), [
    ("", "expected a list of exclusions"),
    ("module: a", "expected a list of exclusions"),
    ("- {module: a, toggle: b}", "entry 1: expected module, toggle or line, and reason"),
    ("- {module: a, reason: b}", "entry 1: expected toggle or line"),
    ("- {module: a, toggle: b, line: 3, reason: c}", "expected toggle or line, one of the two"),
    ("- {module: a, toggle: b, why: d, reason: c}", "expected toggle or line, one of the two"),
    ("- {module: a, toggle: b, reason: ''}", "reason: expected text"),
    ("- {module: a, toggle: 3, reason: c}", "toggle: expected text"),
    ("- {module: a, line: x, reason: c}", "line: 'x'; expected a number, or 12-20"),
    ("- {module: a, module: b, line: 1, reason: c}", "key 'module' is given twice"),
    ("- {module: a", "exclude.yaml: line"),
])  # fmt: skip
def test_damaged_file_is_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        excluded(tmp_path, text)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        exclusions.load(tmp_path / "none.yaml")

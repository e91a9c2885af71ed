"""The file of counts that a model writes."""

import pytest

from hw.errors import CheckFailed
from sim.code_coverage import points
from sim.code_coverage.points import Kind, Point

TEXT = """\
module top (
  input clk
);
  reg [7:0] q;
  reg [7:0] words [3:0];
  reg flags [3:0];
endmodule

module \\top.sub  (
  input clk
);
  wire words;
endmodule
"""
SOURCES = {"top.v": TEXT}


def entry(page: str, what: str, count: int, *, line: int = 3, lines: str = "", name="top.v") -> str:
    keys = {"t": page.partition("/")[0][2:], "page": page, "f": name, "l": line, "n": 5, "o": what}
    keys |= {"S": lines} if lines else {}
    text = "".join(f"\x01{key}\x02{value}" for key, value in keys.items())
    return f"C '{text}\x01h\x02harness.dut' {count}\n"


def read(tmp_path, *entries, start=()):
    start = start or (entry("v_line/top", "block", 0),)
    for name, written in ((points.FILE, entries), (points.START, start)):
        (tmp_path / name).write_text("# SystemC::Coverage-3\n" + "".join(written))
    return points.read(tmp_path, SOURCES)


def test_points_and_counts(tmp_path):
    counts = read(
        tmp_path,
        entry("v_line/top", "block", 7, lines="3,5-6"),
        entry("v_branch/top", "else", 0),
        entry("v_toggle/top.sub", "q[3]:0->1", 2),
        entry("v_toggle/top.sub", "q[3]:0->1", 3),
        entry("v_toggle/top.sub", "o___05Fpayload__02eacc:1->0", 3),
    )
    block, way, bit, last = counts
    assert block == Point("top.v", "top", 3, 5, Kind.LINE, "block", "3,5-6")
    assert block.executed() == [3, 5, 6]
    assert (way.kind, way.executed(), counts[way]) == (Kind.BRANCH, [], 0)
    assert (bit.module, bit.what, counts[bit]) == ("top.sub", "q[3]:0->1", 5)
    assert last.what == "o__payload.acc:1->0"
    assert str(bit) == "top.sub, line 3: q[3]:0->1"


def test_values_at_the_start_are_no_changes(tmp_path):
    counts = read(
        tmp_path,
        entry("v_line/top", "block", 3),
        entry("v_toggle/top", "q[0]:0->1", 3),
        entry("v_toggle/top", "q[1]:0->1", 1),
        start=(
            entry("v_line/top", "block", 1),
            entry("v_toggle/top", "q[0]:0->1", 1),
            entry("v_toggle/top", "q[1]:0->1", 1),
        ),
    )
    assert list(counts.values()) == [3, 2, 0]


def test_words_of_memories_are_left_out(tmp_path):
    counts = read(
        tmp_path,
        entry("v_toggle/top", "words[0][7]:0->1", 1),
        entry("v_toggle/top", "flags[0]:0->1", 1),
        entry("v_toggle/top", "q[0]:0->1", 1),
        entry("v_toggle/top.sub", "words:0->1", 1),
    )
    assert [point.what for point in counts] == ["q[0]:0->1", "words:0->1"]


def test_what_is_not_known_is_an_error(tmp_path):
    with pytest.raises(CheckFailed, match="wrote no code coverage"):
        points.read(tmp_path / "none", SOURCES)
    for wrong, message in (
        ("C 'no count'\n", "not a line that Verilator writes"),
        (entry("v_fsm/top", "block", 1), "'fsm' is not a valid Kind"),
        (entry("v_line/top", "block", 1, name="agents.sv"), "agents.sv: not a file of the model"),
        ("", "counted nothing"),
    ):
        with pytest.raises(CheckFailed, match=message):
            read(tmp_path, wrong)

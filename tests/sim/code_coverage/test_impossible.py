"""Changes of bits that cannot come: proved where they cannot, nowhere else."""

import pytest

from hw.verilog.rtl_folder import Emission
from hw.verilog.statements import names, read
from sim.code_coverage import impossible
from sim.code_coverage.impossible import LEFT, REASON, Verdict
from sim.code_coverage.points import Kind, Point

NETWORK = """\
module top (
  input clk,
  input rst,
  input step,
  output [3:0] count,
  output over
);
  wire [3:0] place;
  wire [2:0] limited;
  \\top.layer  layer (
    .clk(clk),
    .rst(rst),
    .step(step),
    .place(place)
  );
  assign count = place;
  assign over = place[3] & place[2];
  assign limited = { 1'h0, step, rst };
endmodule

module \\top.layer  (
  input clk,
  input rst,
  input step,
  output [3:0] place
);
  wire [4:0] next;
  reg [3:0] word = 4'h0;
  \\top.layer.counter  counter (
    .clk(clk),
    .rst(rst),
    .step(step),
    .place(place),
    .next(next)
  );
  always @(posedge clk) begin
    word <= 4'h6;
  end
endmodule

module \\top.layer.counter  (
  input clk,
  input rst,
  input step,
  output reg [3:0] place = 4'h0,
  output [4:0] next
);
  assign next = place + 1'h1;
  always @(posedge clk) begin
    if (step) begin
      place <= place == 4'h9 ? 4'h0 : next[3:0];
    end
    if (rst) begin
      place <= 4'h0;
    end
  end
endmodule
"""
EMISSION = Emission({"top.v": NETWORK}, {"top": "top", "layers": [{"path": "layer"}]})


def changes(module, name, width):
    lines = NETWORK.split("\n")
    first = read(NETWORK)[module].first
    line = next(n for n in range(first, len(lines)) if name in names(lines[n]))
    return [
        Point("top.v", module, line + 1, 1, Kind.TOGGLE, f"{name}{index}:{way}")
        for index in ([f"[{n}]" for n in range(width)] if width > 1 else [""])
        for way in ("0->1", "1->0")
    ]


POINTS = [
    *changes("top.layer.counter", "next", 5), *changes("top.layer.counter", "place", 4),
    *changes("top.layer", "word", 4), *changes("top.layer", "step", 1), *changes("top", "over", 1),
    *changes("top", "limited", 3),
]  # fmt: skip


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def of(points) -> set[str]:
    return {f"{point.module.rpartition('.')[2]} {point.what}" for point in points}


def test_changes_that_cannot_come():
    """A carry behind the counter's last value; a word that is set once and stays; no more.

    That `over` needs the counter to be 12 at least is seen in the layer, not in the module alone.
    """
    found = impossible.found(EMISSION, dict.fromkeys(POINTS, 0), {}, 60)
    stays = {f"layer word[{n}]:1->0" for n in (1, 2)}
    never = {f"layer word[{n}]:{way}" for n in (0, 3) for way in ("0->1", "1->0")}
    carry = {"counter next[4]:0->1", "counter next[4]:1->0"}
    wired = {"top limited[2]:0->1", "top limited[2]:1->0"}
    assert of(found.excluded) == stays | never | carry | wired
    assert set(found.excluded.values()) == {REASON}
    assert set(found.left) == set(POINTS) - set(found.excluded)
    assert set(found.left.values()) == {Verdict.POSSIBLE}
    assert found.left_without({}) == {LEFT[Verdict.POSSIBLE]: len(found.left)}
    one = next(iter(found.left))
    assert found.left_without({one: "mine"}) == {LEFT[Verdict.POSSIBLE]: len(found.left) - 1}


def test_only_what_is_missing_is_asked_for():
    counts = dict.fromkeys(POINTS, 0)
    known, hit = POINTS[8], POINTS[9]
    counts[hit] = 3
    found = impossible.found(EMISSION, counts, {known: "known"}, 60)
    assert not {known, hit} & (set(found.excluded) | set(found.left))


def test_a_single_change_and_no_time():
    (carry,) = (point for point in POINTS if point.what == "next[4]:0->1")
    assert impossible.found(EMISSION, {carry: 0}, {}, 60).excluded == {carry: REASON}
    found = impossible.found(EMISSION, {carry: 0}, {}, 0)
    assert (found.excluded, found.left) == ({}, {carry: Verdict.OPEN})

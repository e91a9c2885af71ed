"""Save files of GTKWave: which signals, and where the marker stands."""

import re

import pytest

from hw.ir import graph as g
from sim import gtkwave
from sim.harness import Dut, Stream
from sim.scoreboard import Compared, Difference
from sim.simulation import Finding, RunFailed

SHAPE = (1, 2, 1)

GRAPH = g.Graph(
    (
        g.Input(name="input", inputs=(), shape=SHAPE),
        g.MaxPool(name="a/pool", inputs=("input",), shape=SHAPE, kernel=(3, 3)),
        g.MaxPool(name="b/pool", inputs=("a/pool",), shape=SHAPE, kernel=(3, 3)),
    )
)

SIGNALS = (
    "clk", "rst", "dut.s_axis_tvalid", "dut.a.pool.o__valid", "dut.a.pool.o__ready",
    "dut.b.pool.o__valid", "dut.a.pool.fifo0.i__valid",
)  # fmt: skip

DESIGN = Dut(
    "dut",
    "top",
    [Stream("input", "s_axis", 8, False, SHAPE)],
    [Stream("b/pool", "m_axis", 8, True, SHAPE)],
    [Stream(f"{name}/pool", f"{name}.pool.o", 8, True, SHAPE) for name in "ab"],
    [("a/pool input 0 (input)", "a.pool.fifo0", 2)],
)


def waves(folder, moves: list[bool]) -> None:
    """A VCD of cycles of 10 units whose edges are at 5, 15, …: two in reset, then one for each of
    `moves`, in which a/pool gives a beat or not; a run of three beats that a reset cuts off goes
    before.
    """
    scopes: list[str] = ["cosim_harness"]
    lines = ["$timescale 1ps $end", "$scope module cosim_harness $end"]
    for number, name in enumerate(SIGNALS):
        *path, last = name.split(".")
        lines += [f"$scope module {part} $end" for part in path]
        lines += [f"$var wire 1 s{number} {last} $end", *["$upscope $end"] * len(path)]
    lines += ["$scope module dut $end", "$scope module a $end", "$scope module pool $end"]
    lines += ["$var wire 8 p o__payload [7:0] $end", *["$upscope $end"] * 3]
    lines += ["$upscope $end" for _ in scopes] + ["$enddefinitions $end", "#0", "b00000000 p"]
    cycles = [(1, False), (0, True), (0, True), (0, True), (1, False), (1, False)]
    for number, (reset, moving) in enumerate(cycles + [(0, move) for move in moves]):
        valid, ready = SIGNALS.index("dut.a.pool.o__valid"), SIGNALS.index("dut.a.pool.o__ready")
        lines += [f"#{10 * number}", "0s0", f"{reset}s1", f"{int(moving)}s{valid}", f"1s{ready}"]
        lines += [f"#{10 * number + 5}", "1s0"]
    (folder / gtkwave.WAVES).write_text("\n".join(lines) + "\n")


def failed(message: str, check: str, difference: Difference | None = None) -> RunFailed:
    compared = (Compared("a/pool", 1, 4, 1, difference),) if difference else ()
    return RunFailed(f"cosim: {message}", (), Finding(check, "a/pool", compared))


CUT = "a/pool: frame 0, pixel (0, 1), channel 0: expected 5, got 6, in the run "


@pytest.mark.parametrize(("error", "edge"), [
    # The beat of frame 1, pixel 1 is the fourth: edges in which a beat is taken are 0, 2, 3, 5.
    (failed("a/pool: frame 1", "difference", Difference(1, 0, 1, 0, 5, 6)), 5),
    (failed("a/pool: frame 0", "difference", Difference(0, 0, 1, 0, 5, None)), 2),
    (failed("a/pool: beat 1: valid withdrawn (cycle 4)", "stream rule"), 4),
    (failed("hang: nothing moved for 2 cycles up to cycle 3; first", "hang"), 1),
    (failed("a/pool: a beat more than the frames have", "surplus"), 6),
    # In a run that a reset has cut off: the one before it, and the one behind it.
    (failed(CUT + "before any reset, of those", "difference"), -4),
    (failed(CUT + "after reset 1, of those", "reset"), 2),
])  # fmt: skip
def test_marker_stands_where_it_was_found(tmp_path, error, edge):
    waves(tmp_path, [True, False, True, True, False, True, False])
    path = gtkwave.write(tmp_path, [DESIGN], GRAPH, error)
    assert path == tmp_path / "dump.gtkw"
    text = path.read_text()
    zoom = re.search(r"^\*(\S+) (\d+)", text, re.M)
    # Six cycles of the run before, and of resets, come first.
    assert zoom is not None and int(zoom[2]) == 10 * (6 + edge) + 5
    assert '[dumpfile] "dump.vcd"' in text and float(zoom[1]) < 0


def test_streams_of_the_layer_and_its_neighbours(tmp_path):
    waves(tmp_path, [True] * 4)
    path = gtkwave.write(tmp_path, [DESIGN], GRAPH, failed("hang", "hang"))
    assert path is not None
    text = path.read_text()
    assert re.findall(r"^-((?:in|out|next|a/pool).*)$", text, re.M)[::2] == [
        "in: input", "out: a/pool", "next: b/pool", "a/pool input 0 (input), i",
    ]  # fmt: skip
    traced = [line for line in text.splitlines() if line.startswith("cosim_harness.")]
    assert traced == [
        "cosim_harness.clk", "cosim_harness.rst", "cosim_harness.dut.s_axis_tvalid",
        "cosim_harness.dut.a.pool.o__valid", "cosim_harness.dut.a.pool.o__ready",
        "cosim_harness.dut.a.pool.o__payload[7:0]", "cosim_harness.dut.b.pool.o__valid",
        "cosim_harness.dut.a.pool.fifo0.i__valid",
    ]  # fmt: skip


def test_nothing_without_waves_or_a_layer(tmp_path):
    assert gtkwave.write(tmp_path, [DESIGN], GRAPH, failed("hang", "hang")) is None
    waves(tmp_path, [True])
    nowhere = RunFailed("cosim: reset", (), Finding("reset", ""))
    assert gtkwave.write(tmp_path, [DESIGN], GRAPH, nowhere) is None

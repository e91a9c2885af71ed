"""cocotb test of one streaming component against expected streams; started by sim.component, never
collected by pytest.
"""

import json
import os
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from hw import processes
from sim.stream import Scoreboard, Signals, Sink, Source, Testbench


@cocotb.test()
async def streams(dut):
    """Every run of the case: reset, feed the inputs, compare the outputs, under that run's
    stalls.
    """
    processes.end_with_parent()
    case = json.loads(Path(os.environ["SHIFTNAS_CASE"]).read_text(encoding="utf-8"))
    Clock(dut.clk, 2, unit="ns").start(start_high=False)
    cycles = []
    for number, stalls in enumerate(case["stalls"]):
        try:
            cycles.append(await one_run(dut, case, number, stalls))
        except AssertionError as error:
            raise type(error)(f"stalls {stalls['source']}/{stalls['sink']}: {error}") from None
    Path("result.json").write_text(json.dumps({"cycles": cycles}), encoding="utf-8")


async def one_run(dut, case: dict, number: int, stalls: dict) -> int:
    """Cycles from the end of reset until the last expected beat."""
    await FallingEdge(dut.clk)
    bench = Testbench(dut.clk, dut.rst, seed=f"{case['seed']}/{number}", patience=case["patience"])
    scoreboard = Scoreboard()
    for name, port in case["inputs"].items():
        source = Source(
            bench, Signals.from_prefix(dut, name), signed=port["signed"], stall=stalls["source"]
        )
        source.send_nowait(np.array(port["beats"], object))
    last = 0

    def note(beat: int) -> None:
        nonlocal last
        last = bench.cycles

    for name, port in case["outputs"].items():
        sink = Sink(
            bench,
            Signals.from_prefix(dut, name),
            shape=case["shape"],
            signed=port["signed"],
            stall=stalls["sink"],
        )
        scoreboard.watch(sink)
        scoreboard.expect_beats(name, port["beats"])
        sink.on_beat.append(note)
    await bench.reset()
    await bench.finish()
    bench.stop()
    return last

"""cocotb test of an overlay inside its harness; started by `sim.overlay.run`, never collected by
pytest. It sets the harness' registers and lets the clock run; what came of it is judged outside."""

import json
import os
import time
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles

from hw import processes
from sim.overlay.controls import CONTROLS, REPORTS


@cocotb.test()
async def session(dut):
    """The whole script, after the runs that resets cut off."""
    processes.end_with_parent()
    case = json.loads(Path(os.environ["SHIFTNAS_CASE"]).read_text(encoding="utf-8"))
    for name in CONTROLS:
        if name in case:
            getattr(dut, name).value = case[name]
    Clock(dut.clk, 2, unit="ns").start(start_high=False)
    await ClockCycles(dut.clk, 4)
    dut.go.value = 1
    start = time.monotonic()
    await dut.stop.value_change
    seconds = time.monotonic() - start
    # The logs are closed in the cycles that follow.
    found = {name: int(getattr(dut, name).value) for name in REPORTS}
    await ClockCycles(dut.clk, 4)
    Path("result.json").write_text(json.dumps(found | {"seconds": seconds}), encoding="utf-8")

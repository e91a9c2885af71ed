"""cocotb test of one streaming component against expected streams; started by sim.component, never
collected by pytest.
"""

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge

from sim.bfm import Bench, Hang, Sink, Source

SETTLE = 64
"""Cycles watched after the last expected beat: another beat would be one too many."""


@cocotb.test()
async def streams(dut):
    """Every run of the case: reset, feed the inputs, compare the outputs, under that run's
    stalls.
    """
    case = json.loads(Path(os.environ["SHIFTNAS_CASE"]).read_text())
    Clock(dut.clk, 2, unit="ns").start()
    cycles = []
    for number, stalls in enumerate(case["stalls"]):
        try:
            cycles.append(await one_run(dut, case, number, stalls))
        except AssertionError as error:
            raise type(error)(f"stalls {stalls['source']}/{stalls['sink']}: {error}") from None
    Path("result.json").write_text(json.dumps({"cycles": cycles}))


async def one_run(dut, case: dict, number: int, stalls: dict) -> int:
    """Cycles from the end of reset until the last expected beat."""

    def rng(name: str) -> random.Random:
        return random.Random(f"{case['seed']}/{number}/{name}")

    await FallingEdge(dut.clk)
    sources = [
        Source(dut, name, port["signed"], port["beats"], stalls["source"], rng(name))
        for name, port in case["inputs"].items()
    ]
    sinks = [
        Sink(dut, name, port["signed"], len(port["beats"]), stalls["sink"], rng(name))
        for name, port in case["outputs"].items()
    ]
    dut.rst.value = 1
    await ClockCycles(dut.clk, 3)
    await FallingEdge(dut.clk)
    dut.rst.value = 0
    bench = Bench(dut.clk, [*sources, *sinks])
    checked = dict.fromkeys(case["outputs"], 0)
    idle, settled, last = 0, 0, 0
    while settled < SETTLE:
        idle = 0 if await bench.cycle() else idle + 1
        for sink in sinks:
            expected = case["outputs"][sink.name]["beats"]
            while checked[sink.name] < len(sink.beats):
                compare(sink.name, checked[sink.name], sink.beats, expected, case["shape"])
                checked[sink.name] += 1
                last = bench.cycles
        if all(source.done for source in sources) and all(
            checked[name] == len(port["beats"]) for name, port in case["outputs"].items()
        ):
            settled += 1
        elif idle > case["patience"]:
            raise Hang(f"nothing moved for {idle} cycles: " + "; ".join(bench.moves()))
    return last


def compare(
    name: str, index: int, beats: list[int], expected: list[int], shape: list[int] | None
) -> None:
    """Raise AssertionError unless beat `index` is as expected; says where in the feature map it
    lies.
    """
    if index >= len(expected):
        raise AssertionError(
            f"{name}: beat {index} ({beats[index]}) is one too many, expected {len(expected)} beats"
        )
    if beats[index] != expected[index]:
        place = ""
        if shape:
            height, width, channels = shape
            pixel, channel = divmod(index, channels)
            frame, pixel = divmod(pixel, height * width)
            place = (
                f" (frame {frame}, pixel ({pixel // width}, {pixel % width}), channel {channel})"
            )
        raise AssertionError(
            f"{name}: beat {index}{place}: expected {expected[index]}, got {beats[index]}"
        )

"""cocotb test of whole designs inside the harness; started by sim.cosim, never collected by pytest.

It sets the harness' registers, lets the clock run until the harness stops, and compares what the
taps have written with the reference.
"""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotb.types import Logic

from hw import processes
from sim import scoreboard
from sim.harness import CONTROLS, HUNG, SURPLUS

FIFOS_SHOWN = 24
"""Most lines about FIFOs and layers after a hang, of each kind."""


@cocotb.test()
async def frames(dut):
    """All frames through all designs; every tap equal to the reference."""
    processes.end_with_parent()
    case = json.loads(Path(os.environ["SHIFTNAS_CASE"]).read_text(encoding="utf-8"))
    for name in CONTROLS:
        if name in case:
            getattr(dut, name).value = case[name]
    # No edge at time 0, when nothing has been evaluated yet: a run may begin without reset.
    Clock(dut.clk, 2, unit="ns").start(start_high=False)
    await ClockCycles(dut.clk, 4)
    dut.go.value = 1
    start, cpu = time.monotonic(), time.process_time()
    await dut.stop.value_change
    seconds, cpu_seconds = time.monotonic() - start, time.process_time() - cpu
    stop, cycles = int(dut.stop.value), int(dut.cycle.value)
    await ClockCycles(dut.clk, 4)

    taps = case["taps"]
    compared = [compare(tap, number) for number, tap in enumerate(taps)]
    compared = [compared[number] for number in case["order"]]
    layers = [tap["layer"] for tap in taps]
    failure = judge(dut, case, stop, cycles, compared)
    result = {
        "cycles": cycles,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "longest_idle": int(dut.longest_idle.value),
        "layers": [layer.as_dict() for layer in compared],
        "failure": failure and asdict(failure),
        "seen": {
            "held_back": chosen(dut.held_back, layers),
            "starved": chosen(dut.starved, layers),
            "full": chosen(dut.full, case["fifos"]),
            "waited": chosen(dut.waited, case["fifos"]),
        },
    }
    Path("result.json").write_text(json.dumps(result), encoding="utf-8")
    if failure:
        raise AssertionError(failure.message)


@dataclass(frozen=True)
class Failure:
    """What was found first: the kind of check, the layer (or port) it names, the message, and lines
    that say more."""

    check: str
    layer: str
    message: str
    lines: tuple[str, ...] = ()


def judge(
    dut, case: dict, stop: int, cycles: int, compared: list[scoreboard.Compared]
) -> Failure | None:
    """The first check that fails; `compared` is in the network's order."""
    layers = [tap["layer"] for tap in case["taps"]]
    differing = [layer for layer in compared if layer.mismatches]
    if differing:
        first = differing[0]
        return Failure(
            "difference",
            first.layer,
            f"{first.layer}: {first.difference} "
            f"({len(differing)} of {len(compared)} layers differ, this is the first)",
        )
    broken = chosen(dut.broken, layers)
    if broken:
        text = breach(Path(f"broken_{layers.index(broken[0])}.txt").read_text(encoding="utf-8"))
        return Failure("stream rule", broken[0], f"{broken[0]}: {text}")
    if stop == SURPLUS:
        surplus = chosen(dut.surplus, layers)
        return Failure("surplus", surplus[0], f"{surplus[0]}: a beat more than the frames have")
    if int(dut.tlast_wrong.value):
        return Failure(
            "tlast", "m_axis", f"m_axis: {misplaced(Path('last.txt').read_text(encoding='utf-8'))}"
        )
    fifos = chosen(dut.fifo_wrong, case["fifos"])
    if fifos:
        text = "it held more beats than planned, or refused one with fewer"
        return Failure("fifo", fifos[0].partition(" ")[0], f"{fifos[0]}: {text}")
    if int(dut.reset_wrong.value):
        text = "after a reset in mid-frame the streams do not look as from the start"
        return Failure("reset", "", f"reset: {text}")
    if stop == HUNG:
        short = next((layer for layer in compared if layer.difference), compared[-1])
        return hang(dut, case, cycles, short)
    return None


def breach(report: str) -> str:
    """What a tap has written about a broken rule: rule, beat, both payloads, cycle."""
    rule, beat, offered, now, cycle = report.split()
    text = {
        "withdrawn": f"valid withdrawn before it was taken (offered 0x{offered})",
        "changed": f"payload changed from 0x{offered} to 0x{now} before it was taken",
        "unknown": f"valid, ready or payload unknown (payload 0x{now})",
    }[rule]
    return f"beat {beat}: {text} (cycle {cycle})"


def misplaced(report: str) -> str:
    """What has been written about a tlast: beat in its frame, frame, level, cycle."""
    beat, frame, last, cycle = map(int, report.split())
    return f"frame {frame}, beat {beat}: tlast is {last}, expected {1 - last} (cycle {cycle})"


def compare(tap: dict, number: int) -> scoreboard.Compared:
    captured = scoreboard.read_words(Path(f"tap_{number}.bin"), tap["words"])
    expected = scoreboard.read_words(Path(tap["expected"]), tap["words"])
    expected = np.tile(expected, (tap["passes"], 1))
    return scoreboard.compare(tap["layer"], captured, expected, tap["shape"], tap["signed"])


def chosen(handle, names: list[str]) -> list[str]:
    """The names whose bit is set."""
    value = handle.value
    # A vector of one bit is a single Logic in Icarus.
    bits = int(value) if isinstance(value, Logic) else value.to_unsigned()
    return [name for position, name in enumerate(names) if bits >> position & 1]


def hang(dut, case: dict, cycles: int, first: scoreboard.Compared) -> Failure:
    """What the watchdog saw: the FIFOs that are full and empty, those of one join together, and the
    layers that hold a beat back; `first` is the first layer short of beats.
    """
    layers = [tap["layer"] for tap in case["taps"]]
    valid, ready = (
        set(chosen(handle, layers)) for handle in (dut.stopped_valid, dut.stopped_ready)
    )
    full = set(chosen(dut.stopped_full, case["fifos"]))
    empty = set(chosen(dut.stopped_empty, case["fifos"]))
    blocked = [name for name in dict.fromkeys(layers) if name in valid - ready]
    message = (
        f"hang: nothing moved for {case['patience']} cycles up to cycle {cycles}; first layer "
        f"short of beats: {first.layer} ({first.beats} of {first.expected_beats}); FIFOs: "
        f"{len(full)} full, {len(empty)} empty; layers blocked: {len(blocked)}"
    )
    return Failure("hang", first.layer, message, stuck(case["fifos"], full, empty, blocked))


def stuck(fifos: list[str], full: set[str], empty: set[str], blocked: list[str]) -> tuple[str, ...]:
    """A line for each FIFO that is full or empty and each blocked layer: first those of the joins
    that have both, for there a depth is too small.
    """
    torn = {join(name) for name in full} & {join(name) for name in empty}
    levels = {"full": full, "empty": empty}
    found = [
        (join(name) not in torn, f"{level} FIFO: {name}")
        for name in dict.fromkeys(fifos)
        for level, names in levels.items()
        if name in names
    ]
    lines = [line for _, line in sorted(found, key=lambda one: one[0])]
    return (*limited(lines), *limited([f"blocked layer: {name}" for name in blocked]))


def join(fifo: str) -> str:
    """The layer that a FIFO belongs to, by its label: "cell0/node2 input 1 (stem/conv)"."""
    return fifo.partition(" ")[0]


def limited(lines: list[str]) -> list[str]:
    more = len(lines) - FIFOS_SHOWN
    return [*lines[:FIFOS_SHOWN], *([f"… and {more} more"] if more > 0 else [])]

"""cocotb test of whole designs inside the harness; started by sim.cosim, never collected by pytest.

It sets the harness' registers, lets the clock run until the harness stops, and compares what the
taps have written with the reference.
"""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotb.types import Logic

from hw import processes
from sim import resets, scoreboard
from sim.breach import breach
from sim.harness import CONTROLS, HUNG, LAST_SEEN, SURPLUS

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
    # Of each run, those before it that a reset has cut off, all layers in the network's order.
    *cut, compared = zip(*(compare(case, number) for number in case["order"]), strict=True)
    layers = [tap["layer"] for tap in taps]
    failure = judge(dut, case, stop, cycles, compared, cut)
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
            "tlast": chosen(dut.last_seen, list(LAST_SEEN)),
        },
        "resets": [
            entry | progress(case, run) for entry, run in zip(reset_log(case), cut, strict=True)
        ],
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
    dut,
    case: dict,
    stop: int,
    cycles: int,
    compared: Sequence[scoreboard.Compared],
    cut: Sequence[Sequence[scoreboard.Compared]],
) -> Failure | None:
    """The first check that fails.

    Parameters
    ----------
    compared: each layer, in the network's order; cut: the same of each run that was cut off
    """
    layers = [tap["layer"] for tap in case["taps"]]
    differing = [layer for layer in compared if layer.mismatches]
    if differing:
        first = differing[0]
        return Failure(
            "difference",
            first.layer,
            f"{first.layer}: {first.difference} "
            f"({len(differing)} of {len(compared)} layers differ, this is the first)"
            + corner(case, first)
            + first_run(case, first, cut),
        )
    for number, run in enumerate(cut):
        differing = [layer for layer in run if layer.mismatches]
        if differing:
            first, when = differing[0], f"after reset {number}" if number else "before any reset"
            return Failure(
                "reset" if number else "difference",
                first.layer,
                f"{first.layer}: {first.difference}, in the run {when}, of those that a reset cuts"
                f" off ({len(differing)} of {len(run)} layers differ, this is the first)",
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
    if int(dut.unready.value):
        text = "tready is low though all is done and nothing is on offer: it waits for tvalid"
        return Failure("ready", "s_axis", f"s_axis: {text}")
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


def corner(case: dict, layer: scoreboard.Compared) -> str:
    """What is behind a difference in a frame that was made from the layer's own weights."""
    difference = layer.difference
    if difference is None or not case["corners"]:
        return ""
    frame = difference.frame % case["stall_from"] - (case["stall_from"] - case["corners"])
    if frame < 0:
        return ""
    node = layer.layer.partition(" ")[0]
    known = json.loads(Path("corners.json").read_text(encoding="utf-8"))[node]["reached"]
    place = {"frame": frame, "y": difference.y, "x": difference.x, "channel": difference.channel}
    kinds = [one["kind"] for one in known if place.items() <= one.items() and node == layer.layer]
    files = next(tap["sources"] for tap in case["taps"] if tap["layer"] == layer.layer)
    return (
        f"; frame {difference.frame} is frame {frame} of {case['corners']} made for the corners of "
        f"{node}{f' (here: {kinds[0]})' if kinds else ''}; with --out DIR its input stays, frame "
        f"{difference.frame} of {', '.join(files)}, and corners.json"
    )


def misplaced(report: str) -> str:
    """What has been written about a tlast: beat in its frame, frame, level, the level expected,
    whether the beat is held back, cycle."""
    beat, frame, last, expected, held, cycle = report.split()
    when = ", while the beat waits to be taken" if int(held) else ""
    return f"frame {frame}, beat {beat}: tlast is {last}, expected {expected}{when} (cycle {cycle})"


def first_run(
    case: dict, layer: scoreboard.Compared, cut: Sequence[Sequence[scoreboard.Compared]]
) -> str:
    """What the run before any reset had where the one that counts differs, if it got there."""
    shape = next(tap["shape"] for tap in case["taps"] if tap["layer"] == layer.layer)
    before = next((one for run in cut[:1] for one in run if one.layer == layer.layer), None)
    where = layer.difference
    if before is None or before.difference is not None or where is None:
        return ""
    pixel = (where.frame * shape[0] + where.y) * shape[1] + where.x
    if before.beats <= pixel * shape[2] + where.channel:
        return ""
    return "; before any reset it was right: something keeps its value in a reset"


def compare(case: dict, number: int) -> list[scoreboard.Compared]:
    """The beats of a tap in each run: those that a reset has cut off, then the one that counts."""
    tap = case["taps"][number]
    last, early = (
        scoreboard.read_words(Path(f"{name}_{number}.bin"), tap["words"]) for name in ("tap", "cut")
    )
    expected = scoreboard.read_words(Path(tap["expected"]), tap["words"])
    expected = np.tile(expected, (tap["passes"], 1))
    counts = Path(f"runs_{number}.txt").read_text(encoding="utf-8").split()
    *cut, stopped = np.split(early, np.cumsum([int(count) for count in counts], dtype=int))
    if len(cut) < case["resets"]:
        # It came to its end before it was to be cut off.
        last = stopped
    return [
        scoreboard.compare(tap["layer"], beats, wanted, tap["shape"], tap["signed"])
        for beats, wanted in (*((one, expected[: len(one)]) for one in cut), (last, expected))
    ]


def reset_log(case: dict) -> list[dict]:
    """What the harness saw when each reset came: the cycle, the streams whose beat nobody takes,
    the FIFOs that hold beats or are full, the engines that read, hold a sum or requantise one."""
    layers = [tap["layer"] for tap in case["taps"]]
    columns = {"held_back": layers, "filled": case["fifos"], "full": case["fifos"]}
    columns |= dict.fromkeys(("reading", "summed", "busy"), case["engines"])
    found = []
    for line in Path(resets.LOG).read_text(encoding="utf-8").splitlines():
        cycle, *digits = line.split()
        bits = zip(columns, digits, columns.values(), strict=True)
        found.append({"cycle": int(cycle)} | {key: set_bits(text, of) for key, text, of in bits})
    return found


def progress(case: dict, run: Sequence[scoreboard.Compared]) -> dict:
    """How far the streams were when a run was cut off."""
    beats = {layer.layer: layer.beats for layer in run}
    frame = {tap["layer"]: prod(tap["shape"]) for tap in case["taps"]}
    first = case["taps"][0]["layer"]
    return {
        "mid_frame": [name for name, count in beats.items() if count % frame[name]],
        "frames": beats[first] // frame[first],
    }


def set_bits(digits: str, names: Sequence[str]) -> list[str]:
    """The names whose binary digit, the lowest last, is 1."""
    return [name for name, digit in zip(names, reversed(digits), strict=False) if digit == "1"]


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

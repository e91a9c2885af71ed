"""cocotb tests of the agents, started by tests/sim/stream; the design is stream_faults.v."""

import itertools
import re
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles

from sim.stalls import PATTERNS
from sim.stream import Hang, Monitor, ProtocolError, Scoreboard, Signals, Sink, Source, Testbench
from sim.stream.protocol import (
    LastPlaced,
    NothingUnknown,
    PayloadStable,
    QuietInReset,
    ValidHeld,
)

SHAPE = (2, 3, 2)
FRAMES = np.arange(60).reshape(5, *SHAPE) * 4
FAULTS = {
    # fault: number, the rule that catches it, the message
    "withdraws": (1, ValidHeld(), r"m_axis: beat \d+: valid withdrawn before it was taken \(off"),
    "changes": (2, PayloadStable(), r"m_axis: beat \d+: payload changed from \d+ to \d+ before"),
    "last_changes": (3, PayloadStable(), r"m_axis: beat \d+: tlast changed from \d to \d"),
    "sideband_changes": (14, PayloadStable(), r"m_axis: beat \d+: tuser changed from \d to \d"),
    "last_late": (4, LastPlaced(12), r"m_axis: beat 11: tlast is 0, expected 1: it is beat"),
    "loud_in_reset": (8, QuietInReset(), r"m_axis: beat 0: valid is high .* in reset"),
}
UNKNOWN = {
    "valid": (5, r"m_axis: beat 9: valid unknown \(X or Z\)"),
    "payload": (6, r"m_axis: beat 9: payload unknown"),
    "tlast": (7, r"m_axis: beat 9: tlast unknown"),
}
WRONG = {
    "drops": (9, r"m_axis: beat 10: frame 0, pixel \(1, 2\), channel 0: expected 40, got 44"),
    "repeats": (10, r"m_axis: beat 10: frame 0, pixel \(1, 2\), channel 0: expected 40, got 36"),
    "wrong": (11, r"m_axis: beat 17: frame 1, pixel \(0, 2\), channel 1: expected 68, got 69 \(cy"),
}


def bench_of(dut, fault: int = 0, **options) -> Testbench:
    dut.fault.value = fault
    Clock(dut.clk, 2, unit="ns").start(start_high=False)
    return Testbench(dut.clk, dut.rst, **options)


def agents(dut, bench, source="never", sink="never", **options):
    return (
        Source(bench, Signals.from_prefix(dut, "s_axis"), shape=SHAPE, stall=source),
        Sink(bench, Signals.from_prefix(dut, "m_axis"), shape=SHAPE, stall=sink, **options),
    )


async def expect_failure(awaitable, kind: type[Exception], message: str) -> None:
    try:
        await awaitable
    except kind as error:
        assert re.match(message, str(error)), error
        return
    raise RuntimeError(f"not caught: {message}")


@cocotb.test()
async def frames_arrive(dut):
    bench = bench_of(dut)
    source, sink = agents(dut, bench)
    seen = []
    source.on_frame.append(seen.append)
    await bench.reset()
    await source.send(FRAMES[0])
    assert len(source.beats) == 12
    for frame in FRAMES[1:]:
        source.send_nowait(frame)
    assert np.array_equal(await sink.receive(2), FRAMES[:2])
    await source.wait()
    await bench.finish()
    assert np.array_equal([sink.receive_nowait() for _ in range(3)], FRAMES[2:])
    assert np.array_equal(seen, FRAMES)


@cocotb.test()
async def lanes_and_signs(dut):
    """Two numbers of four bits in a beat."""
    bench = bench_of(dut)
    options = {"shape": (2, 3, 2), "signed": True, "lanes": 2}
    source = Source(bench, Signals.from_prefix(dut, "s_axis"), **options)
    sink = Sink(bench, Signals.from_prefix(dut, "m_axis"), **options)
    await bench.reset()
    frame = (np.arange(12) - 8).clip(-8, 7).reshape(2, 3, 2)
    source.send_nowait(frame)
    assert np.array_equal((await sink.receive())[0], frame)
    assert source.beats[:2] == [0x98, 0xBA]


@cocotb.test()
async def frames_without_a_shape_end_with_last(dut):
    bench = bench_of(dut)
    source = Source(bench, Signals.from_prefix(dut, "s_axis"))
    sink = Sink(bench, Signals.from_prefix(dut, "m_axis"))
    await bench.reset()
    for length in (1, 5, 2):
        source.send_nowait(np.arange(length))
    for length in (1, 5, 2):
        assert (await sink.receive())[0].tolist() == list(range(length))


@cocotb.test()
@cocotb.parametrize(source=PATTERNS, sink=PATTERNS)
async def any_stalls_give_the_same_beats(dut, source, sink):
    bench = bench_of(dut, patience=300)
    board = Scoreboard()
    feed, take = agents(dut, bench, source, sink)
    board.watch(take)
    await bench.reset()
    for frame in FRAMES:
        feed.send_nowait(frame)
        board.expect_frame("m_axis", frame)
    await bench.finish()
    assert (bench.cycles > 61 + 64) == ((source, sink) not in {("never", "never"),
        ("after_valid", "never")})  # fmt: skip


@cocotb.test()
async def stalls_from_an_iterator_and_a_function(dut):
    """Every third cycle; at the first beat of a frame until nothing has moved for five cycles."""
    bench = bench_of(dut)
    waits = []

    def hold(view):
        if view.beat == 0 and view.idle < 5:
            waits.append(view.idle)
            return True
        return False

    source, sink = agents(dut, bench, itertools.cycle([False, False, True]), hold)
    await bench.reset()
    for frame in FRAMES[:2]:
        source.send_nowait(frame)
    assert np.array_equal(await sink.receive(2), FRAMES[:2])
    assert len(waits) >= 10


@cocotb.test()
@cocotb.parametrize(fault=list(FAULTS))
async def rule_catches(dut, fault):
    number, rule, message = FAULTS[fault]
    await expect_failure(two_frames(dut, number, [rule]), ProtocolError, message)


@cocotb.test()
@cocotb.parametrize(fault=list(FAULTS))
async def without_the_rule_nothing_is_said(dut, fault):
    """It is that rule which catches the fault, no other."""
    number, rule, _ = FAULTS[fault]
    rules = [ValidHeld(), PayloadStable(), LastPlaced(12), NothingUnknown(True), QuietInReset()]
    await two_frames(dut, number, [other for other in rules if type(other) is not type(rule)])


@cocotb.test(skip=cocotb.SIM_NAME.startswith("Verilator"))
@cocotb.parametrize(signal=list(UNKNOWN))
async def unknown_is_caught(dut, signal):
    number, message = UNKNOWN[signal]
    await expect_failure(two_frames(dut, number, [NothingUnknown(True)]), ProtocolError, message)


async def two_frames(dut, fault: int, rules) -> None:
    """Two frames through a wrong design, its output slow, these rules on the output alone."""
    bench = bench_of(dut, fault)
    slow = itertools.cycle([True, True, True, False])
    source = Source(bench, Signals.from_prefix(dut, "s_axis"), shape=SHAPE, rules=[])
    sink = Sink(bench, Signals.from_prefix(dut, "m_axis"), shape=SHAPE, rules=rules, stall=slow)
    await bench.reset()
    for frame in FRAMES[:2]:
        source.send_nowait(frame)
    await bench.until(lambda: len(sink.beats) >= 24)


@cocotb.test()
@cocotb.parametrize(fault=list(WRONG))
async def scoreboard_finds_the_first_difference(dut, fault):
    number, message = WRONG[fault]
    bench = bench_of(dut, number)
    board = Scoreboard()
    source, sink = agents(dut, bench, rules=[])
    board.watch(sink)
    await bench.reset()
    for frame in FRAMES:
        source.send_nowait(frame)
        board.expect_frame("m_axis", frame)
    await expect_failure(bench.finish(), AssertionError, message)


@cocotb.test()
async def missing_and_surplus_beats(dut):
    for expected, kind, message in (
        (2, Hang, r"nothing moved for 101 cycles: .*expected: m_axis: 12 of 24 beats"),
        (0, AssertionError, r"m_axis: beat 0 \(0\) is one too many, expected 0 beats"),
    ):
        bench = bench_of(dut, patience=100)
        board = Scoreboard()
        source, sink = agents(dut, bench)
        board.watch(sink)
        await bench.reset()
        source.send_nowait(FRAMES[0])
        for frame in FRAMES[:expected]:
            board.expect_frame("m_axis", frame)
        await expect_failure(bench.finish(), kind, message)
        bench.stop()


@cocotb.test()
async def valid_that_waits_for_ready_hangs(dut):
    bench = bench_of(dut, 12, patience=100)
    source, _ = agents(dut, bench, sink="after_valid")
    await bench.reset()
    message = r"nothing moved for 101 cycles: s_axis: 1 beats, valid=1 ready=0, 1 frames to send; m"
    await expect_failure(source.send(FRAMES[0]), Hang, message)


@cocotb.test()
@cocotb.parametrize(sink=["never", "adversarial", "always_then_burst"])
async def overwritten_beat_needs_stalls_to_be_seen(dut, sink):
    """A register that is overwritten when it has waited: full speed does not show it."""
    bench = bench_of(dut, 13, seed=1)
    board = Scoreboard()
    source, take = agents(dut, bench, sink=sink, rules=[])
    board.watch(take)
    await bench.reset()
    for frame in np.resize(FRAMES, (20, *SHAPE)):
        source.send_nowait(frame)
        board.expect_frame("m_axis", frame)
    if sink == "never":
        await bench.finish()
    else:
        await expect_failure(bench.finish(), AssertionError, r"m_axis: beat \d+: frame \d")


@cocotb.test(expect_fail=True)
async def failure_that_nobody_awaits_fails_the_test(dut):
    bench = bench_of(dut, 1)
    source, _ = agents(dut, bench, sink=0.5)
    await bench.reset()
    source.send_nowait(FRAMES[0])
    await ClockCycles(dut.clk, 200)


@cocotb.test()
async def reset_in_mid_frame(dut):
    """What is begun is dropped on both sides; what follows comes whole."""
    bench = bench_of(dut)
    board = Scoreboard()
    source, sink = agents(dut, bench)
    board.watch(sink)
    watcher = Monitor(bench, Signals.from_prefix(dut, "m_axis", name="again"), shape=SHAPE)
    await bench.reset()
    for frame in FRAMES[:2]:
        source.send_nowait(frame)
    board.expect_frame("m_axis", FRAMES[0])
    await bench.until(lambda: len(sink.beats) == 7)
    await bench.reset()
    assert (source.problem(), board.problem()) == (None, None)
    source.send_nowait(FRAMES[2])
    board.expect_frame("m_axis", FRAMES[2])
    await bench.finish()
    assert np.array_equal(await watcher.receive(), FRAMES[2:3])
    assert len(watcher.beats) > 12 + 6


@cocotb.test()
async def reset_before_anything_has_moved_drops_nothing(dut):
    bench = bench_of(dut)
    board = Scoreboard()
    source, sink = agents(dut, bench)
    board.watch(sink)
    board.expect_frame("m_axis", FRAMES[0])
    source.send_nowait(FRAMES[0])
    await bench.reset()
    await bench.finish()
    assert np.array_equal(sink.receive_nowait(), FRAMES[0])


@cocotb.test()
async def flush_out_of_reset(dut):
    """A beat on offer stays until it is taken; all else is gone, and new frames follow."""
    bench = bench_of(dut)
    held = [True]
    source, sink = agents(dut, bench, sink=lambda view: held[0])
    await bench.reset()
    for frame in FRAMES[:3]:
        source.send_nowait(frame)
    await bench.until(lambda: len(source.beats) == 1)
    await bench.clock_cycles(3)
    source.flush()
    assert source.problem() == "s_axis: 1 frames not taken"
    held[0] = False
    await source.wait()
    await bench.clock_cycles(3)
    assert sink.beats == [0, 4]
    sink.flush()
    await source.send(FRAMES[3])
    assert np.array_equal(await sink.receive(), FRAMES[3:4])


@cocotb.test()
async def finish_needs_something_to_have_moved(dut):
    bench = bench_of(dut)
    agents(dut, bench)
    await bench.reset()
    nothing = "finish: no beat has moved since the last reset; send frames"
    await expect_failure(bench.finish(), AssertionError, nothing)


@cocotb.test()
async def a_scoreboard_needs_something_to_compare(dut):
    bench = bench_of(dut)
    board = Scoreboard()
    source, _ = agents(dut, bench)
    board.watch(source)
    await bench.reset()
    source.send_nowait(FRAMES[0])
    board.expect_frame("s_axis", FRAMES[0])
    await bench.finish()
    other = Monitor(bench, Signals.from_prefix(dut, "m_axis", name="again"), shape=SHAPE)
    board.watch(other)
    nothing = "again: watched, and no beat of it was expected or came"
    await expect_failure(bench.finish(), AssertionError, nothing)


@cocotb.test(expect_error=RuntimeError)
async def a_test_must_not_end_before_what_it_sent_has_gone(dut):
    bench = bench_of(dut)
    source, _ = agents(dut, bench)
    await bench.reset()
    for frame in FRAMES:
        source.send_nowait(frame)
    await bench.until(lambda: len(source.beats) == 7)


class Counter:
    """An agent of one's own; `changes` replaces what it has by something wrong."""

    def __init__(self, **changes):
        self.cycles = self.flushed = 0
        vars(self).update(changes)

    def drive(self):
        pass

    def sample(self):
        self.cycles += 1
        return False

    def state(self):
        return "counter"

    def problem(self):
        return None

    def flush(self):
        self.flushed += 1


async def nothing():
    pass


@cocotb.test()
async def agents_of_ones_own(dut):
    bench = bench_of(dut)
    source, _ = agents(dut, bench)
    counter = Counter()
    bench.add(counter)
    for agent, message in (
        (counter, "Counter: is moved already"),
        (Counter, "Counter: is a class; an agent is an object of it"),
        (object(), r"object: has no drive\(\); an agent has drive, sample, state, problem"),
        (Counter(state="up"), r"Counter: has no state\(\)"),
        (Counter(problem=nothing), "Counter: problem is async"),
    ):
        try:
            bench.add(agent)
        except ValueError as error:
            assert re.match(message, str(error)), error
        else:
            raise RuntimeError(f"accepted: {message}")
    await bench.reset()
    await source.send(FRAMES[0])
    await bench.reset()
    assert counter.cycles > 12 and counter.flushed == 1


@cocotb.test()
@cocotb.parametrize(wrong=["sample", "problem", "on_beat", "on_frame", "no list"])
async def a_broken_contract_is_told(dut, wrong):
    bench = bench_of(dut)
    source, sink = agents(dut, bench)
    message = {
        "sample": r"Counter: sample\(\) returned None, expected True \(something moves\) or False",
        "problem": r"Counter: problem\(\) returned False, expected a text or None",
        "on_beat": "m_axis: on_beat: <function .*> is async; expected a plain one",
        "on_frame": "m_axis: on_frame: <function .*> is async",
        "no list": r"m_axis: on_beat is a list of functions; use on_beat.append\(…\)",
    }[wrong]

    async def seen(what):
        pass

    match wrong:
        case "sample" | "problem":
            bench.add(Counter(**{wrong: lambda: {"sample": None, "problem": False}[wrong]}))
        case "on_beat" | "on_frame":
            getattr(sink, wrong).append(seen)
        case _:
            sink.on_beat = seen
    source.send_nowait(FRAMES[0])

    async def all_of_it():
        await bench.reset()
        await bench.finish()

    await expect_failure(all_of_it(), TypeError, message)


@cocotb.test()
async def wrong_calls(dut):
    bench = bench_of(dut)
    source, sink = agents(dut, bench)
    board = Scoreboard()
    board.watch(sink)
    network: Any = object()
    for call, message in (
        (lambda: source.send_nowait(FRAMES), r"s_axis: frame of shape \(5, 2, 3, 2\), expected"),
        (lambda: source.send_nowait(FRAMES[0] + 250), r"s_axis: numbers span \[250, 294\], the st"),
        (lambda: Signals.from_prefix(dut, "x_axis"), r"x_axis: .* has no x_axis__valid; expected"),
        (lambda: agents(dut, bench, sink="sometimes"), "stall 'sometimes': expected never, always"),
        (lambda: agents(dut, bench, sink=1.0), r"stall 1.0: expected a probability in \[0, 1\)"),
        (lambda: board.watch(sink), "m_axis: watched already"),
        (lambda: board.expect(FRAMES), "this scoreboard has no network"),
        (lambda: board.expect_frame("y", FRAMES[0]), "y: not watched; this scoreboard watches m_a"),
        (lambda: board.expect_beats("m_axis", []), "m_axis: 0 numbers do not fill 1 lanes"),
        (lambda: Scoreboard(network).expect(FRAMES), "this scoreboard watches nothing; call watch"),
        (lambda: Sink(bench, sink.signals, lanes=3), "m_axis: 8 bits do not make 3 lanes"),
    ):  # fmt: skip
        try:
            call()
        except ValueError as error:
            assert re.match(message, str(error)), error
        else:
            raise RuntimeError(f"accepted: {message}")

"""Overlays that are proposed: as large as the network needs, and never too small for it."""

import re
from dataclasses import replace

import pytest

from hw.errors import CheckFailed, InputError
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.overlay import planner
from hw.overlay.banks import program_blocks
from hw.overlay.compiler.compile import compile_network
from hw.overlay.cost import cost
from hw.overlay.hardware import AHEAD
from hw.overlay.model import Fault, Machine
from hw.overlay.planner import Room, propose
from hw.overlay.programming import program_for

ROOM = Room("ulx3s-85f", 100.0, "ecp5", 60_000, 208)


@pytest.fixture(scope="module")
def network():
    graph = build(genotypes.get("ShiftNAS_C10"), channels=2, cells=1, image=(8, 8, 1), classes=3)
    return random_network(graph, seed=1)


def test_the_program_is_the_one_for_the_plan(network):
    found = propose(ROOM, network, grids=[(4, 4)])
    sizes = found.plan.hardware
    assert found.program is not None and found.program.program.hardware == sizes
    assert found.program.files == program_for(network, sizes).files
    assert found.cost == cost(sizes)
    assert found.fps == pytest.approx(100e6 / found.program.cycles_per_frame)


def test_accumulators_hold_the_widest_sum_and_no_less(network):
    found = propose(ROOM, network, grids=[(4, 4)]).plan.hardware
    compiled = compile_network(network, found.resized(acc_bits=40))
    exact = found.resized(acc_bits=compiled.acc_bits)
    assert (compile_network(network, exact).program.prefix == compiled.program.prefix).all()
    with pytest.raises(InputError, match=f"take acc_bits {compiled.acc_bits}"):
        compile_network(network, exact.resized(acc_bits=compiled.acc_bits - 1))


def test_the_data_memory_is_the_smallest_that_costs_no_cycle(network, monkeypatch):
    """One that the compiler refuses, or in which the program is slower, is passed over."""
    real, tried = planner.program_for, []

    def program(network, hardware, **options):
        tried.append(hardware.words)
        if hardware.words == 512:
            raise InputError("gaps")
        made = real(network, hardware, **options)
        if hardware.words == 1024:
            object.__setattr__(made, "cycles_per_batch", made.cycles_per_batch + 1)
        return made

    monkeypatch.setattr(planner, "program_for", program)
    assert propose(ROOM, network, grids=[(4, 4)]).plan.hardware.words == 1535
    assert tried == [512, 1024, 1535]
    assert planner.SIZES == (512, 1024, 1535, 2048, 2559, 3071, 4095)


def test_without_a_network_the_usual_memories_or_what_there_is():
    usual = propose(ROOM).plan.hardware
    assert (usual.rows, usual.columns, usual.words, usual.program_words) == (8, 8, 2048, 32768)
    small = propose(Room("x", 100.0, "ecp5", None, 56)).plan.hardware
    assert small.program_words < 32768 and cost(small).ram_blocks <= 56
    endless = propose(Room("none", 100.0, "generic")).plan.hardware
    assert endless.words == 2048 and endless.fabric == "generic"


def test_what_does_not_fit_is_told_by_its_number(network):
    with pytest.raises(
        CheckFailed, match=r"8 x 8 lanes need 16 block RAMs for 512 words; it has 4: t"
    ):
        propose(Room("x", 100.0, "ecp5", None, 4), network)
    with pytest.raises(CheckFailed, match=r"take about [\d,]+ LUT sites; a plan may take 900"):
        propose(Room("x", 100.0, "ecp5", 900), network)
    with pytest.raises(CheckFailed, match=r"fps: 1e\+09 wanted; an overlay of \d+ x \d+ lanes"):
        propose(ROOM, network, fps=1e9, grids=[(2, 2), (4, 4)])


def test_a_program_is_streamed_where_it_cannot_be_stored(network):
    """Asked for, or with too few block RAMs: the smallest memory that holds its longest body."""
    stored = propose(ROOM, network, grids=[(4, 4)])
    asked = propose(ROOM, network, grids=[(4, 4)], stream=True)
    data = cost(stored.plan.hardware).ram_blocks - program_blocks(
        stored.plan.hardware.program_words
    )
    forced = propose(Room("x", 100.0, "ecp5", None, data + 1), network, grids=[(4, 4)])
    for found in (asked, forced):
        assert found.program is not None and stored.program is not None
        program, sizes = found.program.program, found.plan.hardware
        assert program.streamed and not stored.program.program.streamed
        assert sizes.program_words == 1024 < stored.plan.hardware.program_words
        assert (program.prefix == stored.program.program.prefix).all()
        assert found.cost.ram_blocks == data + 1


def test_a_body_that_is_too_long_is_told_by_its_number():
    graph = build(genotypes.get("ShiftNAS_C10"), channels=16, cells=1, image=(4, 4, 1), classes=3)
    network = random_network(graph, seed=1)
    sizes = propose(ROOM, network, grids=[(2, 2)]).plan.hardware
    with pytest.raises(InputError) as told:
        program_for(network, sizes.resized(program_words=64))
    found = re.search(r"body of (\d+) words; .* take program_words (\d+)", str(told.value))
    assert found
    longest, least = map(int, found.groups())
    assert least == 1 << (longest + AHEAD - 1).bit_length()
    fitting = program_for(network, sizes.resized(program_words=least))
    assert fitting.program.streamed
    longest = fitting.program.longest_body
    small = replace(fitting.program, hardware=sizes.resized(program_words=least // 2))
    with pytest.raises(Fault, match=f"a body of {longest} words"):
        Machine(small)

"""Proposes an overlay for a board: the grid, and memories that suit a network if there is one."""

from collections.abc import Sequence
from dataclasses import dataclass

from hw.errors import CheckFailed, InputError
from hw.ir.network import Network
from hw.overlay.banks import (
    BLOCK_SHAPES,
    MOST_WORDS,
    PROGRAM_BLOCK,
    blocks,
    depths,
    held,
    program_blocks,
)
from hw.overlay.compiler.compile import compile_network
from hw.overlay.cost import Cost, cost
from hw.overlay.cycles import cycles
from hw.overlay.hardware import MOST_PROGRAM, Fabric, Overlay
from hw.overlay.plan import OverlayPlan
from hw.overlay.program_file import ProgramFile
from hw.overlay.programming import least_memory, length, program_for

CLOCK_MHZ = 100.0
"""The overlay's clock if none is asked for."""

GRIDS = ((4, 4), (4, 8), (8, 8), (8, 16), (16, 16))
"""Rows and columns that are proposed, the smallest first."""

USUAL_GRID = (8, 8)
USUAL_WORDS = 2048
USUAL_PROGRAM = 32768
LEAST_ACC_BITS = 17
"""Where no network says what it needs; accumulators have as many bits at least in any case."""

SIZES = tuple(words for words in range(min(BLOCK_SHAPES), MOST_WORDS + 1) if held(words) == words)
"""Words of data memories that fill their block RAMs."""

SHARE = 0.8
"""Of a board's LUT sites that a plan takes at most."""

_WIDEST = 48
"""Bits of an accumulator that holds any sum: to see how many are needed."""


@dataclass(frozen=True)
class Room:
    """What a plan is for.

    Parameters
    ----------
    board: its name
    clock_mhz: of the overlay
    fabric: that the hardware is written for
    luts: LUT sites that it may take; None: as many as it wants
    ram_blocks: block RAMs, likewise
    """

    board: str
    clock_mhz: float
    fabric: Fabric
    luts: int | None = None
    ram_blocks: int | None = None


@dataclass(frozen=True)
class Proposal:
    """A plan and what is predicted of it.

    Parameters
    ----------
    cost: of the hardware
    program: the network's, if there is a network
    """

    plan: OverlayPlan
    cost: Cost
    program: ProgramFile | None = None

    @property
    def fps(self) -> float | None:
        """Frames a second, of full batches."""
        if self.program is None:
            return None
        return self.plan.clock_mhz * 1e6 / self.program.cycles_per_frame


def propose(
    room: Room,
    network: Network | None = None,
    *,
    grids: Sequence[tuple[int, int]] | None = None,
    fps: float | None = None,
    stream: bool = False,
) -> Proposal:
    """The first of the grids that fits and is fast enough.

    Parameters
    ----------
    grids: rows and columns to choose from; default: GRIDS where `fps` is given, else USUAL_GRID
    fps: frames a second wanted of the network
    stream: its program is streamed even if there is room for it

    Raises
    ------
    CheckFailed: none fits or is fast enough; names the number that is too large or too small
    InputError: the network is none for an overlay
    """
    grids = grids or (GRIDS if fps else (USUAL_GRID,))
    refused: InputError | CheckFailed | None = None
    fastest: Proposal | None = None
    for rows, columns in grids:
        try:
            found = _proposal(room, network, rows, columns, stream)
        except (InputError, CheckFailed) as error:
            refused = error
            continue
        if fps is None or (found.fps is not None and found.fps >= fps):
            return found
        if fastest is None or (found.fps or 0) > (fastest.fps or 0):
            fastest = found
    if fastest is None:
        assert refused is not None
        raise refused
    sizes = fastest.plan.hardware
    raise CheckFailed(
        f"fps: {fps:g} wanted; an overlay of {sizes.rows} x {sizes.columns} lanes gives"
        f" {fastest.fps:.1f} at {room.clock_mhz:g} MHz, and none that fits gives more"
    )


def _proposal(
    room: Room, network: Network | None, rows: int, columns: int, stream: bool
) -> Proposal:
    usual = Overlay(rows=rows, columns=columns, fabric=room.fabric)
    if network is None:
        program_words = _affordable_program(room)
        words = _most_words(room, rows, columns, program_words, USUAL_WORDS)
        hardware = usual.resized(words=words, program_words=program_words)
        return Proposal(OverlayPlan(hardware, room.board, room.clock_mhz), _fitting(hardware, room))
    most = _most_words(room, rows, columns, PROGRAM_BLOCK, MOST_WORDS)
    hardware, program = _suited(network, usual.resized(words=most), room, stream)
    return Proposal(
        OverlayPlan(hardware, room.board, room.clock_mhz), _fitting(hardware, room), program
    )


def _suited(
    network: Network, hardware: Overlay, room: Room, stream: bool
) -> tuple[Overlay, ProgramFile]:
    """Memories and accumulators as large as the network needs, and its program.

    The smallest data memory in which the program is as short as in the largest one. The program is
    stored if the block RAMs beside the smallest data memory are enough for it.
    """
    widest = compile_network(network, hardware.resized(acc_bits=_WIDEST))
    whole = 1 << (length(widest) - 1).bit_length()
    stream = stream or whole > MOST_PROGRAM or not _stores(room, hardware, widest.memory, whole)
    suited = hardware.resized(
        acc_bits=max(widest.acc_bits, LEAST_ACC_BITS),
        program_words=max(PROGRAM_BLOCK, least_memory(widest.program) if stream else whole),
    )
    for words in SIZES:
        if widest.memory <= words < hardware.words:
            try:
                program = program_for(network, suited.resized(words=words), stream=stream)
            except InputError:
                # The planes would fit, but for the gaps between them.
                continue
            if program.cycles_per_frame <= cycles(widest.program).frame:
                return program.program.hardware, program
    return suited, program_for(network, suited, stream=stream)


def _stores(room: Room, hardware: Overlay, words: int, program_words: int) -> bool:
    """Whether the block RAMs hold a program beside so many words of data."""
    if room.ram_blocks is None:
        return True
    data = blocks(hardware.rows, hardware.columns, held(words))
    return data + program_blocks(program_words) <= room.ram_blocks


def _affordable_program(room: Room) -> int:
    """Words of a program's memory: the usual ones, or as many as a quarter of the blocks hold."""
    if room.ram_blocks is None:
        return USUAL_PROGRAM
    words = USUAL_PROGRAM
    while words > PROGRAM_BLOCK and program_blocks(words) > room.ram_blocks / 4:
        words //= 2
    return words


def _most_words(room: Room, rows: int, columns: int, program_words: int, most: int) -> int:
    """Words of the largest data memory, up to `most`, that the block RAMs are enough for."""
    left = None if room.ram_blocks is None else room.ram_blocks - program_blocks(program_words)
    fitting = [
        words
        for words in SIZES
        if words <= most and (left is None or blocks(rows, columns, words) <= left)
    ]
    if not fitting:
        raise CheckFailed(
            f"board {room.board}: {rows} x {columns} lanes need {blocks(rows, columns, SIZES[0])}"
            f" block RAMs for {SIZES[0]} words; it has {room.ram_blocks}: take fewer lanes"
        )
    return fitting[-1]


def _fitting(hardware: Overlay, room: Room) -> Cost:
    """What the hardware takes; CheckFailed where there is not as much."""
    found = cost(hardware)
    sizes = (
        f"{hardware.rows} x {hardware.columns} lanes with {hardware.words:,} words"
        f" ({len(depths(hardware.words))} banks) and a program of {hardware.program_words:,}"
    )
    if room.ram_blocks is not None and found.ram_blocks > room.ram_blocks:
        raise CheckFailed(
            f"board {room.board}: {sizes} take {found.ram_blocks} block RAMs; it has"
            f" {room.ram_blocks}: take fewer lanes, or a larger board"
        )
    if room.luts is not None and found.lut > room.luts:
        raise CheckFailed(
            f"board {room.board}: {sizes} take about {found.lut:,} LUT sites; a plan may take"
            f" {room.luts:,}: take fewer lanes, or a larger board"
        )
    return found

"""What memories take of an FPGA's fabric: LUT RAM and block RAM, in the ECP5's units."""

from dataclasses import dataclass
from math import ceil

LUT_RAM_DEPTH = 32
"""Deepest memory that lies in LUT RAM; deeper ones are block RAM."""

RAM_BLOCK_BITS = 18 * 1024
"""Bits of one block RAM."""

BLOCK_SHAPES = ((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512))
"""Width and depth that one block RAM can have."""


CLOCK_MHZ = 50.0
"""The network's clock if none is asked for."""


@dataclass(frozen=True)
class Device:
    """What a plan is for.

    Parameters
    ----------
    board: its name
    luts: LUT4 sites; None: as many as are wanted
    flip_flops, ram_blocks: likewise
    clock_mhz: the clock that the network gets
    """

    board: str
    luts: int | None = None
    flip_flops: int | None = None
    ram_blocks: int | None = None
    clock_mhz: float = CLOCK_MHZ


def blocks(width: int, depth: int) -> int:
    """Block RAMs of a memory, in the shape that takes the fewest."""
    return min(ceil(width / wide) * ceil(depth / deep) for wide, deep in BLOCK_SHAPES)


def lut_rams(width: int, depth: int) -> int:
    """16 x 4 RAM cells of a small memory."""
    return ceil(width / 4) * ceil(depth / 16)

"""The boards a bitstream can be built for, and what their FPGAs hold.

Pins, clock and speed grade belong to ``amaranth_boards``; this page names the classes and adds
the die's capacity, which the planner needs where ``amaranth_boards`` is not installed.
"""

import importlib
from dataclasses import dataclass
from typing import Any

from hw.board.pll import pll
from hw.dataflow.fabric import CLOCK_MHZ, RAM_BLOCK_BITS, Device
from hw.errors import InputError

NONE = "none"
"""What ``plan --board`` takes for a plan that is for no board and has no limits."""


@dataclass(frozen=True)
class Die:
    """Capacity of one ECP5 die, as ``nextpnr-ecp5`` counts it.

    Parameters
    ----------
    luts : LUT4 sites (TRELLIS_COMB); there are as many flip-flops.
    ram_blocks : DP16KD blocks of 18 kbit.
    dsps : MULT18X18D multipliers, which no network here uses.
    """

    luts: int
    ram_blocks: int
    dsps: int

    @property
    def flip_flops(self) -> int:
        return self.luts

    @property
    def ram_bits(self) -> int:
        return self.ram_blocks * RAM_BLOCK_BITS


_DIE_25 = Die(luts=24_288, ram_blocks=56, dsps=28)
_DIE_45 = Die(luts=43_848, ram_blocks=108, dsps=72)
_DIE_85 = Die(luts=83_640, ram_blocks=208, dsps=156)

_DEVICES = {
    # nextpnr gives the 12F all of the 25F's die, and so do the parts sold.
    "LFE5U-12F": _DIE_25,
    "LFE5U-25F": _DIE_25,
    "LFE5U-45F": _DIE_45,
    "LFE5U-85F": _DIE_85,
    "LFE5UM5G-45F": _DIE_45,
    "LFE5UM5G-85F": _DIE_85,
}


@dataclass(frozen=True)
class Board:
    """One board.

    Parameters
    ----------
    name : what ``--board`` takes.
    device : Lattice part without package and speed, such as ``LFE5U-85F``.
    clock_mhz : frequency of the oscillator that feeds the PLL.
    platform_class : ``module:class`` within ``amaranth_boards``.
    """

    name: str
    device: str
    clock_mhz: float
    platform_class: str

    @property
    def die(self) -> Die:
        """What its FPGA holds.

        Raises
        ------
        InputError
            If it is not among the ECP5 known here.
        """
        if self.device not in _DEVICES:
            raise InputError(
                f"board {self.name}: the FPGA is a {self.device}; plans for a board and bitstreams "
                f"are for {', '.join(_DEVICES)}"
            )
        return _DEVICES[self.device]

    def platform(self):
        """A fresh ``amaranth_boards`` platform of this board: pins, clock, package and speed grade.

        Raises
        ------
        InputError
            If ``amaranth-boards`` is not installed.
        """
        module, _, class_name = self.platform_class.partition(":")
        try:
            loaded = importlib.import_module(f"amaranth_boards.{module}")
        except ModuleNotFoundError as error:
            raise InputError(
                f"board {self.name}: the Python package amaranth-boards is missing; "
                "pip install amaranth-boards"
            ) from error
        return getattr(loaded, class_name)()

    def require(self, platform) -> None:
        """Whether a bitstream can be made for the board's `platform`.

        Raises
        ------
        InputError
            Naming what the board lacks.
        """
        lacks = []
        if not getattr(platform, "device", "").startswith("LFE5U"):
            lacks.append(f"an ECP5 (its FPGA is a {self.device})")
        clock = platform.resources.get((platform.default_clk, 0))
        if clock is None or clock.clock is None:
            lacks.append("a default clock on a pin, with its frequency")
        port = platform.resources.get(("uart", 0))
        if port is None or not {"rx", "tx"} <= {line.name for line in port.ios[:]}:
            lacks.append("a serial port (uart#0 with rx and tx) for images and logits")
        if lacks:
            raise InputError(
                f"board {self.name}: no bitstream can be made, it lacks {' and '.join(lacks)}; "
                "choose another --board"
            )


BOARDS = {
    entry.name: entry
    for entry in (
        Board("ulx3s-12f", "LFE5U-12F", 25.0, "ulx3s:ULX3S_12F_Platform"),
        Board("ulx3s-25f", "LFE5U-25F", 25.0, "ulx3s:ULX3S_25F_Platform"),
        Board("ulx3s-45f", "LFE5U-45F", 25.0, "ulx3s:ULX3S_45F_Platform"),
        Board("ulx3s-85f", "LFE5U-85F", 25.0, "ulx3s:ULX3S_85F_Platform"),
        Board("icepi-zero", "LFE5U-25F", 50.0, "icepi_zero:IcepiZero1_3Platform"),
        Board("icesugar-pro", "LFE5U-25F", 25.0, "icesugar_pro:ICESugarProPlatform"),
        Board(
            "colorlight-5a75b",
            "LFE5U-25F",
            25.0,
            "colorlight_5a75b_r7_0:Colorlight_5A75B_R70Platform",
        ),
        Board("ecpix5-45f", "LFE5UM5G-45F", 100.0, "ecpix5:ECPIX545Platform"),
        Board("ecpix5-85f", "LFE5UM5G-85F", 100.0, "ecpix5:ECPIX585Platform"),
    )
}


def board(name: str, beside: str = "") -> Board:
    """The board called `name`, upper or lower case.

    Raises
    ------
    InputError
        If there is no such board; the message lists those there are, and what is `beside` them.
    """
    found = BOARDS.get(name.lower())
    if found is None:
        known = ", ".join(BOARDS) + beside
        raise InputError(f"board: no board is called {name!r}; choose one of {known}")
    return found


def for_bitstream(name: str) -> tuple[Board, Any]:
    """The board called `name` and its platform, one that a bitstream can be made for.

    Raises
    ------
    InputError
        If there is no such board, `amaranth-boards` is not installed, or the board lacks something.
    """
    found = board(name)
    platform = found.platform()
    found.require(platform)
    return found, platform


def device(name: str, clock_mhz: float = CLOCK_MHZ) -> Device:
    """What a plan for the board called `name` is for; without limits where that is NONE.

    `clock_mhz` is what is asked for; the device has the clock that the board's PLL gives.

    Raises
    ------
    InputError
        If there is no such board, the message lists those there are; or if its PLL does not reach
        the clock.
    """
    if name.lower() == NONE:
        return Device(NONE, clock_mhz=clock_mhz)
    found = board(name, f", or {NONE} for a plan without limits")
    die, clock = found.die, pll(found.clock_mhz, clock_mhz)
    return Device(found.name, die.luts, die.flip_flops, die.ram_blocks, clock.mhz)

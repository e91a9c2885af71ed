"""Verilog of an ECP5's cells, for simulators: Yosys' models, and one of block RAM, of which Yosys
has none."""

import re
from pathlib import Path

from hw.verilog import yosys

BLOCK_RAM = Path(__file__).parent / "ecp5_ram.v"
CELLS = "ecp5_cells.v"

_MODELS = ("common_sim.vh", "ccu2c_sim.vh")
"""Yosys' models of everything but block RAM and input/output cells."""

_LEFT_OUT = re.compile(
    r"^\s*specify\b.*?^\s*endspecify|^module TRELLIS_COMB\b.*?^endmodule", re.M | re.S
)
"""Delays, which are for the placer; a cell that no netlist of ours has, and that Icarus cannot
read."""


def models() -> dict[str, str]:
    """By file name.

    Raises
    ------
    InputError: `pyosys` is not installed
    """
    place = yosys.share() / "ecp5"
    text = "".join((place / name).read_text(encoding="utf-8") for name in _MODELS)
    text = _LEFT_OUT.sub("", text)
    # Without those of input/output cells, which they would include.
    return {
        CELLS: f"// Of Yosys (ISC licence).\n`define NO_INCLUDES\n{text}",
        BLOCK_RAM.name: BLOCK_RAM.read_text(encoding="utf-8"),
    }

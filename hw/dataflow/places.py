"""Where a memory is to lie, in the words of every synthesis tool.

Yosys takes the first it finds of `rom_block`, `ram_style`, `rom_style`, `romstyle`, `syn_ramstyle`
and `syn_romstyle`, in this order; what is meant for other tools stands behind it. `ram_style` and
`rom_style` are Vivado's too, which has no place "logic" for a ROM (so Yosys finds its own in
`rom_block`); `ramstyle` and `romstyle` are Quartus'; `syn_ramstyle` and `syn_romstyle` are
Synplify's, Lattice LSE's, GowinSynthesis' and Efinity's.
"""

from hw.dataflow.plan import Place

_RAM = {
    Place.LUTRAM: {"ram_style": "distributed", "syn_ramstyle": "distributed"},
    Place.BLOCK: {"ram_style": "block", "syn_ramstyle": "block_ram"},
}

_ROM = {
    Place.LOGIC: {
        "rom_block": "logic",
        "rom_style": "distributed",
        "romstyle": "logic",
        "syn_romstyle": "logic",
    },
    Place.BLOCK: {"rom_style": "block", "syn_romstyle": "block_rom"},
}

_APART: dict[str, str | int] = {"no_rw_check": 1, "ramstyle": "no_rw_check"}


def ram(place: Place, *, apart: bool = True) -> dict[str, str | int]:
    """Attributes of a memory that is written.

    `apart`: no word is read in the cycle that writes it, so tools need no logic for that.
    """
    return _RAM[place] | (_APART if apart else {})


def rom(place: Place) -> dict[str, str | int]:
    """Attributes of a memory of fixed words."""
    return dict(_ROM[place])

"""FPGA families that synthesis is known for: how Yosys is called, and what their cells cost.

A cell that is not listed here has no price: counting one raises, so that nothing is passed over.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

from hw.dataflow.fabric import RAM_BLOCK_BITS
from hw.errors import InputError


@dataclass(frozen=True)
class Resources:
    """What logic takes.

    Parameters
    ----------
    lut: LUT sites, those that carry chains and LUT-RAM take included
    ff: flip-flops
    ram_bits: bits of the block RAMs taken, used or not
    ram_blocks: block RAMs, the smallest that can be taken on its own
    dsp: DSP blocks
    carry: carry cells
    """

    lut: int = 0
    ff: int = 0
    ram_bits: int = 0
    ram_blocks: int = 0
    dsp: int = 0
    carry: int = 0

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(*(a + b for a, b in zip(self._values(), other._values(), strict=True)))

    def _values(self) -> Iterator[int]:
        return (getattr(self, field.name) for field in fields(self))

    def as_dict(self) -> dict[str, int]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class Family:
    """A family of FPGAs.

    Parameters
    ----------
    name: as `shiftnas synth --target` has it
    script: Yosys' commands from a design with top module `{top}` to a flat netlist
    costs: of each cell that takes something
    free: cells with sites of their own (wide multiplexers, pads, constants)
    latches: cells that are latches
    """

    name: str
    script: str
    costs: Mapping[str, Resources]
    free: frozenset[str]
    latches: frozenset[str] = field(default_factory=frozenset)


def family(name: str) -> Family:
    """The family of that name.

    Raises
    ------
    InputError: there is none.
    """
    if name not in FAMILIES:
        raise InputError(f"target: expected one of {', '.join(FAMILIES)}, found {name!r}")
    return FAMILIES[name]


def _cells(text: str, **cost: int) -> dict[str, Resources]:
    return dict.fromkeys(text.split(), Resources(**cost))


def _blocks(text: str, bits: int, count: int = 1) -> dict[str, Resources]:
    return _cells(text, ram_bits=count * bits, ram_blocks=count)


# Flattened at the start, Yosys merges adders of different layers into large compressors: on an ECP5
# 30 % more LUTs on adder graphs. Flattened once memories are mapped, it still optimises across the
# layers' borders. (Flattening before they are mapped gives the same size and takes a quarter
# longer.)
_ECP5 = Family(
    "ecp5",
    """
synth_ecp5 -nodsp -noflatten -top {top} -run begin:map_gates
flatten
synth_ecp5 -nodsp -top {top} -run map_gates:edif
""",
    {
        **_cells("LUT4", lut=1),
        # nextpnr's "Total LUT4s": the sites of a carry cell's two LUTs; those of a 16×4 RAM and of
        # its write port. Packing adds some for the ends of carry chains.
        **_cells("CCU2C", lut=2, carry=1),
        **_cells("TRELLIS_DPR16X4", lut=6),
        **_cells("TRELLIS_FF", ff=1),
        **_blocks("DP16KD PDPW16KD", RAM_BLOCK_BITS),
        **_cells("MULT18X18D ALU54B", dsp=1),
    },
    frozenset("PFUMX L6MUX21 $scopeinfo TRELLIS_IO EHXPLLL GSR SGSR DCCA".split()),
)

# There is no LUT-RAM: what asks for it becomes flip-flops, or block RAM where it is read in a clock
# cycle of its own and is large enough.
_ICE40 = Family(
    "ice40",
    """
setattr -unset ram_style -unset syn_ramstyle -unset ramstyle a:ram_style=distributed
synth_ice40 -noflatten -top {top} -run begin:map_gates
flatten
synth_ice40 -top {top} -run map_gates:blif
""",
    {
        **_cells("SB_LUT4", lut=1),
        # A carry cell lies beside a LUT, which it shares where that adds.
        **_cells("SB_CARRY", carry=1),
        **_cells(
            "SB_DFF SB_DFFE SB_DFFSR SB_DFFR SB_DFFSS SB_DFFS SB_DFFESR SB_DFFER SB_DFFESS "
            "SB_DFFES",
            ff=1,
        ),
        **_blocks("SB_RAM40_4K", 4096),
        **_cells("SB_MAC16", dsp=1),
    },
    frozenset({"$scopeinfo"}),
)

_GOWIN_OPTIONS = "-family gw2a -nodsp -noiopads -top {top}"
_GOWIN = Family(
    "gowin",
    f"""
synth_gowin {_GOWIN_OPTIONS} -noflatten -run begin:map_gates
flatten
synth_gowin {_GOWIN_OPTIONS} -run map_gates:vout
""",
    {
        **_cells("LUT1 LUT2 LUT3 LUT4", lut=1),
        # An adder bit takes a LUT's site.
        **_cells("ALU", lut=1, carry=1),
        # Four LUTs are the RAM, two more cannot be used beside it.
        **_cells("RAM16SDP1 RAM16SDP2 RAM16SDP4", lut=6),
        **_cells("DFF DFFE DFFS DFFSE DFFR DFFRE DFFP DFFPE DFFC DFFCE", ff=1),
        **_blocks("SP SPX9 SDPB SDPX9B DPB DPX9B pROM pROMX9", 18 * 1024),
        **_cells("MULT9X9 MULT18X18 MULT36X36 MULTADDALU18X18 MULTALU18X18 MULTALU36X18", dsp=1),
    },
    frozenset("MUX2_LUT5 MUX2_LUT6 MUX2_LUT7 MUX2_LUT8 GND VCC $scopeinfo".split()),
    frozenset("DL DLE DLC DLCE DLP DLPE DLN DLNE DLNC DLNCE DLNP DLNPE".split()),
)

_XILINX_OPTIONS = "-family xc7 -nodsp -noiopad -noclkbuf -top {top}"
_XILINX = Family(
    "xilinx",
    f"""
synth_xilinx {_XILINX_OPTIONS} -run begin:fine
flatten
synth_xilinx {_XILINX_OPTIONS} -run fine:edif
autoname
""",
    {
        # Before packing: two small LUTs with five inputs between them may share a site.
        **_cells("LUT1 LUT2 LUT3 LUT4 LUT5 LUT6 INV SRL16E SRLC32E", lut=1),
        **_cells("CARRY4", carry=1),
        **_cells("RAM32X1S RAM64X1S", lut=1),
        **_cells("RAM32X1D RAM64X1D RAM128X1S", lut=2),
        **_cells("RAM32M RAM64M RAM128X1D RAM256X1S", lut=4),
        **_cells("FDRE FDSE FDCE FDPE", ff=1),
        **_blocks("RAMB18E1", 18 * 1024),
        **_blocks("RAMB36E1", 18 * 1024, count=2),
        **_cells("DSP48E1", dsp=1),
    },
    frozenset("MUXF7 MUXF8 GND VCC $scopeinfo".split()),
    frozenset({"LDCE", "LDPE"}),
)

FAMILIES = {entry.name: entry for entry in (_ECP5, _ICE40, _GOWIN, _XILINX)}
"""Every family, by name: Lattice ECP5, Lattice iCE40, Gowin GW2A, Xilinx 7 series."""

"""Shift against multiplier on the same grid of lanes: LUT sites, DSP blocks, MHz.

    python benchmarks/overlay_lanes.py [--side 4] [--route]

The grid, its memory, its operands and its captures are those of the overlay; lanes differ in what
they do with an operand:

halving             acc = (halve ? acc >> 1 : acc) + x, in one carry chain: the overlay's lane
halving, behavioural   the same as Yosys maps it
barrel              acc = acc + (x << n), n from 0 to 15
int8 multiplier     acc = acc + w * x, in look-up tables or in DSP blocks

Accumulators are as wide as each needs for the same networks: 17 bits where weights come by rising
exponents, 24 where they come in any order. The word that tells all lanes n or w is the one that
holds immediates otherwise. On an LFE5U-85F of speed grade 6, out of context.
"""

import argparse
import tempfile
from pathlib import Path

from amaranth import Const, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.build.families import FAMILIES
from hw.build.netlist import Netlist
from hw.build.route import Part, route
from hw.overlay.rtl.array import LaneArray
from hw.overlay.rtl.lane import Lane
from hw.verilog import yosys
from hw.verilog.convert import to_rtlil

WORDS, NARROW, WIDE = 1024, 17, 24
PART = Part("--85k", "CABGA381", "6")
MHZ = 200


class Products(wiring.Component):
    """acc = acc + product, the product in a register of its own; ports of `Accumulator`, and
    `factor`."""

    def __init__(self, bits: int, operand_bits: int, barrel: bool):
        self.bits, self.operand_bits, self.barrel = bits, operand_bits, barrel
        super().__init__(
            {
                "value": In(operand_bits + 1),
                "factor": In(operand_bits),
                "add": In(1),
                "whole": In(1),
                "clear": In(1),
                "clear_negative": In(1),
                "total": Out(signed(bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        total = Signal(signed(self.bits), reset_less=True)
        term = Signal(signed(self.bits), reset_less=True)
        factor = Signal(self.operand_bits, reset_less=True)
        adds = Signal(reset_less=True)
        x = self.value[:-1].as_signed()
        product = x << factor[:4] if self.barrel else x * factor[:8].as_signed()
        m.d.sync += [factor.eq(self.factor), term.eq(product), adds.eq(self.add)]
        with m.If(adds):
            m.d.sync += total.eq(total + term)
        with m.If(self.clear | (self.clear_negative & total[-1])):
            m.d.sync += total.eq(0)
        m.d.comb += self.total.eq(total)
        return m


class BarrelLane(Lane):
    """A lane with a shifter."""

    barrel = True

    def accumulator(self) -> Products:
        return Products(self.total_bits, self.bits, self.barrel)

    def elaborate(self, platform):
        m = super().elaborate(platform)
        # What the word of an immediate tells: how far, and whether it is negative; or the factor.
        told = self.operand.flip
        negative = told[-1] if self.barrel else Const(0)
        m.d.comb += [
            m.submodules.accumulator.factor.eq(told),
            m.submodules.addend.flip.eq(negative.replicate(self.bits)),
        ]
        return m


class MultiplierLane(BarrelLane):
    """A lane with a multiplier."""

    barrel = False


class BarrelGrid(LaneArray):
    lane = BarrelLane


class MultiplierGrid(LaneArray):
    lane = MultiplierLane


CASES = {
    "halving": (LaneArray, NARROW, "ecp5", "-nodsp"),
    "halving, behavioural": (LaneArray, NARROW, "generic", "-nodsp"),
    "barrel": (BarrelGrid, WIDE, "ecp5", "-nodsp"),
    "int8 multiplier, LUTs": (MultiplierGrid, WIDE, "ecp5", "-nodsp"),
    "int8 multiplier, DSP": (MultiplierGrid, WIDE, "ecp5", ""),
}
"""Grid, bits of its accumulators, fabric, Yosys' option."""


def netlist(case: str, side: int) -> Netlist:
    """The grid in cells of an ECP5."""
    grid, bits, fabric, option = CASES[case]
    dut = grid(side, side, bits=9, total_bits=bits, words=WORDS, fabric=fabric)
    family = FAMILIES["ecp5"]
    with tempfile.TemporaryDirectory(prefix="shiftnas-") as temporary:
        folder = Path(temporary)
        (folder / "grid.il").write_text(to_rtlil(dut, "grid").text, encoding="utf-8")
        script = family.script.format(top="grid").replace("-nodsp", option)
        script = f"read_rtlil grid.il\nproc\nopt_clean -purge\n{script}\nwrite_json grid.json"
        yosys.run(script, folder)
        return Netlist.parse((folder / "grid.json").read_text(encoding="utf-8"), "grid", family)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=4)
    parser.add_argument("--route", action="store_true")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    options = parser.parse_args()
    lanes = options.side**2
    print(f"{options.side} x {options.side} lanes; sites, FF and DSP a lane")
    for case in options.cases:
        made = netlist(case, options.side)
        found = made.resources
        line = f"{case:24}{found.lut / lanes:8.1f} sites{found.ff / lanes:8.1f} FF"
        line += f"{found.dsp / lanes:5.1f} DSP"
        if options.route:
            routed = route(made, PART, mhz=MHZ, constraints=None)
            line += f"{routed.used('TRELLIS_COMB') / lanes:8.1f} placed{routed.fmax_mhz:6.0f} MHz"
        print(line, flush=True)


if __name__ == "__main__":
    main()

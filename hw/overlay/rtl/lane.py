"""One lane: operand, accumulator, capture."""

# By the stubs of amaranth a Component has no `elaborate`, a flipped interface is none.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.overlay.isa import Direction, Mode
from hw.overlay.rtl.accumulator import Accumulator
from hw.overlay.rtl.capture import Capture
from hw.overlay.rtl.operand import Operand


def operand_control(bits: int) -> data.StructLayout:
    """What an operand is told: see `Operand`."""
    return data.StructLayout(
        {
            "move": 1,
            "shift": 1,
            "direction": Direction,
            "flip": bits,
            "carry": 1,
            "rectify": 1,
        }
    )


ACCUMULATOR_CONTROL = data.StructLayout(
    {"add": 1, "whole": 1, "clear": 1, "clear_negative": 1, "mode": Mode}
)
"""What an accumulator is told, and how its sum is captured: see `Accumulator`, `Capture`."""


class Lane(wiring.Component):
    """The arithmetic of one pixel.

    Parameters
    ----------
    bits, total_bits: of a pixel, of the accumulator
    banks: of the data memory
    fabric: "ecp5" or "generic"

    Members
    -------
    word<n>: from the memory's banks
    left, right, above, below: the neighbours' `value`
    value: see `Operand`
    operand: control of it
    accumulate: control of the accumulator, one cycle after that of the operand it adds
    blank, unlimited, no_sign: see `Capture`; in the cycle of the accumulator's control
    outside, flip: one cycle later
    pixel: what is written, two cycles later
    falls: the sum's lowest bit, which a halving in this cycle loses
    """

    def __init__(self, bits: int, total_bits: int, banks: int, fabric: str):
        self.bits, self.total_bits, self.banks, self.fabric = bits, total_bits, banks, fabric
        super().__init__(
            {
                **{f"word{n}": In(bits) for n in range(banks)},
                **{side.name.lower(): In(bits + 1) for side in Direction},
                "value": Out(bits + 1),
                "operand": In(operand_control(bits)),
                "accumulate": In(ACCUMULATOR_CONTROL),
                "blank": In(1),
                "unlimited": In(1),
                "no_sign": In(1),
                "outside": In(1),
                "flip": In(bits),
                "pixel": Out(bits),
                "falls": Out(1),
            }
        )

    def accumulator(self) -> wiring.Component:
        """What adds operands up."""
        return Accumulator(self.total_bits, self.bits, self.fabric)

    def elaborate(self, platform):
        m = Module()
        m.submodules.addend = operand = Operand(self.bits, self.banks, self.fabric)
        m.submodules.accumulator = sums = self.accumulator()
        m.submodules.capture = capture = Capture(self.total_bits, self.bits, self.fabric)
        inputs = [f"word{n}" for n in range(self.banks)]
        inputs += [side.name.lower() for side in Direction]
        m.d.comb += [getattr(operand, name).eq(getattr(self, name)) for name in inputs]
        m.d.comb += [
            getattr(operand, name).eq(self.operand[name])
            for name in ("move", "shift", "direction", "flip", "carry", "rectify")
        ]
        m.d.comb += [
            getattr(sums, name).eq(self.accumulate[name])
            for name in ("add", "whole", "clear", "clear_negative")
        ]
        m.d.comb += [
            self.value.eq(operand.value),
            sums.value.eq(operand.value),
            capture.total.eq(sums.total),
            capture.mode.eq(self.accumulate.mode),
            capture.blank.eq(self.blank),
            capture.unlimited.eq(self.unlimited),
            capture.no_sign.eq(self.no_sign),
            capture.outside.eq(self.outside),
            capture.flip.eq(self.flip),
            self.pixel.eq(capture.pixel),
            self.falls.eq(sums.total[0]),
        ]
        return m

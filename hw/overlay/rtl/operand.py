"""A lane's operand: the pixel that is added, and what it hands to its neighbours."""

# By the stubs of amaranth a Component has no `elaborate`.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.overlay.isa import Direction
from hw.overlay.rtl import cells

_TWO_TO_ONE = 0xCA00
"""LUT4 of (A, B, C, D): nothing unless D, then B where C, else A."""


class Operand(wiring.Component):
    """A pixel with its sign, and the carry that completes a negative one.

    value' = move ? (shift ? the neighbour's value : word ^ flip) : value, and likewise the carry.
    A negative word that is read rectified counts as zero, with no carry.

    Parameters
    ----------
    bits: of a pixel
    banks: of the memory; of their words all but one are zero
    fabric: "ecp5" or "generic"

    Members
    -------
    word<n>: what the memory's banks say, one cycle before `value` does
    left, right, above, below: the neighbours' `value` and carry (highest bit), zero at the edges
    move, shift, direction, flip, carry, rectify: what is to be done; word, flip and carry are zero
        where it is a shift
    value: the pixel, its carry as the highest bit

    Resources: 3 LUT sites a bit on ECP5 with up to two banks.
    """

    def __init__(self, bits: int, banks: int, fabric: str):
        self.bits, self.banks, self.fabric = bits, banks, fabric
        super().__init__(
            {
                **{f"word{n}": In(bits) for n in range(banks)},
                **{side.name.lower(): In(bits + 1) for side in Direction},
                "move": In(1),
                "shift": In(1),
                "direction": In(Direction),
                "flip": In(bits),
                "carry": In(1),
                "rectify": In(1),
                "value": Out(bits + 1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        word = Signal(self.bits)
        read = self.word0
        for n in range(1, self.banks):
            read = read | getattr(self, f"word{n}")
        neighbour = Signal(self.bits + 1)
        drop = Signal()
        following = Signal(self.bits + 1)
        value = Signal(self.bits + 1, reset_less=True)
        m.d.comb += [
            word.eq(read),
            drop.eq(self.rectify & word[-1]),
            self.value.eq(value),
            # While a neighbour is asked, word, flip and carry are zero; else the neighbour is.
            following.eq(Cat((neighbour[:-1] | word) ^ self.flip, neighbour[-1] | self.carry)),
        ]
        with m.If(self.move):
            m.d.sync += value.eq(following)
        with m.If(drop):
            m.d.sync += value.eq(0)
        sides = [getattr(self, side.name.lower()) for side in Direction]
        if self.fabric == "ecp5":
            select = Value.cast(self.direction)
            for bit in range(self.bits + 1):
                pair = Signal(2, name=f"pair{bit}")
                for half in range(2):
                    inputs = [sides[2 * half][bit], sides[2 * half + 1][bit], select[0], self.shift]
                    m.submodules[f"side{bit}_{half}"] = cells.lut4(inputs, _TWO_TO_ONE, pair[half])
                m.submodules[f"sides{bit}"] = cells.pfumx(
                    pair[0], pair[1], select[1], neighbour[bit]
                )
        else:
            with m.If(self.shift):
                m.d.comb += neighbour.eq(Array(sides)[Value.cast(self.direction)])
        return m

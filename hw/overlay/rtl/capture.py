"""From a lane's sum to the bits of a pixel."""

# By the stubs of amaranth a Component has no `elaborate`.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.overlay.isa import Mode
from hw.overlay.rtl import cells

_NOT_ALL_EQUAL = 0x7FFE
"""LUT4: some of its inputs are one, some are zero."""

_BEYOND_BY_MODE = 0x00A6
"""LUT4 of the sign, a pixel's second highest bit and the mode: what is beyond in one mode only."""


def has_sign(mode) -> Value:
    """Whether a pixel's highest bit is its sign; else it is zero."""
    return ~Value.cast(mode)[0]


class Capture(wiring.Component):
    """A sum, saturated; zero where there is none to be captured.

    What differs between the modes but not between lanes comes ready, so that the registers' resets
    do it: `unlimited` and `no_sign` are high where `blank` is, and in modes that are so.

    Parameters
    ----------
    total_bits, bits: of a sum, of a pixel
    fabric: "ecp5" or "generic"

    Members
    -------
    total: the sum
    mode: what to make of it
    blank, unlimited, no_sign: in the cycle of `total`; a blank sum counts as zero
    outside, flip: one cycle later; outside the pixel is zero, else `flip` is exclusive or with it:
        the loader's pixels
    pixel: two cycles after `total`

    Resources: on ECP5 8 LUT sites for 19 bits of sum (6 for 17), and one a bit of the pixel.
    """

    def __init__(self, total_bits: int, bits: int, fabric: str):
        self.total_bits, self.bits, self.fabric = total_bits, bits, fabric
        super().__init__(
            {
                "total": In(signed(total_bits)),
                "mode": In(Mode),
                "blank": In(1),
                "unlimited": In(1),
                "no_sign": In(1),
                "outside": In(1),
                "flip": In(bits),
                "pixel": Out(bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        total, top = self.total, self.bits - 1
        negative = total[-1]
        over = self._over(m)
        low = Signal(top, reset_less=True)
        sign = Signal(reset_less=True)
        saturated = Signal(reset_less=True)
        # A sum beyond the bounds becomes the opposite of its sign, but for a signed pixel's
        # highest two bits.
        opposite = Signal(reset_less=True)
        second = Signal(reset_less=True)
        m.d.sync += [
            low.eq(total[:top]),
            sign.eq(negative),
            saturated.eq(over),
            opposite.eq(negative),
            second.eq(negative ^ (self.mode != Mode.SIGNED)),
        ]
        with m.If(self.blank):
            m.d.sync += low.eq(0)
        with m.If(self.no_sign):
            m.d.sync += sign.eq(0)
        with m.If(self.unlimited):
            m.d.sync += saturated.eq(0)
        bound = Cat((~opposite).replicate(top - 1), second)
        pixel = Signal(self.bits, reset_less=True)
        m.d.sync += pixel.eq(Cat(Mux(saturated, bound, low), sign) ^ self.flip)
        with m.If(self.outside):
            m.d.sync += pixel.eq(0)
        m.d.comb += self.pixel.eq(pixel)
        return m

    def _over(self, m: Module) -> Signal:
        """Whether the sum is beyond its mode's bounds, if it has any.

        On ECP5 in tables of our own: for Yosys' a table of the whole counts less than it takes.
        """
        negative, top = self.total[-1], self.bits - 1
        above = self.total[top:-1]
        parts = [above[first : first + 3] for first in range(0, len(above), 3)]
        beyond = Signal(len(parts) + 1)
        for number, part in enumerate(parts):
            if self.fabric == "ecp5":
                inputs = [*part, *[negative] * (4 - len(part))]
                m.submodules[f"beyond{number}"] = cells.lut4(inputs, _NOT_ALL_EQUAL, beyond[number])
            else:
                m.d.comb += beyond[number].eq((part ^ negative.replicate(len(part))).any())
        if self.fabric == "ecp5":
            inputs = [negative, self.total[top - 1], *Value.cast(self.mode)]
            m.submodules.of_mode = cells.lut4(inputs, _BEYOND_BY_MODE, beyond[-1])
        else:
            m.d.comb += beyond[-1].eq(
                ((self.mode == Mode.UNSIGNED) & negative)
                | ((self.mode == Mode.SIGNED) & (self.total[top - 1] ^ negative))
            )
        over = Signal()
        m.d.comb += over.eq(beyond.any())
        return over

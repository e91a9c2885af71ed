"""A lane's accumulator: halve, add, in one carry chain."""

# By the stubs of amaranth a Component has no `elaborate`.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.overlay.rtl import cells

_ADD_OR_HALVE = 0x663C
"""LUT4 of (A, B, C, D): B exclusive or (D ? A : C)."""


_CARRY = 0x000A
"""LUT4 of (A, B, C, D): A while neither C nor D. With C, as here, zero: no carry is handed on, A is
one."""


class Accumulator(wiring.Component):
    """total' = (whole ? total : total >> 1) + value + carry, in two's complement, floored.

    Parameters
    ----------
    bits: of the sum; it wraps
    operand_bits: of the value, two's complement
    fabric: "ecp5" or "generic"

    Members
    -------
    value: the operand, its carry as the highest bit
    add, whole: enable; without `whole` the sum so far is halved (only while `add`)
    clear, clear_negative: zero; zero where the sum is negative. Before anything else.
    total: the sum

    Resources: on ECP5 a LUT site a bit and one for the carry, rounded up to two, and one for the
    reset.
    """

    def __init__(self, bits: int, operand_bits: int, fabric: str):
        self.bits, self.operand_bits, self.fabric = bits, operand_bits, fabric
        super().__init__(
            {
                "value": In(operand_bits + 1),
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
        following = Signal(signed(self.bits))
        zero = Signal()
        m.d.comb += [
            self.total.eq(total),
            zero.eq(self.clear | (self.clear_negative & total[-1])),
        ]
        with m.If(self.add):
            m.d.sync += total.eq(following)
        with m.If(zero):
            m.d.sync += total.eq(0)
        operand, carry = self.value[:-1].as_signed(), self.value[-1]
        if self.fabric == "ecp5":
            self._chain(m, total, following, operand, carry)
        else:
            base = Signal(signed(self.bits))
            m.d.comb += base.eq(Mux(self.whole, total, total >> 1))
            m.d.comb += following.eq(base + operand + carry)
        return m

    def _chain(self, m: Module, total: Value, following: Value, operand: Value, carry: Value):
        high = self.operand_bits - 1
        # A carry from elsewhere would take a pair more: half a cell makes it. A last half may be
        # left.
        functions = [_CARRY]
        inputs = [[carry, carry, Const(1), Const(0)]]
        sums: list[Value] = [Signal(name="beside_carry")]
        for bit in range(self.bits):
            functions.append(_ADD_OR_HALVE)
            above = total[min(bit + 1, self.bits - 1)]
            inputs.append([total[bit], operand[min(bit, high)], above, self.whole])
            sums.append(following[bit])
        if len(sums) % 2:
            functions.append(0)
            inputs.append([Const(0)] * 4)
            sums.append(Signal(name="unused"))
        carried = None
        pairs = len(sums) // 2
        for pair in range(pairs):
            part = slice(2 * pair, 2 * pair + 2)
            onward = Signal(name=f"carry{pair}") if pair < pairs - 1 else None
            m.submodules[f"bits{pair}"] = cells.carry_pair(
                functions[part], inputs[part], carried, sums[part], onward
            )
            carried = onward

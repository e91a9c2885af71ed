"""Control for many lanes: registers, one for each block of neighbours."""

# By the stubs of amaranth a Component has no `elaborate`.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.hdl import ValueLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.overlay.rtl import cells


class Leaf(wiring.Component):
    """A register that no tool merges with others of the same content.

    Parameters
    ----------
    bits: of it
    fabric: "ecp5" (flip-flops are instantiated) or "generic"

    Members
    -------
    i: what is told; o: the same, one cycle later
    """

    def __init__(self, bits: int, fabric: str):
        self.bits, self.fabric = bits, fabric
        super().__init__({"i": In(bits), "o": Out(bits)})

    def elaborate(self, platform):
        m = Module()
        if self.fabric == "ecp5":
            for bit in range(self.bits):
                m.submodules[f"bit{bit}"] = cells.flip_flop(self.i[bit], self.o[bit])
        else:
            held = Signal(self.bits, reset_less=True)
            m.d.sync += held.eq(self.i)
            m.d.comb += self.o.eq(held)
        return m


def delayed(m: Module, name: str, value: ValueLike, cycles: int) -> Value:
    """`value`, so many cycles later, without reset."""
    value = Value.cast(value)
    for cycle in range(cycles):
        held = Signal(len(value), name=f"{name}_{cycle + 1}", reset_less=True)
        m.d.sync += held.eq(value)
        value = held
    return value

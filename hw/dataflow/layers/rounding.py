"""Rounding shift and saturation: the end of every requantisation, addition and concatenation."""

from amaranth import *

from hw.ir.format import Format


def signed_of(fmt: Format) -> Shape:
    """Amaranth shape of a tensor's element."""
    return Shape(fmt.width, fmt.signed)


def shift_saturate(m: Module, value: Value, shift: int, fmt: Format, *, name: str) -> Value:
    """floor(value · 2**-shift) clamped to the format's range; a negative shift is a left shift.
    Combinational.

    `value` is signed and already holds the rounding constant. `name` prefixes the signals added to
    `m`.
    """
    value = value.as_signed()
    if shift >= len(value):
        shifted = value[-1:].as_signed()
    elif shift >= 0:
        shifted = value[shift:].as_signed()
    else:
        shifted = Cat(Const(0, -shift), value).as_signed()
    result = Signal(signed_of(fmt), name=f"{name}_q")
    sign = shifted[-1]
    if len(shifted) < fmt.width + (not fmt.signed):
        m.d.comb += result.eq(shifted if fmt.signed else Mux(sign, 0, shifted))
        return result
    above = shifted[fmt.width - fmt.signed : -1]
    if not fmt.signed:
        with m.If(sign):
            m.d.comb += result.eq(0)
        with m.Elif(above.any()):
            m.d.comb += result.eq(fmt.qmax)
        with m.Else():
            m.d.comb += result.eq(shifted)
    else:
        overflow = Signal(name=f"{name}_overflow")
        m.d.comb += overflow.eq(Mux(sign, ~above.all(), above.any()) if len(above) else 0)
        extreme = Cat(~sign.replicate(fmt.width - 1), sign)
        m.d.comb += result.eq(Mux(overflow, extreme, shifted))
    return result

"""Rounding shift and saturation: the end of every requantisation, addition and concatenation."""

from amaranth import *

from hw.ir.format import Format, width_of


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
    if len(shifted) < width_of(fmt.qmin, fmt.qmax):
        m.d.comb += result.eq(shifted if fmt.signed else Mux(sign, 0, shifted))
        return result
    if fmt.signed:
        above = shifted[fmt.width - 1 : -1]
        overflow = Signal(name=f"{name}_overflow")
        m.d.comb += overflow.eq(Mux(sign, ~above.all(), above.any()) if len(above) else 0)
        extreme = Cat(~sign.replicate(fmt.width - 1), sign)
        m.d.comb += result.eq(Mux(overflow, extreme, shifted))
        return result
    beyond = shifted[fmt.width : -1].any() if fmt.limit is None else shifted[:-1] > fmt.limit
    with m.If(sign):
        m.d.comb += result.eq(0)
    with m.Elif(beyond):
        m.d.comb += result.eq(fmt.qmax)
    with m.Else():
        m.d.comb += result.eq(shifted)
    return result

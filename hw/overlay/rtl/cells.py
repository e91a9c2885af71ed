"""ECP5 cells that synthesis does not find by itself, as instances.

Their behaviour is Yosys' (`common_sim.vh`, `ccu2c_sim.vh`) and, for the block RAM, that of
`hw/verilog/ecp5_ram.v`.
"""

from collections.abc import Sequence

from amaranth import *

from hw.overlay.banks import BLOCK_SHAPES

NARROW_DEPTHS = {1: 16384, 2: 8192, 4: 4096, 9: 2048, 18: 1024}
"""Bits of a word of a block RAM that is written as a whole, and its words."""

BYTE = 9

_ADDRESS_PINS, _DATA_PINS = 14, 18


def lut4(inputs: Sequence[Value], function: int, output: Value) -> Instance:
    """A look-up table: bit i of `function` is the output where `inputs`, lowest first, say i."""
    pins = zip("ABCD", inputs, strict=True)
    return Instance(
        "LUT4",
        p_INIT=Const(function, 16),
        **{f"i_{pin}": value for pin, value in pins},
        o_Z=output,
    )


def pfumx(zero: Value, one: Value, select: Value, output: Value) -> Instance:
    """The multiplexer behind two look-up tables of one slice, which takes no site."""
    return Instance("PFUMX", i_BLUT=zero, i_ALUT=one, i_C0=select, o_Z=output)


def carry_pair(
    functions: Sequence[int],
    inputs: Sequence[Sequence[Value]],
    carry_in: Value | None,
    sums: Sequence[Value],
    carry_out: Value | None,
) -> Instance:
    """Two bits of a carry chain, the lower one first.

    A bit's look-up table of its inputs A, B, C, D says whether it hands the carry on; where not,
    its carry is the function's value for A and B with C = D = 0. The sum is the table's value,
    exclusive or the carry that comes in. A chain's ends have no carry in or out: one that comes
    from elsewhere, a constant even, or goes there takes a pair more.
    """
    ports = {}
    if carry_in is not None:
        ports["i_CIN"] = carry_in
    if carry_out is not None:
        ports["o_COUT"] = carry_out
    for half in range(2):
        ports[f"p_INIT{half}"] = Const(functions[half], 16)
        ports[f"p_INJECT1_{half}"] = "NO"
        ports[f"o_S{half}"] = sums[half]
        for pin, value in zip("ABCD", inputs[half], strict=True):
            ports[f"i_{pin}{half}"] = value
    return Instance("CCU2C", **ports)


def flip_flop(value: Value, output: Value) -> Instance:
    """A register of its own: Yosys leaves several with one input apart, as trees need them."""
    return Instance(
        "TRELLIS_FF",
        p_GSR="DISABLED",
        p_CEMUX="1",
        p_CLKMUX="CLK",
        p_LSRMUX="LSR",
        p_REGSET="RESET",
        i_CLK=ClockSignal(),
        i_LSR=Const(0),
        i_DI=value,
        o_Q=output,
    )


def block_ram(
    depth: int,
    *,
    write_address: Value,
    write: Value,
    write_enables: Sequence[Value],
    write_data: Sequence[Value],
    read_address: Value,
    read_data: Sequence[Value],
) -> Instance:
    """A block RAM with one port to write and one to read, and registered outputs.

    Parameters
    ----------
    depth: words, a key of BLOCK_SHAPES
    write: whether anything is written
    write_enables, write_data, read_data: of each of the word's bytes of nine bits

    Latency: the data of an address are there two cycles after it.
    """
    lanes = BLOCK_SHAPES[depth]
    width = BYTE * lanes
    enables, written, read = Cat(write_enables), Cat(write_data), Cat(read_data)
    assert len(enables) == lanes and len(written) == len(read) == width
    # Addresses count bits; where bytes have enables, these are the lowest bits of the address.
    low = _ADDRESS_PINS - (depth - 1).bit_length()
    write_pins = Cat(enables if lanes > 1 else Const(0, 0), Const(0, low - lanes * (lanes > 1)))
    write_pins = Cat(write_pins, write_address)
    read_pins = Cat(Const(0, low), read_address)
    assert len(write_pins) == len(read_pins) == _ADDRESS_PINS
    ports = {}
    for pin in range(_ADDRESS_PINS):
        ports[f"i_ADA{pin}"], ports[f"i_ADB{pin}"] = write_pins[pin], read_pins[pin]
    # A word of four bytes is written by the data pins of both ports and read by both.
    high = width > _DATA_PINS
    for pin in range(_DATA_PINS):
        ports[f"i_DIA{pin}"] = written[pin] if pin < width else Const(0)
        ports[f"i_DIB{pin}"] = written[_DATA_PINS + pin] if high else Const(0)
        lower = read[pin] if pin < width else Signal(name=f"unused_{pin}")
        if high:
            ports[f"o_DOA{pin}"], ports[f"o_DOB{pin}"] = lower, read[_DATA_PINS + pin]
        else:
            ports[f"o_DOB{pin}"] = lower
    # A word of one byte has its enable in that of the port's clock.
    return _ram(width, width, write, enables[0] if lanes == 1 else Const(1), Const(1), ports)


def narrow_ram(
    bits: int,
    *,
    write_address: Value,
    write: Value,
    write_data: Value,
    read_address: Value,
    enable: Value,
    read_data: Value,
) -> Instance:
    """A block RAM with one port to write and one to read, as deep as it gets at so many bits.

    Parameters
    ----------
    bits: of a word, a key of NARROW_DEPTHS; less may be used
    enable: of both registers that the read data go through: two cycles of it from address to data
    """
    low = _ADDRESS_PINS - (NARROW_DEPTHS[bits] - 1).bit_length()
    # A word of two bytes has an enable for each in the lowest bits of its address.
    lowest = Const(3, low) if bits == _DATA_PINS else Const(0, low)
    ports = {}
    for pin, value in enumerate(Cat(lowest, write_address)):
        ports[f"i_ADA{pin}"] = value
    for pin, value in enumerate(Cat(Const(0, low), read_address)):
        ports[f"i_ADB{pin}"] = value
    for pin, value in enumerate(write_data):
        ports[f"i_DIA{pin}"] = value
    for pin, value in enumerate(read_data):
        ports[f"o_DOB{pin}"] = value
    return _ram(bits, bits, write, Const(1), enable, ports)


def _ram(write_bits: int, read_bits: int, write: Value, clock: Value, enable: Value, ports: dict):
    """A block RAM of which port A writes and port B reads, through a register more."""
    for port, bits in (("A", write_bits), ("B", read_bits)):
        ports |= {
            f"p_DATA_WIDTH_{port}": bits,
            f"p_REGMODE_{port}": "OUTREG",
            f"p_WRITEMODE_{port}": "NORMAL",
            f"p_CLK{port}MUX": f"CLK{port}",
            f"p_CSDECODE_{port}": "0b000",
            f"i_CLK{port}": ClockSignal(),
            f"i_OCE{port}": enable,
            f"i_RST{port}": Const(0),
            f"i_CS{port}0": Const(0),
            f"i_CS{port}1": Const(0),
            f"i_CS{port}2": Const(0),
        }
    ports |= {"i_CEA": clock, "i_CEB": enable, "i_WEA": write, "i_WEB": Const(0)}
    return Instance("DP16KD", p_GSR="DISABLED", **ports)

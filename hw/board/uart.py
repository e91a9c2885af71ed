"""Serial port, 8 data bits, no parity, one stop bit, as streams of bytes."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

DATA_BITS = 8
BREAK_BITS = 2 * (DATA_BITS + 2)
"""Bit times of a low line that make a break; a character holds it low for 9 at most."""

MAX_BAUD_ERROR = 0.02
"""Of both ends together a receiver stands 5 %; this is our part."""


def divisor(clock_hz: float, baud: int) -> int:
    """Clock cycles a bit.

    Raises
    ------
    ValueError: no whole number of cycles comes within `MAX_BAUD_ERROR` of the rate.
    """
    cycles = round(clock_hz / baud)
    if cycles < 4 or abs(clock_hz / cycles - baud) > MAX_BAUD_ERROR * baud:
        raise ValueError(f"{baud} baud: out of reach of a clock of {clock_hz / 1e6:g} MHz")
    return cycles


class Receiver(wiring.Component):
    """Bytes from a serial line.

    Parameters
    ----------
    divisor: clock cycles a bit, 4 or more

    Members
    -------
    rx: the line, asynchronous, high at rest
    o: the bytes; one that is not taken before the next arrives is lost
    line_break: high while the line has been low for `BREAK_BITS` bit times or more

    Latency: a byte is there half a bit after its stop bit began. Characters without a stop bit are
    dropped.
    """

    def __init__(self, divisor: int):
        self.divisor = divisor
        super().__init__({"rx": In(1), "o": Out(stream.Signature(DATA_BITS)), "line_break": Out(1)})

    def elaborate(self, platform):
        m = Module()
        rx = Signal(init=1)
        m.submodules.synchroniser = FFSynchronizer(self.rx, rx, init=1)

        low_for = Signal(range(self.divisor * BREAK_BITS + 1))
        m.d.comb += self.line_break.eq(low_for == self.divisor * BREAK_BITS)
        with m.If(rx):
            m.d.sync += low_for.eq(0)
        with m.Elif(~self.line_break):
            m.d.sync += low_for.eq(low_for + 1)

        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)

        timer = Signal(range(self.divisor))
        bit = Signal(range(DATA_BITS))
        byte = Signal(DATA_BITS)
        with m.If(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.FSM():
            with m.State("rest"):
                with m.If(~rx):
                    m.d.sync += timer.eq(self.divisor // 2 - 1)
                    m.next = "start"
            with m.State("start"):
                with m.If(timer == 0):
                    m.d.sync += [timer.eq(self.divisor - 1), bit.eq(0)]
                    with m.If(rx):
                        m.next = "rest"
                    with m.Else():
                        m.next = "data"
            with m.State("data"):
                with m.If(timer == 0):
                    m.d.sync += [
                        timer.eq(self.divisor - 1),
                        byte.eq(Cat(byte[1:], rx)),
                        bit.eq(bit + 1),
                    ]
                    with m.If(bit == DATA_BITS - 1):
                        m.next = "stop"
            with m.State("stop"):
                with m.If(timer == 0):
                    with m.If(rx):
                        m.d.sync += [self.o.payload.eq(byte), self.o.valid.eq(1)]
                        m.next = "rest"
                    with m.Else():
                        m.next = "wait"
            with m.State("wait"):
                # A break, or a spoilt character: only after rest is a falling edge a start bit.
                with m.If(rx):
                    m.next = "rest"
        return m


class Transmitter(wiring.Component):
    """Bytes onto a serial line.

    Parameters
    ----------
    divisor: clock cycles a bit, 4 or more

    Members
    -------
    i: the bytes
    tx: the line, high at rest

    Throughput: one byte in 10 bit times.
    """

    def __init__(self, divisor: int):
        self.divisor = divisor
        super().__init__({"i": In(stream.Signature(DATA_BITS)), "tx": Out(1)})

    def elaborate(self, platform):
        m = Module()
        timer = Signal(range(self.divisor))
        left = Signal(range(DATA_BITS + 3))
        shift = Signal(DATA_BITS + 2, init=-1)
        m.d.comb += [self.i.ready.eq(left == 0), self.tx.eq(shift[0])]
        with m.If(left == 0):
            with m.If(self.i.valid):
                m.d.sync += [
                    shift.eq(Cat(0, self.i.payload, 1)),
                    left.eq(DATA_BITS + 2),
                    timer.eq(self.divisor - 1),
                ]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += [
                shift.eq(Cat(shift[1:], 1)),
                left.eq(left - 1),
                timer.eq(self.divisor - 1),
            ]
        return m

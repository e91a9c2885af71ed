"""A network on a board: clock, reset, and a serial port for images and logits.

    serial port ─▶ receiver ─▶ frame FIFO ─▶ network ─▶ bytes ─▶ transmitter ─▶ serial port

The host sends an image as its bytes, in the order of the network's input, and gets each logit as
its bytes, lowest first, in the order of the classes. The FIFO holds one image whole, so that a host
that sends the next one when it has the logits of the last one loses nothing. A break on the line
resets network and FIFO.
"""

from amaranth import *
from amaranth.build import Subsignal
from amaranth.lib import io, stream, wiring
from amaranth.lib.cdc import ResetSynchronizer
from amaranth.lib.wiring import In, Out

from hw.board import uart
from hw.board.pll import pll
from hw.dataflow.layers.streams import Fifo
from hw.dataflow.plan import MIN_FIFO_DEPTH

BAUD = 1_000_000
BITS_A_BYTE = 10
"""On the line: a start bit, eight data bits, a stop bit."""

CORE = "core"
"""Instance name of the network within the board's top."""

_PLL_UNUSED = (
    "RST STDBY PHASESEL0 PHASESEL1 PHASEDIR PHASESTEP PHASELOADREG PLLWAKESYNC ENCLKOP".split()
)


class Bridge(wiring.Component):
    """Serial line on one side, the network's streams on the other.

    Parameters
    ----------
    divisor: clock cycles a serial bit
    frame_bytes: bytes of an image
    logit_bytes: bytes of a logit

    Members
    -------
    rx, tx: the serial line
    image: to the network, a byte a beat; logits: from the network, a logit a beat
    reset: for the network, high during a break on `rx`
    """

    def __init__(self, divisor: int, frame_bytes: int, logit_bytes: int):
        self.divisor, self.frame_bytes, self.logit_bytes = divisor, frame_bytes, logit_bytes
        super().__init__(
            {
                "rx": In(1),
                "tx": Out(1),
                "image": Out(stream.Signature(8)),
                "logits": In(stream.Signature(8 * logit_bytes)),
                "reset": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = uart.Receiver(self.divisor)
        m.submodules.transmitter = transmitter = uart.Transmitter(self.divisor)
        depth = max(MIN_FIFO_DEPTH, 1 << (self.frame_bytes - 1).bit_length())
        fifo = Fifo(unsigned(8), depth)
        m.submodules.fifo = ResetInserter(self.reset)(fifo)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            self.reset.eq(receiver.line_break),
        ]
        wiring.connect(m, receiver.o, fifo.i)
        wiring.connect(m, fifo.o, wiring.flipped(self.image))

        left = Signal(range(self.logit_bytes + 1))
        logit = Signal(8 * self.logit_bytes)
        m.d.comb += [
            self.logits.ready.eq(left == 0),
            transmitter.i.valid.eq(left != 0),
            transmitter.i.payload.eq(logit[:8]),
        ]
        with m.If(self.reset):
            m.d.sync += left.eq(0)
        with m.Elif(left == 0):
            with m.If(self.logits.valid):
                m.d.sync += [logit.eq(self.logits.payload), left.eq(self.logit_bytes)]
        with m.Elif(transmitter.i.ready):
            m.d.sync += [logit.eq(logit >> 8), left.eq(left - 1)]
        return m


class BoardTop(Elaboratable):
    """Everything on the chip. Elaborates for a platform of `amaranth_boards` only.

    Parameters
    ----------
    core: name of the network's Verilog module
    frame_bytes, logit_bits: of the network's input and of `m_axis_tdata`
    clock_mhz: the network's clock; `pll` says what it gets
    """

    def __init__(self, core: str, *, frame_bytes: int, logit_bits: int, clock_mhz: float):
        self.core, self.frame_bytes, self.logit_bits = core, frame_bytes, logit_bits
        self.clock_mhz = clock_mhz

    def elaborate(self, platform):
        m = Module()
        in_mhz = platform.default_clk_frequency / 1e6
        dividers = pll(in_mhz, self.clock_mhz)
        m.submodules.clock_buffer = clock = io.Buffer(
            io.Direction.Input, platform.request(platform.default_clk, dir="-")
        )
        m.domains.sync = ClockDomain()
        locked = Signal()
        m.submodules.pll = Instance(
            "EHXPLLL",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_OUTDIVIDER_MUXA="DIVA",
            p_CLKI_DIV=dividers.reference,
            p_CLKFB_DIV=dividers.feedback,
            p_CLKOP_DIV=dividers.output,
            p_CLKOP_CPHASE=dividers.output // 2 - 1,
            p_CLKOP_FPHASE=0,
            p_CLKOP_ENABLE="ENABLED",
            p_FEEDBK_PATH="CLKOP",
            a_FREQUENCY_PIN_CLKI=f"{in_mhz:g}",
            a_FREQUENCY_PIN_CLKOP=f"{dividers.mhz:g}",
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            i_CLKI=clock.i,
            i_CLKFB=ClockSignal("sync"),
            **{f"i_{name}": Const(0) for name in _PLL_UNUSED},
            o_CLKOP=ClockSignal("sync"),
            o_LOCK=locked,
        )
        m.submodules.reset = ResetSynchronizer(~locked, domain="sync")

        logit_bytes = self.logit_bits // 8
        m.submodules.bridge = bridge = Bridge(
            uart.divisor(dividers.mhz * 1e6, BAUD), self.frame_bytes, logit_bytes
        )
        resource = platform.lookup("uart", 0)
        lines = [line for line in resource.ios if isinstance(line, Subsignal)]
        port = platform.request("uart", 0, dir={line.name: "-" for line in lines})
        m.submodules.rx_buffer = rx = io.Buffer(io.Direction.Input, port.rx)
        m.submodules.tx_buffer = tx = io.Buffer(io.Direction.Output, port.tx)
        m.d.comb += [bridge.rx.eq(rx.i), tx.o.eq(bridge.tx)]

        reset = Signal()
        m.d.comb += reset.eq(ResetSignal("sync") | bridge.reset)
        m.submodules[CORE] = Instance(
            self.core,
            i_clk=ClockSignal("sync"),
            i_rst=reset,
            i_s_axis_tdata=bridge.image.payload,
            i_s_axis_tvalid=bridge.image.valid,
            o_s_axis_tready=bridge.image.ready,
            i_s_axis_tlast=Const(0),
            o_m_axis_tdata=bridge.logits.payload,
            o_m_axis_tvalid=bridge.logits.valid,
            i_m_axis_tready=bridge.logits.ready,
        )
        return m

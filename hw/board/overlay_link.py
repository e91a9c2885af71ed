"""The host's serial link of an overlay: a program, then images in, logits out.

    serial port ─▶ receiver ─┬▶ words of the program ─▶ overlay
                             └▶ FIFO ─▶ images ───────▶ overlay ─▶ transmitter ─▶ serial port

After power-up or a break on the line the link expects a program: the bytes of its `program.bin`,
which is stored, not streamed.
It answers one byte, what has become of it (`hw.overlay.header.Status`, READY is 2); after a refusal
it expects a program again. Once one is ready all bytes are those of images, and each image's logits
come as their bytes, lowest first. Images do not wait for a batch to be full: the line is slower
than the overlay. A host that has two images on their way, no more, loses none.

How long a packet is stands in its header: where a damaged one says too much, the link waits for the
rest, and a break ends that.
"""

from typing import Any

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw import axi_lite
from hw.board import uart
from hw.board.logit_bytes import LogitBytes
from hw.dataflow.layers.streams import Fifo
from hw.overlay import isa
from hw.overlay.header import CRC_WORDS, FIELDS, Status
from hw.overlay.registers import ADDRESS_BITS, FLUSH, PROGRAM_STATUS, Register

FIFO_DEPTH = 2048
"""Bytes of images that have come and not been taken: one block RAM."""


class OverlayLink(wiring.Component):
    """Serial line on one side, the overlay's streams and registers on the other.

    Parameters
    ----------
    divisor: clock cycles a serial bit
    logit_bytes: bytes of a logit

    Members
    -------
    rx, tx: the serial line
    program, program_last: words of the packet, and whether it is the last
    image: a byte a beat; logits: from the overlay, a logit a beat
    m_axil_*: to the overlay's registers, which the link asks what has become of a program
    reset: for the overlay, high during a break on `rx`
    """

    def __init__(self, divisor: int, logit_bytes: int):
        self.divisor, self.logit_bytes = divisor, logit_bytes
        bus = {
            name.replace("s_axil_", "m_axil_"): member.flip()
            for name, member in axi_lite.signature(ADDRESS_BITS).items()
        }
        super().__init__(
            {
                "rx": In(1),
                "tx": Out(1),
                "program": Out(stream.Signature(isa.WORD_BITS)),
                "program_last": Out(1),
                "image": Out(stream.Signature(8)),
                "logits": In(stream.Signature(8 * logit_bytes)),
                "reset": Out(1),
                **bus,
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = uart.Receiver(self.divisor)
        m.submodules.transmitter = transmitter = uart.Transmitter(self.divisor)
        inner = Module()
        m.submodules.inner = ResetInserter(self.reset)(inner)
        inner.submodules.fifo = fifo = Fifo(unsigned(8), FIFO_DEPTH)
        inner.submodules.bytes = logits = LogitBytes(self.logit_bytes)
        wiring.connect(inner, fifo.o, wiring.flipped(self.image))
        wiring.connect(inner, wiring.flipped(self.logits), logits.i)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            self.reset.eq(receiver.line_break),
        ]
        running = self._program(inner, receiver.o, transmitter.i)
        with inner.If(running):
            inner.d.comb += [
                fifo.i.payload.eq(receiver.o.payload),
                fifo.i.valid.eq(receiver.o.valid),
                receiver.o.ready.eq(fifo.i.ready),
                transmitter.i.payload.eq(logits.o.payload),
                transmitter.i.valid.eq(logits.o.valid),
                logits.o.ready.eq(transmitter.i.ready),
            ]
        return m

    def _program(self, m: Module, received, sent) -> Signal:
        """Takes a packet, asks what has become of it and says so; whether one is ready."""
        running = Signal()
        low = Signal(8)
        high = Signal()
        count = Signal(33)
        length = Signal(32)
        status = Signal(8)
        word = Cat(low, received.payload)
        m.d.comb += [
            self.program.payload.eq(word),
            self.program_last.eq(count == length + (len(FIELDS) + CRC_WORDS - 1)),
            self.m_axil_araddr.eq(4 * Register.STATUS),
            self.m_axil_awaddr.eq(4 * Register.CONTROL),
            self.m_axil_wdata.eq(FLUSH),
            self.m_axil_wstrb.eq(~0),
        ]
        asked = Signal()
        address_sent = Signal()
        data_sent = Signal()
        with m.FSM():
            with m.State("packet"):
                m.d.comb += [
                    self.program.valid.eq(received.valid & high),
                    received.ready.eq(~high | self.program.ready),
                ]
                with m.If(received.valid & received.ready):
                    m.d.sync += high.eq(~high)
                    with m.If(~high):
                        m.d.sync += low.eq(received.payload)
                    with m.Else():
                        m.d.sync += count.eq(count + 1)
                        with m.If(count == FIELDS.index("length_high")):
                            m.d.sync += length[16:].eq(word)
                        with m.If(count == FIELDS.index("length_low")):
                            m.d.sync += length[:16].eq(word)
                        with m.If(self.program_last):
                            m.d.sync += [count.eq(0), length.eq(0)]
                            m.next = "ask"
            with m.State("ask"):
                m.d.comb += [self.m_axil_arvalid.eq(~asked), self.m_axil_rready.eq(1)]
                with m.If(self.m_axil_arvalid & self.m_axil_arready):
                    m.d.sync += asked.eq(1)
                with m.If(self.m_axil_rvalid):
                    m.d.sync += [asked.eq(0), status.eq(self.m_axil_rdata & PROGRAM_STATUS)]
                    with m.Switch(self.m_axil_rdata[: PROGRAM_STATUS.bit_length()]):
                        with m.Case(Status.LOADING):
                            pass
                        with m.Case(Status.READY):
                            m.next = "flush"
                        with m.Default():
                            m.next = "say"
            with m.State("flush"):
                m.d.comb += [
                    self.m_axil_awvalid.eq(~address_sent),
                    self.m_axil_wvalid.eq(~data_sent),
                    self.m_axil_bready.eq(1),
                ]
                with m.If(self.m_axil_awready):
                    m.d.sync += address_sent.eq(1)
                with m.If(self.m_axil_wready):
                    m.d.sync += data_sent.eq(1)
                with m.If(self.m_axil_bvalid):
                    m.next = "say"
            with m.State("say"):
                m.d.comb += [sent.payload.eq(status), sent.valid.eq(1)]
                with m.If(sent.ready):
                    with m.If(status == Status.READY):
                        m.next = "run"
                    with m.Else():
                        m.next = "packet"
            with m.State("run"):
                m.d.comb += running.eq(1)
        return running

    def core_ports(self) -> dict[str, Any]:
        """Connections to the overlay's Verilog module, for its Instance."""
        bus = {
            f"{'i' if member.flow is In else 'o'}_{name}": getattr(
                self, name.replace("s_axil_", "m_axil_")
            )
            for name, member in axi_lite.signature(ADDRESS_BITS).items()
        }
        return {
            "i_s_axis_program_tdata": self.program.payload,
            "i_s_axis_program_tvalid": self.program.valid,
            "o_s_axis_program_tready": self.program.ready,
            "i_s_axis_program_tlast": self.program_last,
            "i_s_axis_tdata": self.image.payload,
            "i_s_axis_tvalid": self.image.valid,
            "o_s_axis_tready": self.image.ready,
            "i_s_axis_tlast": Const(0),
            "o_m_axis_tdata": self.logits.payload,
            "o_m_axis_tvalid": self.logits.valid,
            "i_m_axis_tready": self.logits.ready,
            **bus,
        }

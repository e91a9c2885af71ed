"""The host's serial link of one network: images in, logits out.

    serial port ─▶ receiver ─▶ frame FIFO ─▶ network ─▶ bytes ─▶ transmitter ─▶ serial port

The host sends an image as its bytes, in the order of the network's input, and gets each logit as
its bytes, lowest first, in the order of the classes. The FIFO holds one image whole, so that a host
that sends the next one when it has the logits of the last one loses nothing. A break on the line
resets network and FIFO.
"""

from typing import Any

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.board import uart
from hw.board.logit_bytes import LogitBytes
from hw.dataflow.layers.streams import Fifo
from hw.dataflow.plan import MIN_FIFO_DEPTH


class NetworkLink(wiring.Component):
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

        m.submodules.bytes = ResetInserter(self.reset)(logits := LogitBytes(self.logit_bytes))
        wiring.connect(m, wiring.flipped(self.logits), logits.i)
        wiring.connect(m, logits.o, transmitter.i)
        return m

    def core_ports(self) -> dict[str, Any]:
        """Connections to the network's Verilog module, for its Instance."""
        return {
            "i_s_axis_tdata": self.image.payload,
            "i_s_axis_tvalid": self.image.valid,
            "o_s_axis_tready": self.image.ready,
            "i_s_axis_tlast": Const(0),
            "o_m_axis_tdata": self.logits.payload,
            "o_m_axis_tvalid": self.logits.valid,
            "i_m_axis_tready": self.logits.ready,
        }

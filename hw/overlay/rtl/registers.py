"""What the AXI4-Lite port of an overlay shows and sets."""

# By the stubs of amaranth a Component has no `elaborate`.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw import axi_lite
from hw.overlay import isa
from hw.overlay.hardware import Overlay
from hw.overlay.header import Status
from hw.overlay.registers import ADDRESS_BITS, FRAME_BITS, IDENTITY, VERSION, Register


class Registers(wiring.Component):
    """The registers of `hw.overlay.registers`.

    Anything else, a part of a word and a write to what is only shown are answered with SLVERR.

    Members
    -------
    s_axil_*: AXI4-Lite, 32 bits
    reset, flush: see CONTROL; from a reset of the device until the first write both are 0
    status, busy, pending, crc: see STATUS and PROGRAM
    running: a program is being done; waiting: for an image; batch: a
        batch's last word leaves the sequencer
    frame: a frame's last logit leaves

    Latency: 2 cycles.
    """

    def __init__(self, overlay: Overlay):
        self.overlay = overlay
        super().__init__(
            {
                **axi_lite.signature(ADDRESS_BITS),
                "reset": Out(1),
                "flush": Out(1),
                "status": In(Status),
                "busy": In(1),
                "pending": In(1),
                "crc": In(32),
                "running": In(1),
                "waiting": In(1),
                "batch": In(1),
                "frame": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.port = port = axi_lite.Port(ADDRESS_BITS)
        axi_lite.join(m, self, port, ADDRESS_BITS)
        cycles, frames = self._counters(m)
        m.d.comb += [port.open.eq(1), port.done.eq(1)]
        status = Cat(self.status, Const(0, 4 - len(Value.cast(self.status))))
        shown = {
            Register.IDENTITY: IDENTITY,
            Register.VERSION: VERSION << 16 | isa.VERSION,
            Register.FINGERPRINT: self.overlay.fingerprint,
            Register.CONTROL: Cat(self.reset, self.flush),
            Register.STATUS: Cat(status, self.busy, self.pending),
            Register.CYCLES: cycles,
            Register.FRAMES: frames,
            Register.PROGRAM: self.crc,
        }
        there = Signal()
        with m.Switch(port.address):
            for register, value in shown.items():
                with m.Case(register):
                    m.d.comb += [port.value.eq(value), there.eq(1)]
        sets = port.write & (port.address == Register.CONTROL)
        m.d.comb += port.okay.eq(port.whole & Mux(port.write, sets, there))
        with m.If(port.active & port.whole & sets):
            m.d.sync += Cat(self.reset, self.flush).eq(port.data)
        return m

    def _counters(self, m: Module) -> tuple[Signal, Signal]:
        """Cycles of the last batch, frames so far."""
        cycle = Signal(32)
        cycles = Signal(32)
        frames = Signal(FRAME_BITS)
        m.d.sync += [cycle.eq(cycle + ~self.waiting), frames.eq(frames + self.frame)]
        with m.If(self.batch):
            m.d.sync += cycles.eq(cycle)
        with m.If(self.batch | ~self.running):
            m.d.sync += cycle.eq(1)
        with m.If(self.reset):
            m.d.sync += [cycles.eq(0), frames.eq(0)]
        return cycles, frames

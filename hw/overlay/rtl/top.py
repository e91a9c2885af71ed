"""An overlay as a peripheral: programs, images, logits by AXI4-Stream, registers by AXI4-Lite."""

# By the stubs of amaranth a Component has no `elaborate`, a flipped interface is none.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw import axi_lite
from hw.overlay import isa
from hw.overlay.hardware import Overlay
from hw.overlay.registers import ADDRESS_BITS
from hw.overlay.rtl.core import Core
from hw.overlay.rtl.registers import Registers


class Top(wiring.Component):
    """An overlay.

    Members
    -------
    s_axis_program: a program, 16 bits a beat, as `hw.overlay.header` has it; `tlast` with its last
    s_axis: images, one byte a beat, raster order, channels innermost; `tlast` is not needed and
        not looked at
    m_axis: logits, one a beat, sign-extended to whole bytes; `tlast` on a frame's last
    s_axil: registers, see `hw.overlay.registers`

    While a program waits no new image begins, and none does before there is one. Reset is
    synchronous; after it there is no program.
    """

    def __init__(self, overlay: Overlay):
        self.overlay = overlay
        super().__init__(
            {
                "s_axis_program_tdata": In(isa.WORD_BITS),
                "s_axis_program_tvalid": In(1),
                "s_axis_program_tready": Out(1),
                "s_axis_program_tlast": In(1),
                "s_axis_tdata": In(8),
                "s_axis_tvalid": In(1),
                "s_axis_tready": Out(1),
                "s_axis_tlast": In(1),
                "m_axis_tdata": Out(-(-overlay.logit_bits // 8) * 8),
                "m_axis_tvalid": Out(1),
                "m_axis_tready": In(1),
                "m_axis_tlast": Out(1),
                **axi_lite.signature(ADDRESS_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        core = Core(self.overlay)
        m.submodules.registers = registers = Registers(self.overlay)
        axi_lite.join(m, self, registers, ADDRESS_BITS)
        reset = registers.reset
        m.submodules.core = ResetInserter(reset)(core)
        left = Signal()
        m.d.comb += [
            # In reset nothing is taken, and what may show is lost.
            core.program.payload.word.eq(self.s_axis_program_tdata),
            core.program.payload.last.eq(self.s_axis_program_tlast),
            core.program.valid.eq(self.s_axis_program_tvalid),
            self.s_axis_program_tready.eq(core.program.ready & ~reset),
            core.image.payload.eq(self.s_axis_tdata),
            core.image.valid.eq(self.s_axis_tvalid),
            self.s_axis_tready.eq(core.image.ready & ~reset),
            self.m_axis_tdata.eq(core.logits.payload.value),
            self.m_axis_tlast.eq(core.logits.payload.last),
            self.m_axis_tvalid.eq(core.logits.valid & ~reset),
            core.logits.ready.eq(self.m_axis_tready),
            core.flush.eq(registers.flush),
            left.eq(self.m_axis_tvalid & self.m_axis_tready & self.m_axis_tlast),
            registers.frame.eq(left),
        ]
        m.d.comb += [
            getattr(registers, name).eq(getattr(core, name))
            for name in ("status", "busy", "pending", "crc", "running", "waiting", "batch")
        ]
        return m

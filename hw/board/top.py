"""A core on a board: clock, reset, and a serial port behind its link to the host."""

from collections.abc import Callable
from typing import Any

from amaranth import *
from amaranth.build import Subsignal
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer

from hw.board import uart
from hw.board.pll import pll

BAUD = 1_000_000
BITS_A_BYTE = 10
"""On the line: a start bit, eight data bits, a stop bit."""

CORE = "core"
"""Instance name of the core within the board's top."""

_PLL_UNUSED = (
    "RST STDBY PHASESEL0 PHASESEL1 PHASEDIR PHASESTEP PHASELOADREG PLLWAKESYNC ENCLKOP".split()
)


class BoardTop(Elaboratable):
    """Everything on the chip. Elaborates for a platform of `amaranth_boards` only.

    Parameters
    ----------
    core: name of the core's Verilog module
    link: makes the core's link to the host for so many clock cycles a serial bit: a component with
        `rx` and `tx`, the serial line, `reset` for the core, and `core_ports`, what the core's
        instance is connected to
    clock_mhz: the core's clock; `pll` says what it gets
    """

    def __init__(self, core: str, link: Callable[[int], Any], *, clock_mhz: float):
        self.core, self.link, self.clock_mhz = core, link, clock_mhz

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

        m.submodules.link = link = self.link(uart.divisor(dividers.mhz * 1e6, BAUD))
        resource = platform.lookup("uart", 0)
        lines = [line for line in resource.ios if isinstance(line, Subsignal)]
        port = platform.request("uart", 0, dir={line.name: "-" for line in lines})
        m.submodules.rx_buffer = rx = io.Buffer(io.Direction.Input, port.rx)
        m.submodules.tx_buffer = tx = io.Buffer(io.Direction.Output, port.tx)
        m.d.comb += [link.rx.eq(rx.i), tx.o.eq(link.tx)]

        reset = Signal()
        m.d.comb += reset.eq(ResetSignal("sync") | link.reset)
        m.submodules[CORE] = Instance(
            self.core,
            i_clk=ClockSignal("sync"),
            i_rst=reset,
            **link.core_ports(),
        )
        return m

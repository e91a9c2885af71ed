"""What an overlay takes of an ECP5, before anything is synthesised.

Prices are LUT sites and flip-flops as `shiftnas synth` counts them, fitted to measured overlays by
`benchmarks/overlay_prices.py`; block RAMs are counted, not fitted.
"""

from dataclasses import dataclass

from hw.overlay.banks import blocks, depths, program_blocks
from hw.overlay.hardware import Overlay

RAM_BLOCK_BITS = 18 * 1024
"""Bits of one block RAM."""


@dataclass(frozen=True)
class Cost:
    """Of a whole overlay.

    Parameters
    ----------
    lut: LUT sites
    ff: flip-flops
    ram_blocks: block RAMs
    """

    lut: int
    ff: int
    ram_blocks: int

    @property
    def ram_bits(self) -> int:
        """Bits of the block RAMs, used or not."""
        return self.ram_blocks * RAM_BLOCK_BITS


@dataclass(frozen=True)
class Price:
    """Of one kind of thing that an overlay has many of, or is made for.

    Parameters
    ----------
    lane: a lane with a pixel of 9 bits and an accumulator of none
    acc_bit: a bit of a lane's accumulator
    bank: a bank of the memory more, for a lane
    whole: sequencer, loader, buses, output
    """

    lane: float
    acc_bit: float
    bank: float
    whole: float


LUT = Price(lane=40.0, acc_bit=1.8, bank=2.9, whole=1636.8)
FF = Price(lane=45.2, acc_bit=0.7, bank=5.2, whole=2027.1)


def cost(hardware: Overlay) -> Cost:
    """What an overlay is expected to take."""
    return Cost(
        lut=_sum(LUT, hardware),
        ff=_sum(FF, hardware),
        ram_blocks=blocks(hardware.rows, hardware.columns, hardware.words)
        + program_blocks(hardware.program_words),
    )


def _sum(price: Price, hardware: Overlay) -> int:
    banks = len(depths(hardware.words)) - 1
    lane = price.lane + price.acc_bit * hardware.acc_bits + price.bank * banks
    return round(price.whole + lane * hardware.lanes)

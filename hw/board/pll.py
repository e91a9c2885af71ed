"""The PLL of an ECP5: the clock that a board gives a network."""

from collections.abc import Iterator
from dataclasses import dataclass

from hw.errors import InputError

# ECP5 PLL (Lattice FPGA-TN-02200): limits of the phase detector's and the oscillator's frequency.
_PHASE_MHZ = (3.125, 400.0)
_VCO_MHZ = (400.0, 800.0)
_DIVIDERS = range(1, 129)

SLACK = 0.05
"""Share by which a clock may be slower than what is asked for."""


@dataclass(frozen=True)
class Pll:
    """Dividers of an EHXPLLL with its feedback from CLKOP: out = in · feedback / reference."""

    reference: int
    feedback: int
    output: int
    mhz: float


def pll(in_mhz: float, out_mhz: float) -> Pll:
    """The dividers for `out_mhz` or the nearest frequency below it.

    Raises
    ------
    InputError: nothing within 5 % below is in reach.
    """
    best: Pll | None = None
    for found in _reached(in_mhz):
        if found.mhz <= out_mhz + 1e-9 * out_mhz and (best is None or found.mhz > best.mhz):
            best = found
    if best is None or best.mhz < (1 - SLACK) * out_mhz:
        above = min((p.mhz for p in _reached(in_mhz) if p.mhz > out_mhz), default=None)
        nearest = [f"{mhz:g}" for mhz in (best and best.mhz, above) if mhz]
        raise InputError(
            f"clock: {out_mhz:g} MHz is not what the PLL makes of the board's {in_mhz:g} MHz; "
            f"choose {' or '.join(nearest)} (plan --clock, clock_mhz in a plan)"
        )
    return best


def _reached(in_mhz: float) -> Iterator[Pll]:
    """Every setting, of equal frequencies the one that divides least first."""
    for reference in _DIVIDERS:
        phase = in_mhz / reference
        if not _PHASE_MHZ[0] <= phase <= _PHASE_MHZ[1]:
            continue
        for feedback in _DIVIDERS:
            mhz = phase * feedback
            # The middle of the oscillator's range leaves it most room.
            output = round(sum(_VCO_MHZ) / 2 / mhz)
            if output in _DIVIDERS and _VCO_MHZ[0] <= mhz * output <= _VCO_MHZ[1]:
                yield Pll(reference, feedback, output, mhz)

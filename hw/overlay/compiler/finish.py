"""How an exact sum becomes a format: which saturation, and a second pass where one is not enough.

A capture saturates to D − 1 bits, signed or not, or to D bits. Any other range is met in two
passes: the first one cuts off below and adds an offset so that the upper bound saturates;
the second one takes the offset back.
"""

from dataclasses import dataclass

from hw.errors import InputError
from hw.ir.format import Format
from hw.overlay.compiler.levels import immediate
from hw.overlay.isa import IMMEDIATE_BITS, Mode

_MOST = 1 << (IMMEDIATE_BITS - 1)


@dataclass(frozen=True)
class Finish:
    """From a sum to the codes of a format.

    Parameters
    ----------
    offset: added to the sum
    floor: then what is below zero becomes zero, and this is added; None: neither
    mode: of the capture
    second: offset and mode of a second pass over the pixels; None: none is needed
    """

    offset: int
    mode: Mode
    floor: int | None = None
    second: tuple[int, Mode] | None = None

    def saturation(self, bits: int) -> tuple[int, int]:
        """A sum (offset not yet added) of the first number or less ends as the format's least code,
        one of the second or more as its largest.
        """
        half, quarter = 1 << (bits - 1), 1 << (bits - 2)
        bottom, top = {
            Mode.SIGNED: (-quarter, quarter - 1),
            Mode.UNSIGNED: (0, half - 1),
            Mode.WIDE: (-half, half - 1),
        }[self.mode]
        if self.floor is not None:
            return -self.offset, top - self.floor - self.offset
        return bottom - self.offset, top - self.offset


def exact_mode(code: Format, bits: int) -> Mode | None:
    """The capture that saturates just where a format does, of pixels of `bits` bits."""
    for mode, low, high in (
        (Mode.SIGNED, -1 << (bits - 2), (1 << (bits - 2)) - 1),
        (Mode.UNSIGNED, 0, (1 << (bits - 1)) - 1),
        (Mode.WIDE, -1 << (bits - 1), (1 << (bits - 1)) - 1),
    ):
        if (code.qmin, code.qmax) == (low, high):
            return mode
    return None


def finish(name: str, code: Format, bits: int) -> Finish:
    """How the sums of node `name` become the format `code` in pixels of `bits` bits.

    Raises
    ------
    InputError: the format does not fit the pixels
    """
    top = (1 << (bits - 1)) - 1
    if code.qmin < -top - 1 or code.qmax > top:
        raise InputError(
            f"{name}: its format is {code}; the overlay's pixels have {bits} bits, which hold"
            f" {-top - 1} to {top}: use narrower activations, or a wider data_bits"
        )
    mode = exact_mode(code, bits)
    if mode is not None:
        return Finish(0, mode)
    lift = top - code.qmax
    if code.qmin == 0:
        return Finish(lift, Mode.WIDE, None, (-lift, Mode.UNSIGNED))
    return Finish(-code.qmin, Mode.WIDE, code.qmin + lift, (-lift, Mode.WIDE))


def immediates(value: int) -> list[int]:
    """Packed words that add a number, whatever its size."""
    if value == 0:
        return []
    many = -(-abs(value) // _MOST)
    return [immediate(value // many + (n < value % many)) for n in range(many)]

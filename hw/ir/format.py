"""Fixed-point format of a tensor."""

from dataclasses import dataclass, field

from hw.ir.schema import since


@dataclass(frozen=True, order=True)
class Format:
    """An integer q in [qmin, qmax] stands for the value q * 2**-frac.

    Parameters
    ----------
    signed: two's complement if true, else unsigned
    width: bits, 1 or more (activations: 2 to 32)
    frac: fractional bits, may be negative or exceed `width`
    limit: the largest code, where it is less than the width's (see `hw.ir.clip`)
    """

    signed: bool
    width: int
    frac: int
    limit: int | None = field(default=None, metadata=since(2))

    @property
    def qmin(self) -> int:
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def qmax(self) -> int:
        return self.widest if self.limit is None else self.limit

    @property
    def widest(self) -> int:
        """The largest code of the width."""
        return (1 << (self.width - 1 if self.signed else self.width)) - 1

    def __str__(self) -> str:
        limit = "" if self.limit is None else f"<={self.limit}"
        return f"{'s' if self.signed else 'u'}{self.width}.{self.frac}{limit}"


IMAGE_FORMAT = Format(signed=False, width=8, frac=8)
"""Format of every network's input: the image's own bytes."""


def width_of(low: int, high: int) -> int:
    """Bits of the smallest two's complement type that holds [low, high]."""
    return 1 + max((end if end >= 0 else ~end).bit_length() for end in (low, high))

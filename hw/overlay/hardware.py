"""One overlay: the sizes that its hardware is made for. No network is needed to know them."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self, get_args

from hw.errors import InputError
from hw.ir import canonical
from hw.overlay import isa
from hw.overlay.banks import MOST_WORDS

Fabric = Literal["ecp5", "generic"]

MOST_PROGRAM = 1 << 20
"""Words of the largest program memory."""

RANGES = {
    "rows": (1, 64),
    "columns": (1, 64),
    "data_bits": (4, 18),
    "acc_bits": (8, 48),
    "words": (16, MOST_WORDS),
    "program_words": (64, MOST_PROGRAM),
    "logit_bits": (8, 64),
}
"""The least and the most of each size."""

AHEAD = 4
"""Words behind a body of a program that is streamed which have room beside it: what comes next is
there when the body is done."""


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """Sizes of an overlay.

    Parameters
    ----------
    rows, columns: lanes
    data_bits: D, of a pixel: formats of up to D − 1 bits fit, signed or not
    acc_bits: of a lane's accumulator
    words: of the data memory; word 0 is always zero
    program_words: of the longest program that is stored; of one that is streamed as many, or the
        next power of two, are there at a time
    corner: images of a batch along each side, at most: 1, 2 or 4
    logit_bits: of a logit
    fabric: "ecp5" (carry chains and block RAMs are instantiated) or "generic"

    Raises
    ------
    InputError: a size out of its range
    """

    rows: int = 8
    columns: int = 8
    data_bits: int = 9
    acc_bits: int = 19
    words: int = 1024
    program_words: int = 16384
    corner: int = 2
    logit_bits: int = 32
    fabric: Fabric = "ecp5"

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise InputError(f"overlay: {name}: {value}; expected an integer {low} to {high}")
        if self.corner not in (1, 2, 4):
            raise InputError(f"overlay: corner: {self.corner}; expected 1, 2 or 4")
        if self.acc_bits <= self.data_bits:
            raise InputError(
                f"overlay: acc_bits: {self.acc_bits}; expected more than data_bits,"
                f" {self.data_bits}"
            )
        if self.fabric not in get_args(Fabric):
            raise InputError(
                f"overlay: fabric: {self.fabric!r}; expected {' or '.join(get_args(Fabric))}"
            )
        if self.fabric == "ecp5" and self.data_bits != 9:
            raise InputError(
                f"overlay: data_bits: {self.data_bits}; the block RAMs of an ecp5 have bytes of 9"
            )

    @property
    def lanes(self) -> int:
        return self.rows * self.columns

    @property
    def program_depth(self) -> int:
        """Words of the memory that programs lie in: of one that is streamed, word k is at k modulo
        this."""
        return 1 << (self.program_words - 1).bit_length()

    @property
    def streamed_body(self) -> int:
        """Words of the longest body of a program that is streamed."""
        return self.program_depth - AHEAD

    @property
    def content(self) -> dict[str, Any]:
        """What a program must agree with: all but the fabric."""
        sizes = asdict(self)
        del sizes["fabric"]
        return {"overlay": sizes, "isa": isa.VERSION}

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical form of `content`."""
        return canonical.digest(self.content)

    @property
    def fingerprint(self) -> int:
        """The digest's first 32 bits: what the hardware compares a program's header with."""
        return int(self.digest[:8], 16)

    def resized(self, **sizes: Any) -> Self:
        """The same with other sizes."""
        return replace(self, **sizes)

"""The arithmetic of the ShiftNAS paper, its equations 1 and 2 taken literally (`--paper`).

32-bit tensors of 16 fractional bits, 6-bit weights, products x >> -p without guard bits, rounding
down.
"""

from hw.errors import InputError
from hw.ir.format import Format
from hw.ir.parameters import Arithmetic, Rounding

PAPER = Arithmetic(weight_bits=6, guard=0, rounding=Rounding.FLOOR, scale_terms=3)
PAPER_FORMAT = Format(signed=True, width=32, frac=16)
"""Of every tensor but the image and the logits."""

_OPTIONS = {
    "act_bits": str(PAPER_FORMAT.width),
    "guard": str(PAPER.guard),
    "weight_bits": str(PAPER.weight_bits),
    "rounding": PAPER.rounding.value,
}


def refuse_beside_paper(**given: int | str | None) -> None:
    """InputError where an option, named as in Python, asks for something else than `--paper`."""
    for name, value in given.items():
        paper = _OPTIONS[name]
        if value is not None and str(value) != paper:
            raise InputError(
                f"--{name.replace('_', '-')}: {value} contradicts --paper, which means {paper}; "
                "leave one of the two out"
            )

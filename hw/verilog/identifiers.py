"""Names that Verilog takes for a module."""

import re

from hw.errors import InputError
from hw.ir.hardware_names import KEYWORDS

TOP = "shiftnas_top"
"""The top module's name, unless another one is wanted."""

LONGEST = 64
"""Characters of a name: files are called after modules, and paths below the top come behind it."""


def check(name: str, field: str) -> None:
    """Raises InputError, the field first, for what cannot be a module's name everywhere."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise InputError(
            f"{field}: {name!r} is no name of a module: letters, digits and _, no digit first"
        )
    if name in KEYWORDS:
        raise InputError(f"{field}: {name!r} is a reserved word of SystemVerilog; choose another")
    if len(name) > LONGEST:
        raise InputError(f"{field}: {len(name)} characters; at most {LONGEST}")

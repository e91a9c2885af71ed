"""The modules of a Verilog text as Yosys and `hw.verilog` write it, and the names in it."""

import re
from collections.abc import Iterator
from typing import NamedTuple

NAME = r"(?:\\\S+ |(?<!['\w$])[A-Za-z_][\w$]*)"
"""Regular expression of a name; an escaped one ends with its blank."""

_MODULE = re.compile(rf"^module (?P<name>{NAME})\s*[(;#].*?^endmodule\n?", re.M | re.S)


class ModuleText(NamedTuple):
    """A module's name, without Verilog's escape, and its text, `endmodule` and all."""

    name: str
    text: str


def plain(name: str) -> str:
    """A name without Verilog's escape."""
    return name.strip().removeprefix("\\")


def escaped(name: str) -> str:
    """A name as Verilog takes it: with an escape where it has a dot."""
    return f"\\{name} " if "." in name else name


def modules(verilog: str) -> Iterator[ModuleText]:
    """The modules of a text, in its order."""
    for match in _MODULE.finditer(verilog):
        yield ModuleText(plain(match["name"]), match[0])

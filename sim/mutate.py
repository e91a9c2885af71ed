"""Mutants of emitted Verilog: one operator flipped in one layer. They show that a check can
fail.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from hw import emit
from hw.errors import InputError

FLIPS = {"+": "-", "-": "+", "&": "|", "|": "&", "^": "&", "<": ">=", ">": "<=", "==": "!="}
"""Binary operators, and what each is replaced by."""

_ASSIGN = re.compile(r"  assign \S+ += (?P<left>.+) (?P<operator>[-+&|^<>]|==) (?P<right>.+);")
_MODULE = re.compile(r"module (?P<name>\S+)")


@dataclass(frozen=True)
class Mutation:
    """One operator to flip.

    Parameters
    ----------
    layer: name of the node whose hardware it is in
    module: the Verilog module
    line: number in the Verilog file, from 0
    column: of the operator in its line
    operator: what stands there
    """

    layer: str
    module: str
    line: int
    column: int
    operator: str


def mutations(emission: emit.Emission, layer: str, part: str = "") -> Iterator[Mutation]:
    """All operators of a layer that can be flipped, in the order of the file.

    `part` narrows them to one submodule of the layer (`window`, `elements`, `requantise`).
    """
    paths = {entry["name"]: entry["path"] for entry in emission.manifest["layers"]}
    if layer not in paths:
        raise InputError(f"layer: {layer!r}; expected a name among manifest.json's layers")
    path = ".".join(filter(None, [emission.manifest["top"], paths[layer], part]))
    module = ""
    for number, line in enumerate(emission.verilog.split("\n")):
        if match := _MODULE.match(line):
            module = match["name"].removeprefix("\\")
        elif module == path or module.startswith(f"{path}."):
            if match := _ASSIGN.fullmatch(line):
                yield Mutation(layer, module, number, match.start("operator"), match["operator"])


def apply(emission: emit.Emission, mutation: Mutation) -> emit.Emission:
    """The emission with one operator flipped, its digests made right again."""
    lines = emission.verilog.split("\n")
    line, column = lines[mutation.line], mutation.column
    rest = line[column + len(mutation.operator) :]
    lines[mutation.line] = line[:column] + FLIPS[mutation.operator] + rest
    text = "\n".join(lines)
    facts = {"sha256": hashlib.sha256(text.encode()).hexdigest(), "bytes": len(text.encode())}
    manifest = emission.manifest | {"files": emission.manifest["files"] | {emit.VERILOG: facts}}
    manifest["digest"] = emit.manifest_digest(manifest)
    return replace(emission, files=emission.files | {emit.VERILOG: text}, manifest=manifest)

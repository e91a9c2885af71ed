"""A synthesised netlist: what it is made of, and which layer each cell belongs to."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hw.boards import RAM_BLOCK_BITS

_NEEDLESS = ("src", "module_not_derived")
"""Attributes that name source files and lines: they would carry paths of this machine."""

_COSTS = {
    # cell: (LUT sites, flip-flops, block RAMs, DSP blocks, carry cells)
    "LUT4": (1, 0, 0, 0, 0),
    "CCU2C": (2, 0, 0, 0, 1),
    "TRELLIS_DPR16X4": (6, 0, 0, 0, 0),
    "TRELLIS_FF": (0, 1, 0, 0, 0),
    "DP16KD": (0, 0, 1, 0, 0),
    "PDPW16KD": (0, 0, 1, 0, 0),
    "MULT18X18D": (0, 0, 0, 1, 0),
    "ALU54B": (0, 0, 0, 1, 0),
}

_FREE = {"PFUMX", "L6MUX21", "$scopeinfo", "TRELLIS_IO", "EHXPLLL", "GSR", "SGSR", "DCCA"}
"""Cells with sites of their own, or none."""


@dataclass(frozen=True)
class Resources:
    """What logic takes on an ECP5.

    `lut` counts LUT sites: LUT4 + 2·CCU2C + 6·TRELLIS_DPR16X4, which is nextpnr's "Total LUT4s".
    Packing adds some for the ends of carry chains.
    """

    lut: int = 0
    ff: int = 0
    ram_blocks: int = 0
    dsp: int = 0
    carry: int = 0

    @property
    def ram_bits(self) -> int:
        """Bits of the block RAMs taken, used or not."""
        return self.ram_blocks * RAM_BLOCK_BITS

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(
            self.lut + other.lut, self.ff + other.ff, self.ram_blocks + other.ram_blocks,
            self.dsp + other.dsp, self.carry + other.carry,
        )  # fmt: skip

    def as_dict(self) -> dict[str, int]:
        return {
            "lut": self.lut, "ff": self.ff, "ram_bits": self.ram_bits,
            "ram_blocks": self.ram_blocks, "dsp": self.dsp, "carry": self.carry,
        }  # fmt: skip


@dataclass(frozen=True)
class Netlist:
    """One flat module of ECP5 cells. `module` is its entry in Yosys' JSON."""

    top: str
    module: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str, top: str) -> "Netlist":
        """From Yosys' JSON, without libraries and source positions."""
        module = json.loads(text)["modules"][top]
        for item in (*module["cells"].values(), *module["netnames"].values()):
            item["attributes"] = {
                name: value for name, value in item["attributes"].items() if name not in _NEEDLESS
            }
        module["attributes"] = {"top": "1"}
        return cls(top, module)

    def dump(self) -> str:
        """The JSON that nextpnr reads."""
        return json.dumps({"creator": "shiftnas", "modules": {self.top: self.module}})

    @cached_property
    def resources(self) -> Resources:
        return sum(map(_cost, self.module["cells"].values()), Resources())

    def by_layer(self, paths: Iterable[str], prefix: str = "") -> dict[str, Resources]:
        """Resources of the layers at the instance `paths` below `prefix`; of the rest under "".

        After flattening, names are all that remains of the hierarchy. A cell belongs to the layer
        its name starts with; a cell whose output is some layer's stream `o` belongs to that layer,
        whatever its name (a register between two layers may be called after either). The sum over
        all keys is `resources`.
        """
        places = {prefix + path for path in paths}
        result = {place: Resources() for place in places} | {"": Resources()}
        makers = self._stream_makers(places)
        for name, cell in self.module["cells"].items():
            place = next((makers[bit] for bit in _outputs(cell) if bit in makers), None)
            place = place or _place(name, places) or ""
            result[place] += _cost(cell)
        return {place[len(prefix) :]: resources for place, resources in result.items()}

    def _stream_makers(self, places: set[str]) -> dict[int, str]:
        """Net bits that a layer puts on its output stream, and the layer."""
        makers = {}
        for name, net in self.module["netnames"].items():
            parent, _, signal = name.rpartition(".")
            if signal in ("o__payload", "o__valid") and parent in places:
                makers |= {bit: parent for bit in net["bits"] if isinstance(bit, int)}
        return makers


def _cost(cell: Mapping[str, Any]) -> Resources:
    kind = cell["type"]
    if kind in _FREE:
        return Resources()
    if kind not in _COSTS:
        raise ValueError(f"cell type {kind}: cost unknown")
    return Resources(*_COSTS[kind])


def _outputs(cell: Mapping[str, Any]) -> Iterator[int]:
    for port, direction in cell.get("port_directions", {}).items():
        if direction == "output":
            yield from cell["connections"][port]


def _place(name: str, places: set[str]) -> str | None:
    """The layer in whose hierarchy `name` lies."""
    while name:
        name, _, _ = name.rpartition(".")
        if name in places:
            return name
    return None

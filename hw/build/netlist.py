"""A synthesised netlist: what it is made of, and which layer each cell belongs to."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hw.build.families import Family, Resources
from hw.errors import CheckFailed

_NEEDLESS = ("src", "module_not_derived")
"""Attributes that name source files and lines: they would carry paths of this machine."""

_LATCHES = ("$_DLATCH_N_", "$_DLATCH_P_", "$_SR_NN_", "$_SR_PP_")
"""Yosys' own latches, should a family's library have none to map them to."""


@dataclass(frozen=True)
class Netlist:
    """One flat module of a family's cells. `module` is its entry in Yosys' JSON."""

    top: str
    module: Mapping[str, Any]
    family: Family

    @classmethod
    def parse(cls, text: str, top: str, family: Family) -> "Netlist":
        """From Yosys' JSON, without libraries and source positions."""
        module = json.loads(text)["modules"][top]
        for item in (*module["cells"].values(), *module["netnames"].values()):
            item["attributes"] = {
                name: value for name, value in item["attributes"].items() if name not in _NEEDLESS
            }
        module["attributes"] = {"top": "1"}
        _end_carries(module)
        return cls(top, module, family)

    def dump(self) -> str:
        """The JSON that nextpnr reads."""
        return json.dumps({"creator": "shiftnas", "modules": {self.top: self.module}})

    @cached_property
    def resources(self) -> Resources:
        return sum(map(self._cost, self.module["cells"].values()), Resources())

    def check(self) -> None:
        """Raises CheckFailed where there is a DSP block or a latch, with its name."""
        for name, cell in self.module["cells"].items():
            kind = cell["type"]
            if kind in self.family.latches or kind in _LATCHES:
                raise CheckFailed(f"synthesis: {name}: a latch ({kind})")
            if self._cost(cell).dsp:
                raise CheckFailed(f"synthesis: {name}: a DSP block ({kind})")

    def _cost(self, cell: Mapping[str, Any]) -> Resources:
        kind = cell["type"]
        if kind in self.family.free:
            return Resources()
        if kind not in self.family.costs:
            raise ValueError(f"cell type {kind}: cost unknown for {self.family.name}")
        return self.family.costs[kind]

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
            result[place] += self._cost(cell)
        return {place[len(prefix) :]: resources for place, resources in result.items()}

    def _stream_makers(self, places: set[str]) -> dict[int, str]:
        """Net bits that a layer puts on its output stream, and the layer."""
        makers = {}
        for name, net in self.module["netnames"].items():
            parent, _, signal = name.rpartition(".")
            if signal in ("o__payload", "o__valid") and parent in places:
                makers |= {bit: parent for bit in net["bits"] if isinstance(bit, int)}
        return makers


def _end_carries(module: Mapping[str, Any]) -> None:
    """Leave out what an ECP5's carry chains have no use for: carries that nobody reads, and those
    into chains whose first half cell makes its own. For each, nextpnr would have a cell more."""
    cells = module["cells"].values()
    read = {bit for port in module.get("ports", {}).values() for bit in port["bits"]}
    read |= {
        bit
        for cell in cells
        for port, bits in cell["connections"].items()
        if cell.get("port_directions", {}).get(port) == "input"
        for bit in bits
    }
    for cell in cells:
        if cell["type"] != "CCU2C":
            continue
        unread = {port for port in ("COUT", "S0") if read.isdisjoint(_bits(cell, port))}
        needless = unread & {"COUT"}
        if "S0" in unread and not _hands_on(cell):
            needless.add("CIN")
        for port in needless & cell["connections"].keys():
            # Without a net; nextpnr wants the port.
            cell["connections"][port] = ["x"]


def _bits(cell: Mapping[str, Any], port: str) -> Iterable[Any]:
    return cell["connections"].get(port, ())


def _hands_on(cell: Mapping[str, Any]) -> bool:
    """Whether the first half of a carry cell may hand its carry on: its table is one somewhere."""
    choices = [(bit,) if bit in "01" else "01" for bit in _constants(cell)]
    table = cell.get("parameters", {}).get("INIT0", "1" * 16)[::-1]
    return any(table[int("".join(inputs), 2)] == "1" for inputs in itertools.product(*choices))


def _constants(cell: Mapping[str, Any]) -> list[str]:
    """Inputs of a carry cell's first half, highest first: "0" or "1" for constants, else "?"."""
    inputs = [next(iter(_bits(cell, f"{pin}0")), "x") for pin in "DCBA"]
    return [bit if bit in ("0", "1") else "?" for bit in inputs]


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

"""What a design is made of as Yosys reads it, before anything is mapped: clocks, resets, latches,
loops, drivers, and which outputs follow an input within the cycle.

Yosys reads, flattens and checks (`check`: wires with two drivers or none, loops). What follows from
the flat netlist is found here. Paths are followed bit by bit through bitwise cells and from every
input to every output of the others: none is missed, and one may be named that no value takes.
"""

import json
import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from textwrap import wrap
from typing import Any

from hw import outputs
from hw.errors import CheckFailed
from hw.verilog import yosys
from hw.verilog.rtl_folder import VERILOG_SUFFIX

_SCRIPT = """
read_verilog {files}
hierarchy -check -top {top}
tee -q -o check.txt check
proc
flatten
tee -q -a check.txt check
memory_collect
opt_clean
write_json flat.json
"""

_CLOCKED = ("$dff", "$dffe", "$sdff", "$sdffe", "$sdffce")
_ASYNCHRONOUS = ("$adff", "$adffe", "$aldff", "$aldffe", "$dffsr", "$dffsre", "$ff")
_LATCHES = ("$dlatch", "$adlatch", "$dlatchsr", "$sr")
_STORAGE = (*_CLOCKED, *_ASYNCHRONOUS, *_LATCHES)
_BITWISE = ("$not", "$and", "$or", "$xor", "$xnor", "$mux", "$pos")

_WARNING = re.compile(r"^Warning: (.*(?:\n    .*)*)", re.M)

MARKS = (b"Structure of ", b"by Yosys")
"""Of a report, by which it is known."""


@dataclass(frozen=True)
class Passage:
    """A way from an input to an output within the cycle, by the names of the nets on it."""

    nets: Sequence[str]

    @property
    def stops_stream(self) -> bool:
        """A stream is stopped from its end: a ready may follow the ready behind it."""
        return self.nets[0].endswith("_tready") and self.nets[-1].endswith("_tready")

    @property
    def answers_loader(self) -> bool:
        """A ready of the AXI4-Lite port follows its valids: the loader takes what it has seen."""
        first, last = self.nets[0], self.nets[-1]
        port = first.startswith("s_axil_") and last.startswith("s_axil_")
        return port and first.endswith("valid") and last.endswith("ready")

    @property
    def intended(self) -> bool:
        return self.stops_stream or self.answers_loader

    def __str__(self) -> str:
        return " -> ".join(self.nets)


@dataclass(frozen=True)
class Structure:
    """What was found.

    Parameters
    ----------
    top, clock, reset: the module, and its ports that ought to be the only ones of their kind
    clocks: registers and ports of memories by clock and edge, as `clk, rising edge`
    reset_registers: registers that are set by `reset`; free_registers: names of the others
    asynchronous, latches: registers with an asynchronous reset or set, and latches, by name
    passages: from inputs to outputs
    warnings: of Yosys' `check`: loops, wires with two drivers or none
    """

    top: str
    clock: str
    reset: str
    clocks: Mapping[str, int]
    reset_registers: int
    free_registers: Sequence[str]
    asynchronous: Sequence[str]
    latches: Sequence[str]
    passages: Sequence[Passage]
    warnings: Sequence[str]

    @property
    def findings(self) -> list[str]:
        """What ought not to be, a line each."""
        wanted = f"{self.clock}, rising edge"
        found = [f"clock: {name}, not {wanted}" for name in self.clocks if name != wanted]
        found += [f"latch: {name}" for name in self.latches]
        found += [f"asynchronous: {name}" for name in self.asynchronous]
        found += [f"check: {warning}" for warning in self.warnings]
        found += [f"path: {passage}" for passage in self.passages if not passage.intended]
        return found

    def require_sound(self) -> None:
        """Raises CheckFailed with the first of the findings, if there are any."""
        found = self.findings
        if found:
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            raise CheckFailed(f"structure: {self.top}: {found[0]}{more}")


def examine(
    sources: Mapping[str, str], top: str, clock: str = "clk", reset: str = "rst"
) -> Structure:
    """What the module `top` is made of.

    Parameters
    ----------
    sources: texts by file name; Verilog (.v) is read, other files lie beside it
    clock, reset: the ports that ought to be the only ones of their kind

    Raises
    ------
    InputError: `pyosys` is not installed
    """
    files = [name for name in sources if PurePath(name).suffix == VERILOG_SUFFIX]
    with outputs.temporary_folder() as folder:
        for name, text in sources.items():
            (folder / name).write_text(text, encoding="utf-8")
        yosys.run(_SCRIPT.format(files=" ".join(files), top=top), folder)
        netlist = json.loads((folder / "flat.json").read_text(encoding="utf-8"))
        said = (folder / "check.txt").read_text(encoding="utf-8")
    design = _Flat(netlist["modules"][top])
    resets = design.ports.get(reset, [])
    follows = design.followers(resets)
    registers = [name for name, cell in design.cells.items() if cell["type"] in _CLOCKED]
    free = [name for name in registers if not any(b in follows for b in design.reads(name))]
    return Structure(
        top,
        clock,
        reset,
        design.clocks(),
        len(registers) - len(free),
        sorted(design.output_name(name) for name in free),
        sorted(
            design.output_name(n) for n, c in design.cells.items() if c["type"] in _ASYNCHRONOUS
        ),
        sorted(design.output_name(n) for n, c in design.cells.items() if c["type"] in _LATCHES),
        list(design.passages()),
        list(dict.fromkeys(" ".join(warning.split()) for warning in _WARNING.findall(said))),
    )


class _Flat:
    """A flat module of Yosys' JSON as a graph of bits."""

    def __init__(self, module: Mapping[str, Any]):
        self.cells: Mapping[str, Any] = module["cells"]
        self.ports = {name: port["bits"] for name, port in module["ports"].items()}
        self.inputs = [n for n, port in module["ports"].items() if port["direction"] == "input"]
        self.outputs = [n for n, port in module["ports"].items() if port["direction"] == "output"]
        self.names: dict[Any, str] = {}
        # The shortest name of a net is the one nearest to the top.
        for name in sorted(module["netnames"], key=lambda name: (name.count("."), len(name), name)):
            net = module["netnames"][name]
            if not net["hide_name"]:
                for position, bit in enumerate(net["bits"]):
                    label = name if len(net["bits"]) == 1 else f"{name}[{position}]"
                    self.names.setdefault(bit, label)
        self.after: dict[Any, list[Any]] = {}
        for cell in self.cells.values():
            for source, target in _edges(cell):
                self.after.setdefault(source, []).append(target)

    def reads(self, cell: str) -> Iterator[Any]:
        """Bits that a cell reads."""
        entry = self.cells[cell]
        for port, direction in entry["port_directions"].items():
            if direction == "input":
                yield from entry["connections"][port]

    def output_name(self, cell: str) -> str:
        """What a register's output is called."""
        bits = self.cells[cell]["connections"]["Q"]
        named = [self.names[bit] for bit in bits if bit in self.names]
        return re.sub(r"\[\d+\]$", "", named[0]) if named else cell

    def followers(self, bits: Sequence[Any]) -> dict[Any, Any]:
        """Bits that follow some bits within the cycle, each with the one before it."""
        before: dict[Any, Any] = dict.fromkeys(bits)
        waiting = deque(bits)
        while waiting:
            bit = waiting.popleft()
            for target in self.after.get(bit, ()):
                if target not in before:
                    before[target] = bit
                    waiting.append(target)
        return before

    def passages(self) -> Iterator[Passage]:
        """One from each input to each output that follows it."""
        for source in self.inputs:
            before = self.followers(self.ports[source])
            for target in self.outputs:
                ends = [bit for bit in self.ports[target] if bit in before]
                if ends:
                    yield Passage([source, *self._between(before, ends[0], source, target), target])

    def _between(self, before: Mapping[Any, Any], bit: Any, source: str, target: str) -> list[str]:
        """Names of the nets on the way to a bit, without those of the ports."""
        way = []
        while bit is not None:
            name = self.names.get(bit)
            if name is not None and bit not in self.ports[source] and bit not in self.ports[target]:
                way.append(name)
            bit = before[bit]
        return way[::-1]

    def clocks(self) -> dict[str, int]:
        """Registers and ports of memories by clock and edge."""
        found: Counter[str] = Counter()
        for cell in self.cells.values():
            for bit, rising in _clocks(cell):
                name = self.names.get(bit, f"net {bit}")
                found[f"{name}, {'rising' if rising else 'falling'} edge"] += 1
        return dict(sorted(found.items()))


def _number(text: str | int) -> int:
    return int(text, 2) if isinstance(text, str) else text


def _is_memory(cell: Mapping[str, Any]) -> bool:
    return cell["type"] in ("$mem", "$mem_v2")


def _clocks(cell: Mapping[str, Any]) -> Iterator[tuple[Any, bool]]:
    """Bit and edge (rising?) of each clock of a cell."""
    parameters, joined = cell["parameters"], cell["connections"]
    if cell["type"] in _STORAGE and "CLK" in joined:
        yield joined["CLK"][0], _number(parameters["CLK_POLARITY"]) == 1
    if _is_memory(cell):
        for side in ("RD", "WR"):
            enabled, rising = (
                _number(parameters[f"{side}_CLK_{what}"]) for what in ("ENABLE", "POLARITY")
            )
            for port, bit in enumerate(joined[f"{side}_CLK"]):
                if enabled >> port & 1:
                    yield bit, bool(rising >> port & 1)


def _edges(cell: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Pairs of bits (read, made) of which the second follows the first within the cycle."""
    joined, kind = cell["connections"], cell["type"]
    if kind in _CLOCKED:
        return
    if _is_memory(cell):
        yield from _memory_edges(cell)
        return
    reads = [port for port, direction in cell["port_directions"].items() if direction == "input"]
    made = [port for port, direction in cell["port_directions"].items() if direction == "output"]
    for port in made:
        for position, bit in enumerate(joined[port]):
            for source in reads:
                bits = joined[source]
                if kind in _BITWISE and source != "S":
                    # Operands that are shorter than the result are extended by their last bit.
                    bits = bits[min(position, len(bits) - 1) :][:1]
                yield from ((one, bit) for one in bits if isinstance(one, int))


def _memory_edges(cell: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """From the address of an asynchronous read port to its data."""
    parameters, joined = cell["parameters"], cell["connections"]
    address, width = (_number(parameters[name]) for name in ("ABITS", "WIDTH"))
    clocked = _number(parameters["RD_CLK_ENABLE"])
    for port in range(_number(parameters["RD_PORTS"])):
        if not clocked >> port & 1:
            for bit in joined["RD_DATA"][port * width : (port + 1) * width]:
                for source in joined["RD_ADDR"][port * address : (port + 1) * address]:
                    if isinstance(source, int):
                        yield source, bit


# --- The report

_WIDTH = 100

_NOTE = (
    "Registers without a reset are outputs of memories and the way to loaded weights. Two kinds of "
    "paths from input to output are intended and no findings: a ready that follows the ready "
    "behind it, and the readies of the AXI4-Lite port, which follow its valids (AXI's "
    "specification asks for none: a register slice before the port cuts them)."
)


def report(structure: Structure) -> str:
    """The report as text."""
    wanted = f"{structure.clock}, rising edge"
    others = [f"{name} ({count})" for name, count in structure.clocks.items() if name != wanted]
    passages = structure.passages
    sections = [
        ("clock", [f"{wanted}: {structure.clocks.get(wanted, 0):,} registers and memory ports"]),
        ("other clocks", others),
        (
            "reset",
            [
                f"{structure.reset}, synchronous: {structure.reset_registers:,} registers",
                f"{len(structure.free_registers):,} registers without",
                *(f"  {name}" for name in structure.free_registers),
            ],
        ),
        ("asynchronous resets", structure.asynchronous),
        ("latches", structure.latches),
        ("loops, drivers", structure.warnings),
        ("input to output", [str(one) for one in passages if not one.intended]),
        ("ready to ready", [str(one) for one in passages if one.stops_stream]),
        ("loader's answers", [str(one) for one in passages if one.answers_loader]),
    ]
    lines = [
        f"Structure of {structure.top}, by Yosys {yosys.version()}",
        "",
    ]
    for title, found in sections:
        for number, line in enumerate(found or ["none"]):
            lines.append(f"{title if number == 0 else '':<20} {line}")
    lines += [
        "",
        *wrap(_NOTE, _WIDTH),
        "",
        f"findings             {len(structure.findings)}",
    ]
    return "\n".join([*lines, ""])

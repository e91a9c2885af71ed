"""Bits that nothing can change: proved, so that nobody need hit them.

The whole RTL becomes one and-inverter graph with every bit that is counted as an output, all its
inputs free to do anything, reset included. ABC's signal correspondence (induction over all
registers at once) finds the outputs that are the same in every cycle, from the initial state on.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hw import cache
from hw.errors import CheckFailed
from hw.verilog import rtl_folder, yosys
from hw.verilog.modules import plain
from hw.verilog.rtl_folder import VERILOG_SUFFIX, Emission
from hw.verilog.statements import INSTANCE, names, read
from sim.code_coverage.exclusions import Excluded
from sim.code_coverage.points import Counts, Kind, Point

REASON = "a constant, whatever the inputs do (proved)"

Bit = tuple[str, str, int]
"""Module, signal, number of the bit."""

_UNSET = re.compile(r"^(  reg (?:signed )?(?:\[\d+:\d+\] )?(?:\\\S+ |\w+));$", re.MULTILINE)
_BIT = re.compile(r"(?P<name>.+)\[(?P<bit>\d+)\]")

_SCRIPT = """
{files}
hierarchy -check -top {top}
proc
flatten
select -read signals.txt
expose
select -clear
{memories}
setundef -init -zero
opt_expr
opt_clean
async2sync
techmap
opt_expr
opt_clean
dffunmap
setundef -undriven -zero
setundef -init -zero
aigmap
opt_clean
write_aiger -zinit -map bits.map bits.aig
"""

_MEMORIES = {
    rtl_folder.DATAFLOW: "memory -nordff",
    rtl_folder.OVERLAY: "memory -nordff -nomap\ndelete t:$mem*\nsetundef -undriven -expose",
}
"""By the style of hardware: words of memories are registers; those of an overlay are too many, what
is read there may be anything."""

_ABC = "&r bits.aig; &scorr; &w proved.aig"

PROVED = "constant.txt"
"""File of a cache entry: a line a bit, module, signal, number."""


def excluded(emission: Emission, counts: Counts) -> Excluded:
    """The changes of bits that cannot be, each with the reason.

    Raises
    ------
    CheckFailed: one of them was counted: the proof or the simulator is wrong
    """
    found: Excluded = {}
    lines = emission.verilog.split("\n")
    bits = {point: bit_of(point, lines) for point in counts if point.kind == Kind.TOGGLE}
    proved = _proved(emission, sorted(set(bits.values())))
    for point, bit in bits.items():
        if bit in proved:
            if counts[point]:
                raise CheckFailed(f"code coverage: {point}: was counted, but is proved impossible")
            found[point] = REASON
    return found


def bit_of(point: Point, lines: Sequence[str]) -> Bit:
    """The bit that changes at a point, `beat[3]:0->1`, declared in one of the lines.

    A signal's own name may end in brackets.
    """
    what, declared = point.what.rpartition(":")[0], names(lines[point.line - 1])
    match = _BIT.fullmatch(what)
    if match and match["name"] in declared:
        return point.module, match["name"], int(match["bit"])
    if what not in declared:
        raise CheckFailed(f"code coverage: {point}: not declared in that line")
    return point.module, what, 0


def _proved(emission: Emission, bits: list[Bit]) -> set[Bit]:
    """Those of the bits that are constants; kept in the cache."""

    def make(folder: Path) -> None:
        found = _prove(emission, bits, folder)
        lines = [f"{module} {signal} {number}\n" for module, signal, number in sorted(found)]
        for path in folder.iterdir():
            path.unlink()
        (folder / PROVED).write_text("".join(lines), encoding="utf-8")

    listed = "".join(f"{module} {signal} {number}\n" for module, signal, number in bits)
    texts = [text for item in sorted(emission.files.items()) for text in item]
    digest = cache.digest_of(
        yosys.version(), _SCRIPT, _MEMORIES[emission.style], _ABC, listed, *texts
    )
    folder, _ = cache.entry("constants", digest, make)
    lines = (folder / PROVED).read_text(encoding="utf-8").splitlines()
    return {(module, signal, int(number)) for module, signal, number in map(str.split, lines)}


def _prove(emission: Emission, bits: list[Bit], folder: Path) -> set[Bit]:
    for name, text in emission.files.items():
        (folder / name).write_text(set_at_first(text), encoding="utf-8")
    paths = instances(emission.verilog, emission.top)
    places = {
        ".".join(filter(None, (path, signal))): (module, signal)
        for module, signal, _ in bits
        for path in paths[module]
    }
    listed = "".join(f"{emission.top}/{name}\n" for name in places)
    (folder / "signals.txt").write_text(listed, encoding="utf-8")
    files = "\n".join(
        f"read_verilog {name}" for name in emission.files if name.endswith(VERILOG_SUFFIX)
    )
    memories = _MEMORIES[emission.style]
    yosys.run(_SCRIPT.format(files=files, top=emission.top, memories=memories), folder)
    said = yosys.abc(_ABC, folder)
    if not (folder / "proved.aig").is_file():
        raise yosys.YosysError(f"ABC wrote nothing: {(said.splitlines() or [''])[-1]}")
    modules = read(emission.verilog)
    top = modules[emission.top].directions
    shown = {**places, **{name: (emission.top, name) for name in top}}
    expected = sum(
        modules[module].widths[signal]
        for name, (module, signal) in shown.items()
        if top.get(name) != "input"
    )
    literals = outputs_of((folder / "proved.aig").read_bytes())
    if len(literals) != expected:
        raise yosys.YosysError(f"{expected} bits became {len(literals)} outputs of a graph")
    changing = set()
    for line in (folder / "bits.map").read_text(encoding="utf-8").splitlines():
        kind, number, bit, name = line.split(" ", 3)
        free = kind == "input" or (kind == "output" and literals[int(number)] > 1)
        if name in places and free:
            changing.add((*places[name], int(bit)))
    # What Yosys itself has seen to be a constant is an output too, but has no line in the map.
    return {bit for bit in bits if bit not in changing}


def set_at_first(text: str) -> str:
    """Verilog in which registers that have no value at first begin at 0, as in the model: to Yosys
    they would be as it likes."""
    return _UNSET.sub(r"\1 = 0;", text)


def instances(text: str, top: str) -> Mapping[str, list[str]]:
    """The paths of each module's instances below the top module, whose own is ""."""
    lines = text.split("\n")
    children = {
        module.name: [
            (plain(match["module"]), plain(match["name"]))
            for match in map(INSTANCE.match, lines[module.first : module.last])
            if match
        ]
        for module in read(text).values()
    }

    def walk(module: str, path: str) -> Iterator[tuple[str, str]]:
        yield module, path
        for child, name in children[module]:
            yield from walk(child, ".".join(filter(None, (path, name))))

    found: dict[str, list[str]] = {}
    for module, path in walk(top, ""):
        found.setdefault(module, []).append(path)
    return found


def outputs_of(graph: bytes) -> list[int]:
    """The literals of the outputs of an AIGER file: 0 and 1 are the constants."""
    head, _, rest = graph.partition(b"\n")
    _, _, _, latches, count, *_ = head.split()
    lines = rest.split(b"\n", int(latches) + int(count))
    return [int(line) for line in lines[int(latches) : int(latches) + int(count)]]

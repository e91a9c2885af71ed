"""Changes of bits that cannot come, though the bit is no constant to `constants`: proved.

A carry that would need one more than a counter's last value, a bit of an operand that no weight
brings, a bit of a table that rises once and stays. The layer that the bit lies in is put on its
own, its inputs free to do anything, reset included; a bit outside of all layers in its module, what
the modules inside it say being free too. Beside each bit stands a register with its last value, and
ABC's property-directed reachability looks for a proof that the change never is. Where it finds a
run with the change instead, the network need not get there: its layers' inputs are not free.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from hw import cache
from hw.verilog import cut, yosys
from hw.verilog.rtl_folder import Emission
from hw.verilog.statements import Module, read, subtree
from sim.code_coverage import constants
from sim.code_coverage.constants import Bit
from sim.code_coverage.exclusions import Excluded
from sim.code_coverage.points import Counts, Kind, Point

REASON = "no such change, whatever comes into the layer (proved)"

_FIRST = 20
"""A bit may take one of so many parts of the layer's time."""


class Verdict(StrEnum):
    """What was found out about a change."""

    IMPOSSIBLE = "impossible"
    POSSIBLE = "possible"
    OPEN = "open"


LEFT = {
    Verdict.POSSIBLE: "the layer can on its own; no run of the network has brought it about",
    Verdict.OPEN: "neither brought about nor proved impossible in time",
}
"""What is said of the changes that are neither hit nor impossible."""


@dataclass(frozen=True)
class Found:
    """What came of the proofs.

    Parameters
    ----------
    excluded: the changes that cannot be
    left: the verdict on each of the others
    """

    excluded: Excluded = field(default_factory=dict)
    left: Mapping[Point, Verdict] = field(default_factory=dict)

    def left_without(self, excluded: Excluded) -> dict[str, int]:
        """What is said of those that are left, and of how many, but for points excluded else."""
        verdicts = [verdict for point, verdict in self.left.items() if point not in excluded]
        return {LEFT[one]: verdicts.count(one) for one in LEFT if one in verdicts}


_SCRIPT = """
read_verilog part.v
hierarchy -check -top part
proc
flatten
select -read signals.txt
expose
select -clear
memory -nordff
setundef -init -zero
read_verilog watch.v
hierarchy -check -top watch
proc
flatten
opt -full
async2sync
techmap
opt -full
dffunmap
setundef -undriven -zero
setundef -init -zero
aigmap
opt_clean
write_aiger -zinit watch.aig
"""

_ABC = "read_aiger watch.aig; strash; scorr; pdr -a -H {each} -T {seconds}"

_SAID = re.compile(r"(?P<how>Proved output|Output) +(?P<number>\d+)\b")

VERDICTS = "verdicts.txt"
"""File of a cache entry: a verdict a line, in the order of the points."""


def found(emission: Emission, counts: Counts, known: Excluded, seconds: int) -> Found:
    """What is known of the changes that were not counted and are not excluded already.

    Parameters
    ----------
    known: points that need no proof any more
    seconds: for each layer; 0: nothing is looked for
    """
    lines = emission.verilog.split("\n")
    missing = {
        point: constants.bit_of(point, lines)
        for point, count in sorted(counts.items())
        if point.kind == Kind.TOGGLE and not count and point not in known
    }
    if not seconds:
        return Found(left=dict.fromkeys(missing, Verdict.OPEN))
    verdicts: dict[Point, Verdict] = {}
    for scope, points in _scopes(emission, missing).items():
        part = _Part.of(emission, scope, {point: missing[point] for point in points})
        verdicts |= zip(points, _kept(part, seconds), strict=True)
    return Found(
        {point: REASON for point, one in verdicts.items() if one is Verdict.IMPOSSIBLE},
        {point: one for point, one in verdicts.items() if one is not Verdict.IMPOSSIBLE},
    )


def _scopes(emission: Emission, points: Iterable[Point]) -> dict[str, list[Point]]:
    """The points by the layer that they lie in, or by their module."""
    layers = _layers(emission)
    scopes: dict[str, list[Point]] = {}
    for point in points:
        module = point.module
        around = (one for one in layers if module == one or module.startswith(f"{one}."))
        scopes.setdefault(next(around, module), []).append(point)
    return scopes


def _layers(emission: Emission) -> list[str]:
    """Modules of layers; of an overlay none, as instances of its parts share modules."""
    layers = emission.manifest.get("layers", [])
    return [f"{emission.top}.{entry['path']}" for entry in layers]


@dataclass(frozen=True)
class _Part:
    """A layer or a module on its own.

    Parameters
    ----------
    text: of its modules, the outermost of which is called `part`
    outside: that module
    watched: path of a signal, its width, number of the bit, whether it would rise; a point each
    """

    text: str
    outside: Module
    watched: Sequence[tuple[str, int, int, bool]]

    @staticmethod
    def of(emission: Emission, scope: str, bits: Mapping[Point, Bit]) -> "_Part":
        modules = read(emission.verilog)
        if scope in _layers(emission):
            lines = emission.verilog.split("\n")
            inside = subtree(modules, scope)
            text = "\n".join("\n".join(lines[m.first : m.last + 1]) for m in inside)
        else:
            text = cut.alone(emission.verilog, scope)
            modules = {scope: read(text)[scope]}
        text = constants.set_at_first(text)
        text = re.sub(rf"^module \\?{re.escape(scope)}\s*\(", "module part(", text, flags=re.M)
        paths = constants.instances(emission.verilog, scope)
        watched = [
            (
                ".".join(filter(None, (_only(paths[module]), signal))),
                modules[module].widths[signal],
                number,
                point.what.endswith("0->1"),
            )
            for point, (module, signal, number) in bits.items()
        ]
        return _Part(text, modules[scope], watched)

    def hidden(self) -> list[str]:
        """The watched signals that are no ports."""
        names = dict.fromkeys(path for path, *_ in self.watched)
        return [name for name in names if name not in self.outside.directions]

    def watch(self) -> str:
        """A module around it with an output a change, which is high when the change comes."""
        ports = {
            name: self.outside.widths[name]
            for name, way in self.outside.directions.items()
            if way == "input"
        }
        widths = {path: width for path, width, *_ in self.watched}
        declared = [f"  input [{width - 1}:0] {_named(name)}" for name, width in ports.items()]
        # One more, as ABC speaks of a single output in other words.
        declared.append(f"  output [{len(self.watched)}:0] changes")
        joined = [f"    .{_named(name)}({_named(name)})" for name in ports]
        body = []
        for path, width in widths.items():
            seen = _named(f"seen.{path}")
            value = f" = {_named(path)}" if path in ports else ""
            body.append(f"  wire [{width - 1}:0] {seen}{value};")
            if path not in ports:
                joined.append(f"    .{_named(path)}({seen})")
        body.append(f"  assign changes[{len(self.watched)}] = 1'b0;")
        body.append("  reg started = 0;\n  always @(posedge clk) started <= 1;")
        for number, (path, _, bit, rises) in enumerate(self.watched):
            now = f"{_named(f'seen.{path}')}[{bit}]"
            before = f"before{number}"
            body.append(f"  reg {before} = 0;\n  always @(posedge clk) {before} <= {now};")
            change = f"!{before} && {now}" if rises else f"{before} && !{now}"
            body.append(f"  assign changes[{number}] = started && {change};")
        return "\n".join(
            [
                "module watch(", ",\n".join(declared), ");",
                "  part part (", ",\n".join(joined), "  );", *body, "endmodule", "",
            ]
        )  # fmt: skip


def _only(paths: Sequence[str]) -> str:
    """The path of a module's instance: emitted modules have one each."""
    (path,) = paths
    return path


def _named(name: str) -> str:
    return f"\\{name} "


def _kept(part: _Part, seconds: int) -> list[Verdict]:
    """A verdict on each change; kept in the cache."""

    def make(folder: Path) -> None:
        verdicts = _prove(part, seconds, folder)
        for path in folder.iterdir():
            path.unlink()
        (folder / VERDICTS).write_text("\n".join(verdicts) + "\n", encoding="utf-8")

    digest = cache.digest_of(yosys.version(), _SCRIPT, _ABC, str(seconds), part.text, part.watch())
    folder, _ = cache.entry("impossible", digest, make)
    return [Verdict(line) for line in (folder / VERDICTS).read_text(encoding="utf-8").split()]


def _prove(part: _Part, seconds: int, folder: Path) -> list[Verdict]:
    (folder / "part.v").write_text(part.text, encoding="utf-8")
    (folder / "watch.v").write_text(part.watch(), encoding="utf-8")
    listed = "".join(f"part/{name}\n" for name in part.hidden())
    (folder / "signals.txt").write_text(listed, encoding="utf-8")
    yosys.run(_SCRIPT, folder)
    outputs = len(constants.outputs_of((folder / "watch.aig").read_bytes()))
    if outputs != len(part.watched) + 1:
        raise yosys.YosysError(f"{len(part.watched)} changes became {outputs} outputs of a graph")
    script = _ABC.format(each=1000 * seconds // _FIRST, seconds=seconds)
    said = yosys.abc(script, folder, 4 * seconds)
    verdicts = [Verdict.OPEN] * outputs
    for match in _SAID.finditer(said):
        one = Verdict.IMPOSSIBLE if match["how"].startswith("Proved") else Verdict.POSSIBLE
        verdicts[int(match["number"])] = one
    return verdicts[:-1]

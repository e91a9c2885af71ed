"""A save file of GTKWave beside the waves of a run that failed: the streams of the layer that was
named and of its neighbours, the marker where it was found.
"""

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vcd.gtkw import GTKWSave

from hw.ir.graph import Graph
from sim.harness import TOP, Dut, Stream
from sim.scoreboard import Difference
from sim.simulation import RunFailed

WAVES, SAVED = "dump.vcd", "dump.gtkw"

CYCLES = 20
"""Shown on either side of the marker."""

FRAME = 200
"""Pixels that GTKWave's zoom counts in: a zoom of -z shows 2^z units of time in so many."""

_CYCLE = re.compile(r"\(cycle (\d+)\)")
_CUT = re.compile(
    r"frame (\d+), pixel \((\d+), (\d+)\), channel (\d+): .*, in the run "
    r"(?:after reset (?P<run>\d+)|before any reset)"
)
_HANG = re.compile(r"nothing moved for (\d+) cycles up to cycle (\d+)")


@dataclass(frozen=True)
class Declared:
    """A signal of a VCD: its identifier there, and its full name with its bits."""

    identifier: str
    name: str


@dataclass(frozen=True)
class Waves:
    """A VCD: its signals by their paths below the harness, where its values begin."""

    path: Path
    signals: dict[str, Declared]
    begin: int

    @classmethod
    def read(cls, path: Path) -> "Waves":
        """The declarations of a run's waves."""
        signals, scopes = {}, []
        with path.open("rb") as file:
            for raw in iter(file.readline, b""):
                words = raw.decode(errors="replace").split()
                match words[:1]:
                    case ["$scope"]:
                        scopes.append(words[2])
                    case ["$upscope"]:
                        scopes.pop()
                    case ["$var"] if TOP in scopes:
                        identifier, name, *bits = words[3:-1]
                        place = [*scopes[scopes.index(TOP) + 1 :], name]
                        full = ".".join([*scopes, "".join([name, *bits])])
                        signals[".".join(place)] = Declared(identifier, full)
                    case ["$enddefinitions"]:
                        break
            return cls(path, signals, file.tell())

    def steps(self, names: Sequence[str]) -> Iterator[tuple[int, dict[str, int]]]:
        """(time, levels of some one-bit signals) before each change of one of them."""
        # Signals that are one net have one identifier.
        wanted: dict[bytes, list[str]] = {}
        for name in names:
            wanted.setdefault(self.signals[name].identifier.encode(), []).append(name)
        levels, now, changed = dict.fromkeys(names, 0), 0, {}
        with self.path.open("rb") as file:
            file.seek(self.begin)
            for line in itertools.chain(file, [b"#0"]):
                if line[:1] == b"#":
                    if changed:
                        yield now, levels | {f"new {name}": new for name, new in changed.items()}
                        levels |= changed
                        changed = {}
                    now = int(line[1:])
                elif line[:1] in b"01xzXZ":
                    for name in wanted.get(line[1:].strip(), ()):
                        changed[name] = int(line[:1] == b"1")


def write(folder: Path, designs: Sequence[Dut], graph: Graph, error: RunFailed) -> Path | None:
    """Writes the save file beside the waves in `folder`; None where there are none, or no layer.

    The marker stands at the beat that differs first; at the cycle that the message names; after a
    hang where something moved last; else at the end.
    """
    path = folder / WAVES
    layer = error.finding.layer.removesuffix(" (m_axis)")
    if layer == "m_axis":
        layer = graph.output.name
    found = [(d, s) for d in designs for s in (*d.sinks, *d.taps) if s.label == layer]
    if not path.is_file() or not found:
        return None
    design, stream = found[0]
    waves = Waves.read(path)
    marker, period = _moment(waves, design, stream, error)
    with (folder / SAVED).open("w", encoding="utf-8") as file:
        save = GTKWSave(file)
        save.comment(str(error))
        save.dumpfile(WAVES, abspath=False)
        save.timestart(max(0, marker - CYCLES * period))
        save.zoom_markers(-math.log2(max(1, CYCLES * period / 2)), marker)
        for name in ("clk", "rst"):
            save.trace(waves.signals[name].name, datafmt="bin")
        for title, one in _shown(design, graph, stream):
            _trace(save, waves, title, f"{design.instance}.", one)
        for label, place, _ in design.fifos:
            if label.partition(" ")[0] == stream.node:
                for end in "io":
                    fifo = replace(stream, label=label, port=f"{place}.{end}")
                    _trace(save, waves, f"{label}, {end}", f"{design.instance}.", fifo)
    return folder / SAVED


def _shown(design: Dut, graph: Graph, stream: Stream) -> Iterator[tuple[str, Stream]]:
    """The streams of the design that enter the layer, its own, and those of its readers."""
    node = graph[stream.node]
    readers = [name for name, _ in graph.readers[node.name]]
    for what, names in (("in", node.inputs), ("out", [node.name]), ("next", readers)):
        for one in (*design.sources, *design.sinks, *design.taps):
            if one.node in names and not (what == "in" and one.label == stream.label):
                yield f"{what}: {one.label}", one


def _trace(save: GTKWSave, waves: Waves, title: str, place: str, stream: Stream) -> None:
    """The three signals of a stream, as far as the waves have them."""
    found = [
        (part, waves.signals[place + stream.signal(part)].name)
        for part in ("valid", "ready", "payload")
        if place + stream.signal(part) in waves.signals
    ]
    if not found:
        return
    with save.group(title):
        for part, name in found:
            wide = "signed" if stream.signed else "dec"
            save.trace(name, datafmt=wide if part == "payload" else "bin")


def _moment(waves: Waves, design: Dut, stream: Stream, error: RunFailed) -> tuple[int, int]:
    """Time of the marker, and of a cycle."""
    valid, ready = (f"{design.instance}.{stream.signal(part)}" for part in ("valid", "ready"))
    cycle, beat, run = _place(stream, error)
    last = period = before = 0
    cycles = beats = 0
    runs, resets = -1, True
    found = None
    for now, levels in waves.steps(["clk", "rst", valid, ready]):
        if not levels.get("new clk") or levels["clk"]:
            continue
        period, before, last = now - before, now, now
        if levels["rst"]:
            cycles, beats, resets = 0, 0, True
            continue
        if resets:
            # Where no run is named it is the last one.
            runs, resets = runs + 1, False
            found = None if run is None else found
        moves = levels[valid] and levels[ready]
        here = run in (None, runs) and (cycle == cycles or (moves and beat == beats))
        found = now if found is None and here else found
        cycles, beats = cycles + 1, beats + bool(moves)
    return last if found is None else found, period


def _place(stream: Stream, error: RunFailed) -> tuple[int | None, int | None, int | None]:
    """Cycle or beat where it was found, as far as it is known; the run, if a reset has cut it off.

    Both count from a reset, runs from the one before any.
    """
    text, finding = str(error), error.finding
    if cut := _CUT.search(text):
        frame, y, x, channel = map(int, cut.groups()[:4])
        return None, _beat(Difference(frame, y, x, channel, 0, 0), stream), int(cut["run"] or 0)
    if named := _CYCLE.search(text):
        return int(named[1]), None, None
    if hang := _HANG.search(text):
        return int(hang[2]) - int(hang[1]), None, None
    compared = [one.difference for one in finding.compared if one.layer == finding.layer]
    difference = next(iter(compared), None)
    return None, None if difference is None else _beat(difference, stream), None


def _beat(difference: Difference, stream: Stream) -> int:
    """Number of a beat since the reset."""
    height, width, channels = stream.shape
    pixel = (difference.frame * height + difference.y) * width + difference.x
    return pixel * channels + difference.channel

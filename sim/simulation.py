"""One model, one case: what is built once, written to files, and run, as often as wanted.

`Simulation.build` makes the model of a bench, `write` puts the streams of some images into a
folder, `run` starts the testbench there. Mutants and repeated runs call only the last.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hw.errors import CheckFailed, InputError
from hw.ir import reference
from hw.ir.network import Network
from hw.verilog.rtl_folder import VERILOG_SUFFIX
from sim import assertions, harness, loading, resets, runner, scoreboard
from sim.designs import Bench
from sim.harness import STALL_PATTERNS, Harness, Stream
from sim.runner import Build
from sim.scoreboard import Compared
from sim.stimuli import Stimuli

PATIENCE = 20_000
"""Cycles in which nothing moves before the watchdog steps in, at the least."""

CASE, RESULT = "case.json", "result.json"

CORNERS = "corners.json"
"""By node, the corners in its frames, and those that are in none."""

Watch = Callable[[int, int], None]
"""Told (frames done, frames in all) of a run now and then."""


@dataclass(frozen=True)
class Run:
    """What one run of the testbench found.

    Parameters
    ----------
    cycles, seconds: simulated since the last reset, and what that took
    cpu_seconds: of that, on a processor: no Python runs meanwhile
    longest_idle: most cycles in a row in which nothing moved, while beats were still missing
    compared: each stream's figures, in the network's order
    ends: for each sink, the cycles in which its frames ended
    seen: labels of the streams that were ever "held_back" (valid, not ready) or "starved" (ready,
    not valid), of the FIFOs that were ever "full" or "waited" for by their join;
    "tlast": those of `harness.LAST_SEEN` that were ever seen
    resets: for each, its "cycle", and what it found: labels of streams in "mid_frame" and
    "held_back", of FIFOs "filled" and "full", of engines "reading" taps, with a sum "summed", with
    a requantiser "busy"; "frames" that had left the first design
    """

    cycles: int
    seconds: float
    cpu_seconds: float
    longest_idle: int
    compared: tuple[Compared, ...]
    ends: tuple[tuple[int, ...], ...]
    seen: Mapping[str, Sequence[str]]
    resets: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Finding:
    """What a run that failed has found.

    Parameters
    ----------
    check: the kind of check that failed first, as in `sim.mutation.trial.Kill`; "assertion";
    "simulator" where the simulation did not come to its end
    layer: that it names, or ""
    compared: each stream's figures, in the network's order; none without an end
    """

    check: str
    layer: str
    compared: tuple[Compared, ...] = ()


class RunFailed(CheckFailed):
    """A run of the testbench failed. `finding` says in what."""

    def __init__(self, message: str, lines: Sequence[str], finding: Finding):
        super().__init__(message, lines)
        self.finding = finding


@dataclass(frozen=True)
class Program:
    """A harness and its model: runs what was written into a folder.

    Parameters
    ----------
    built: the harness
    model: the program
    """

    built: Harness
    model: runner.Model

    def write_case(
        self,
        folder: Path,
        stimuli: Stimuli,
        taps: Sequence[Mapping[str, Any]],
        order: Sequence[int],
        patience: int = PATIENCE,
        *,
        corners: int = 0,
        cold: bool = True,
    ) -> None:
        """What the testbench reads beside the beats.

        Parameters
        ----------
        taps: of each tap its label, and the file with the beats that it has to give
        order: of the taps, when differences are told
        patience: cycles in which nothing moves, where `stimuli` has no number
        corners: frames of corners that follow those of the images
        cold: whether the first run begins without a reset
        """
        frames = len(stimuli.images) + corners
        case = {
            "frames": stimuli.passes * frames,
            "stall_from": frames,
            "corners": corners,
            "pattern": STALL_PATTERNS.index(stimuli.pattern if stimuli.stalled else "never"),
            "stall": round(stimuli.stall * 65536),
            "seed": stimuli.seed % (1 << 32),
            "patience": patience if stimuli.patience is None else stimuli.patience,
            "resets": stimuli.resets,
            "cold": int(stimuli.resets > 0 and cold),
            "taps": list(taps),
            "order": list(order),
            "fifos": list(self.built.fifos),
            "engines": list(self.built.engines),
        }
        (folder / CASE).write_text(json.dumps(case), encoding="utf-8")
        beats = [stream.beats for stream in self.built.taps]
        found = resets.moments(stimuli.resets, beats, stimuli.passes * frames, stimuli.seed)
        lines = "".join(moment.line for moment in found)
        (folder / resets.LIST).write_text(lines, encoding="utf-8")

    def run(
        self,
        folder: Path,
        *,
        arguments: Sequence[str] = (),
        watch: Watch | None = None,
    ) -> Run:
        """Runs the testbench on what `write` put into the folder.

        Parameters
        ----------
        arguments: handed to the simulator ("+name=value" for `$value$plusargs`)
        watch: told how far it is

        Raises
        ------
        RunFailed: a difference, a hang, a broken stream rule; the run's files stay
        """
        (folder / RESULT).unlink(missing_ok=True)
        case = folder / CASE
        content = json.loads(case.read_text(encoding="utf-8"))
        total = content["frames"]

        def poll() -> None:
            ends = folder / "sink_0.txt"
            if watch is not None and ends.is_file():
                watch(min(total, ends.read_bytes().count(b"\n")), total)

        try:
            runner.run(
                self.model,
                "sim.tb_network",
                folder,
                seed=content["seed"],
                env={"SHIFTNAS_CASE": str(case.resolve())},
                arguments=arguments,
                poll=poll,
            )
        except CheckFailed as error:
            raise self._failed(folder, error) from None
        unloaded = loading.failure(folder)
        if unloaded:
            raise RunFailed(f"cosim: {unloaded}", (), Finding("load", ""))
        result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        compared = tuple(Compared.from_dict(entry) for entry in result["layers"])
        if not any(stream.beats for stream in compared):
            raise RunFailed("cosim: no beat was compared", (), Finding("simulator", "", compared))
        return Run(
            result["cycles"],
            result["seconds"],
            result["cpu_seconds"],
            result["longest_idle"],
            compared,
            tuple(
                tuple(map(int, (folder / f"sink_{number}.txt").read_text(encoding="utf-8").split()))
                for number in range(len(self.built.sinks))
            ),
            result["seen"],
            result["resets"],
        )

    def _failed(self, folder: Path, error: CheckFailed) -> RunFailed:
        """The error about a run, by what the testbench has written before it failed."""
        unloaded = loading.failure(folder)
        if unloaded:
            return RunFailed(f"cosim: {unloaded}", (), Finding("load", ""))
        said = assertions.failure(folder / "sim.log")
        if said:
            return RunFailed(f"cosim: {said}", (), Finding("assertion", ""))
        if not (folder / RESULT).is_file():
            return RunFailed(f"cosim: {error}", (), Finding("simulator", ""))
        result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        compared = tuple(Compared.from_dict(entry) for entry in result["layers"])
        found = result["failure"]
        if found is None:
            # Every check held, and the simulator failed all the same.
            return RunFailed(f"cosim: {error}", (), Finding("simulator", "", compared))
        finding = Finding(found["check"], found["layer"], compared)
        return RunFailed(f"cosim: {found['message']}", found["lines"], finding)


@dataclass(frozen=True)
class Simulation(Program):
    """A model of a bench, ready to run.

    Parameters
    ----------
    built, model: see Program
    network: whose hardware it is
    bench: the designs in it
    """

    network: Network
    bench: Bench

    @classmethod
    def build(cls, network: Network, bench: Bench, how: Build = Build()) -> "Simulation":
        """Builds the model, or finds it in the cache; see `build`."""
        program = build(bench, how)
        return cls(program.built, program.model, network, bench)

    def write(
        self,
        folder: Path,
        stimuli: Stimuli,
        tensors: Mapping[str, np.ndarray] | None = None,
    ) -> Mapping[str, np.ndarray]:
        """Everything the testbench reads; returns the reference's tensors (`tensors`, if given)."""
        images, passes = stimuli.images, stimuli.passes
        if tensors is None:
            tensors = reference.run(self.network, images)
        data = self.bench.data(tensors)
        for number, stream in enumerate(self.built.sources):
            beats = scoreboard.to_bytes(data[stream.label], harness.source_bytes(stream))
            (folder / f"source_{number}.bin").write_bytes(beats * passes)
        largest = max((layer.codes.size for layer in self.network.params.values()), default=0)
        taps = self._write_expected(folder, data, passes)
        self.write_case(
            folder,
            stimuli,
            taps,
            self._order(),
            max(PATIENCE, 4 * largest),
            corners=self.bench.corner_frames,
            cold=self.bench.cold,
        )
        if self.bench.corners:
            content = {name: made.as_dict() for name, made in self.bench.corners.items()}
            (folder / CORNERS).write_text(json.dumps(content), encoding="utf-8")
        return tensors

    def _write_expected(
        self, folder: Path, data: Mapping[str, np.ndarray], passes: int
    ) -> list[dict]:
        taps, written, sources = [], {}, self._sources()
        for stream in self.built.taps:
            if stream.label not in written:
                file = f"expected_{len(written)}.bin"
                words = scoreboard.to_words(data[stream.label], harness.tap_words(stream))
                (folder / file).write_bytes(words.tobytes())
                written[stream.label] = file
            taps.append(tap(stream, written[stream.label], passes, sources[stream.node]))
        return taps

    def _sources(self) -> dict[str, list[str]]:
        """For each node with a tap, the files that are fed to the design it lies in."""
        found, number = {}, 0
        for design in self.bench.designs:
            files = [f"source_{number + k}.bin" for k in range(len(design.sources))]
            number += len(files)
            found |= {tap.node: files for tap in (*design.sinks, *design.taps)}
        return found

    def _order(self) -> list[int]:
        """The taps in the network's order."""
        positions = {node.name: position for position, node in enumerate(self.network.graph)}
        taps = self.built.taps
        return sorted(range(len(taps)), key=lambda k: (positions[taps[k].node], taps[k].is_axis))


def counted(sources: Mapping[str, str], hardware: Collection[str]) -> str:
    """Verilator's control file that leaves all but the hardware's Verilog out of code coverage."""
    others = [name for name in sources if name not in hardware or not name.endswith(VERILOG_SUFFIX)]
    return "\n".join(
        ["`verilator_config", *(f'coverage_off -file "{name}"' for name in others), ""]
    )


def _names(text: str) -> list[str]:
    """Modules and packages of a text."""
    return re.findall(r"^(?:module|package) (\w+)", text, re.M)


def build(bench: Bench, how: Build = Build()) -> Program:
    """Builds the model of a bench, or finds it in the cache.

    Raises
    ------
    InputError: a tool is missing, no design, or one that has the name of a part of the testbench;
    CheckFailed: the simulator or the compiler rejects the design
    """
    if not bench.designs:
        raise InputError("cosim: nothing to simulate")
    built = harness.generate(bench.designs)
    sources = {
        **bench.sources,
        "harness.sv": built.text,
        "agents.sv": harness.AGENTS.read_text(encoding="utf-8"),
    }
    master = loading.MASTER.read_text(encoding="utf-8")
    ours = {name for text in (built.text, sources["agents.sv"], master) for name in _names(text)}
    for design in bench.designs:
        if design.module in ours:
            raise InputError(
                f"cosim: the design is called {design.module}, as a part of the testbench is; "
                "emit it under another --name"
            )
    if any(design.load_address for design in bench.designs):
        sources["master.sv"] = master
    if how.code_coverage:
        sources["counted.vlt"] = counted(sources, bench.rtl)
    model = runner.build(
        sources, harness.TOP, how, public=harness.CONTROLS, visible=harness.REPORTS
    )
    return Program(built, model)


def tap(stream: Stream, expected: str, passes: int, sources: Sequence[str]) -> dict[str, Any]:
    """A tap of a case; `expected` is the file of the beats that it has to give, `passes` times,
    `sources` those of the beats that its design is sent."""
    return {
        "layer": label_of(stream),
        "words": harness.tap_words(stream),
        "expected": expected,
        "passes": passes,
        "shape": list(stream.shape),
        "signed": stream.signed,
        "sources": list(sources),
    }


def label_of(stream: Stream) -> str:
    """What a stream is called in results: its label, marked where it is the network's own port."""
    return stream.label + (" (m_axis)" if stream.is_axis else "")

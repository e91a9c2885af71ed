"""Co-simulation of a network on an overlay: every plane of every node against the reference."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hw import outputs
from hw.corners.frames import Corners, counts, frames_for, make, with_corners
from hw.ir import reference
from hw.ir.arithmetic import out_format
from hw.ir.constant import is_constant
from hw.ir.network import Network
from hw.overlay import isa
from hw.overlay.compiler.compile import Compiled, compile_network
from hw.overlay.cycles import cycles
from hw.overlay.hardware import Overlay
from hw.overlay.header import CHECKED, FIELDS, STREAMED, Status
from hw.overlay.packet import packet
from hw.overlay.program import Program
from hw.overlay.programming import fitted
from hw.verilog.emit_overlay import plan_in
from hw.verilog.rtl_folder import Emission
from sim import designs, gates
from sim.code_coverage import points
from sim.code_coverage.store import CodeCoverage, digest_of
from sim.cosim import Cosim
from sim.level import Level
from sim.overlay import run as runs
from sim.overlay.covered import coverage
from sim.overlay.judge import Expected, Judged, judge
from sim.overlay.lanes import check_lanes
from sim.overlay.parts import Part, part
from sim.overlay.planes import AT_PORT, Planes
from sim.overlay.random_programs import random_images as random_bytes
from sim.overlay.random_programs import random_program
from sim.overlay.recorded import Recorded
from sim.overlay.run import Moment, Pauses
from sim.overlay.script import Phase, Script
from sim.runner import Build
from sim.scoreboard import Compared
from sim.stimuli import Stimuli

LOAD_CYCLES = 2
"""About what a word of a program takes as it comes."""


@dataclass(frozen=True)
class Hardware:
    """An overlay's Verilog.

    Parameters
    ----------
    overlay: its sizes
    sources: files; module: the top's name
    """

    overlay: Overlay
    sources: Mapping[str, str]
    module: str

    @classmethod
    def of(cls, emission: Emission) -> "Hardware":
        """What an RTL folder has."""
        return cls(plan_in(emission).hardware, emission.files, emission.top)


@dataclass(frozen=True)
class Subject:
    """What of a network is simulated.

    Parameters
    ----------
    level: one of `sim.level.Level`; cells and layers are compiled on their own, a processing
        element is the grid of lanes
    only: names of the cells or layers, default: all
    gates: Yosys' netlist instead of the Verilog: one of `sim.gates.FORMS`
    refusals: programs that are no good come first, each of its kind, and are refused
    modelled: every capture is compared with the executable model's too
    stream: programs are streamed, not only those that are too long to be stored
    programs: so many random ones, which no compiler wrote, come after the network's; every other
        one is streamed
    """

    level: str = Level.NETWORK
    only: Sequence[str] = ()
    gates: str | None = None
    refusals: bool = True
    modelled: bool = False
    stream: bool = False
    programs: int = 0


@dataclass(frozen=True, eq=False)
class Job:
    """A network that is compiled, and its images.

    Parameters
    ----------
    tensors: the reference's of the images
    nodes: those whose figures count; None: all
    """

    network: Network
    compiled: Compiled
    images: np.ndarray
    tensors: Mapping[str, np.ndarray]
    nodes: Sequence[str] | None = None

    @property
    def program(self) -> Program:
        return self.compiled.program


def cosim(
    network: Network,
    hardware: Hardware,
    stimuli: Stimuli,
    subject: Subject = Subject(),
    build: Build = Build(),
    *,
    folder: str | Path | None = None,
    compiled: Compiled | None = None,
    compiling: Callable[[Network, Overlay], Compiled] = compile_network,
    cover: bool = False,
) -> Cosim:
    """Run the images through the network on the overlay, and compare every plane.

    Parameters
    ----------
    folder: for the files of the run; default: a temporary one
    compiled: the network's program, where it is known already; level `network`
    cover: measure the functional coverage, which the executable model counts; not at level `pe`

    Raises
    ------
    CheckFailed: a difference, a hang, a broken rule, other cycles than predicted
    InputError: the network does not fit the overlay, a tool is missing, a wrong name
    """
    reference.check_images(network, stimuli.images)
    names = designs.chosen(network, subject.level, subject.only)
    if subject.level == Level.PE:
        return check_lanes(hardware.overlay, stimuli, build)
    tensors = reference.run(network, stimuli.images)
    corners: Mapping[str, Corners] = {}
    if subject.level == Level.NETWORK:
        found = compiled or compiling(network, hardware.overlay)
        found = fitted(found, stream=subject.stream)
        jobs = [Job(network, found, stimuli.images, tensors)]
    else:
        corners = _corners(network, subject.level, names, stimuli)
        parts = [
            part(network, subject.level, name, _fed(network, name, tensors, corners.get(name)))
            for name in names
        ]
        jobs = [_job(one, hardware.overlay, compiling, subject.stream) for one in parts]
    start = time.monotonic()
    sources = sources_of(hardware, subject.gates)
    inside = subject.gates != gates.FLAT
    model = runs.build(
        hardware.overlay, sources, hardware.module, build, inside=inside, rtl=hardware.sources
    )
    built = time.monotonic() - start
    subject = replace(subject, modelled=subject.modelled or cover)
    script, expected = script_of(jobs, stimuli, subject)
    resets = moments(script, stimuli.resets, stimuli.seed)
    free = sum(len(job.images) for job in jobs)
    pauses = Pauses(free, stimuli.pattern, stimuli.stall) if stimuli.stalled else Pauses()
    with nullcontext(Path(folder)) if folder else outputs.temporary_folder() as place:
        start = time.monotonic()
        patience = stimuli.patience or runs.PATIENCE
        ran = model.run(script, place, pauses, resets, seed=stimuli.seed, patience=patience)
        judged = judge(script, expected, ran, model.built, resets=len(resets), free=free)
        ends, loaded, pace = ran.ends(), ran.loaded(len(resets)), ran.cycles_per_second
        lines = _code_coverage(hardware, place) if build.code_coverage else None
        covered = None
        if cover:
            programs = [one for some in expected for one in some if isinstance(one, Recorded)]
            covered = coverage(script, programs, ran, resets, stalled=stimuli.stalled)
    seconds = time.monotonic() - start
    whole = cycles(jobs[0].program).batch / jobs[0].program.images
    return Cosim(
        level=subject.level,
        simulator=build.simulator,
        frames=script.frames,
        stalled_frames=script.frames - free if stimuli.stalled else 0,
        **_figures(jobs, judged),
        cycles=ran.cycle,
        cycles_per_frame=judged.cycles_per_frame,
        latency=ends[0] - loaded if loaded else None,
        cycles_per_second=pace,
        build_seconds=built,
        seconds=seconds,
        constant_logits=is_constant(stimuli.images, tensors[network.graph.output.name]),
        coverage=covered,
        code_coverage=lines,
        load_cycles=loaded,
        gates={} if subject.gates is None else gates.count(sources[f"{hardware.module}.v"]),
        corners=counts(corners.values()),
        predicted_cycles_per_frame=math.ceil(whole) if subject.level == Level.NETWORK else None,
    )


def sources_of(hardware: Hardware, form: str | None) -> dict[str, str]:
    """The Verilog that is simulated, with that of the cells in it."""
    sources = dict(hardware.sources)
    if form is not None:
        return gates.netlists(sources, [hardware.module], form)
    return gates.models() | sources if hardware.overlay.fabric == "ecp5" else sources


def _code_coverage(hardware: Hardware, folder: Path) -> CodeCoverage:
    return CodeCoverage(digest_of(hardware.sources), points.read(folder, hardware.sources))


def _corners(
    network: Network, level: str, names: Sequence[str], stimuli: Stimuli
) -> dict[str, Corners]:
    """Those of each layer that is simulated on its own, as many frames for each."""
    if level != Level.OP:
        return {}
    frames = stimuli.corners
    if frames is None:
        frames = frames_for(network, designs.names(network, level))
    nodes = [network.graph[name] for name in names if frames]
    # Of one tensor that is read twice there is one image only.
    alone = [node for node in nodes if len({*node.inputs}) == len(node.inputs)]
    return {node.name: make(network, node, frames, stimuli.seed) for node in alone}


def _fed(
    network: Network, name: str, tensors: Mapping[str, np.ndarray], corners: Corners | None
) -> Mapping[str, np.ndarray]:
    """The tensors around a layer, with the frames of its corners behind the images'."""
    if corners is None:
        return tensors
    node = network.graph[name]
    fed, given = with_corners(node, tensors, corners)
    return dict(zip(node.inputs, fed, strict=True)) | {name: given}


def _job(
    one: Part, overlay: Overlay, compiling: Callable[[Network, Overlay], Compiled], stream: bool
) -> Job:
    compiled = fitted(compiling(one.network, overlay), stream=stream)
    tensors = reference.run(one.network, one.images)
    return Job(one.network, compiled, one.images, tensors, one.nodes)


def script_of(
    jobs: Sequence[Job], stimuli: Stimuli, subject: Subject
) -> tuple[Script, list[list[Expected]]]:
    """All jobs at full speed, then all of them under stalls; one job in one go."""
    phases = refusals(jobs[0].program) if subject.refusals else []
    if len(jobs) == 1:
        images = np.concatenate([jobs[0].images] * stimuli.passes)
        # A byte of an image has a cycle to itself, and as many are left for captures.
        least = int(cycles(jobs[0].program).prefix.sum(1).min())
        timed = not stimuli.stalled and 2 * images[0].size < least
        phases.append(Phase.of(jobs[0].program, images))
    else:
        timed = False
        phases += [Phase.of(job.program, job.images) for job in jobs] * stimuli.passes
    others = _random(jobs[0].program.hardware, subject.programs, stimuli.seed)
    phases += [Phase.of(program, images) for program, images in others]
    script = Script(phases, timed and not others, calm=sum(len(job.images) for job in jobs))
    expected: list[list[Expected]] = []
    for number, job in enumerate(jobs):
        expected.append([Planes(job.network, job.compiled, job.tensors)])
        if subject.modelled:
            batches = [batch for batch in script.batches if batch.life == number]
            expected[-1].append(Recorded(job.program, job.images, batches))
    expected *= stimuli.passes if len(jobs) > 1 else 1
    for number, (program, images) in enumerate(others, start=len(expected)):
        batches = [batch for batch in script.batches if batch.life == number]
        expected.append([Recorded(program, images, batches)])
    return script, expected


def _random(overlay: Overlay, count: int, seed: int) -> list[tuple[Program, np.ndarray]]:
    """Programs and their images, a batch and one more."""
    found = []
    for number in range(count):
        program = random_program(overlay, 1000 * seed + number, pages=number % 2 == 0, long=True)
        fits = program.longest_body <= overlay.streamed_body
        program = replace(program, streamed=number % 2 == 1 and fits)
        found.append((program, random_bytes(program, program.images + 1, seed)))
    return found


def refusals(program: Program) -> list[Phase]:
    """Packets that an overlay refuses, one for each reason that it has."""
    small = replace(program, prefix=program.prefix[-1:], suffix=program.suffix[-1:])
    small = replace(small, streamed=False)
    good = packet(small)

    def bad(status: Status, field: str, value: int) -> Phase:
        words = good.copy()
        words[FIELDS.index(field)] = value
        return Phase.refused(program, words, status)

    flipped = good.copy()
    flipped[-1] ^= 1
    extreme = flipped.copy()
    extreme[len(CHECKED) : len(FIELDS)] = 0xFFFF
    header = packet(replace(small, streamed=True))
    header[len(FIELDS)] ^= 1
    return [
        bad(Status.NO_PROGRAM, "magic", 0),
        bad(Status.OTHER_VERSION, "version", isa.VERSION + 1),
        bad(Status.OTHER_OVERLAY, "fingerprint_low", ~good[FIELDS.index("fingerprint_low")]),
        bad(Status.TOO_LONG, "length_high", STREAMED - 1),
        Phase.refused(program, flipped, Status.DAMAGED),
        Phase.refused(program, extreme, Status.DAMAGED),
        Phase.refused(program, good[:-1], Status.DAMAGED),
        Phase.refused(program, np.append(good, np.uint16(0)), Status.DAMAGED),
        Phase.refused(program, header, Status.DAMAGED),
    ]


def moments(script: Script, count: int, seed: int) -> list[Moment]:
    """So many resets, in turn: while a batch is done, the second time while the memory is cleared;
    while a program comes; under stalls; with the logits held back; with nothing to do. Every other
    one is by CONTROL."""
    rng = np.random.default_rng([seed, 0x5E5E7])
    words = script.first_words
    program = script.programs[0]
    loaded = LOAD_CYCLES * words + (1 << (program.hardware.words - 1).bit_length())
    batch = cycles(program).batch
    found = []
    for number in range(count):
        kind = number % 5
        # There is nothing to do where logits have left.
        within = loaded + int(batch * rng.uniform(1.05 if kind == 4 else 0.05, 1.5))
        at = int(words * rng.uniform(0.1, 0.9)) if kind == 1 else within
        if number % 10 == 5:
            at = int(rng.uniform(words, loaded))
        by = number % 2 == 1
        found.append(Moment(at, max(0, kind - 2), stalled=kind == 2, register=by))
    return found


def _figures(jobs: Sequence[Job], judged: Judged) -> dict[str, Any]:
    """What was compared, the same stream of several runs together."""
    found: dict[str, list[Compared]] = {}
    widths: dict[str, int] = {}
    for job in jobs:
        for name in job.nodes or [node.name for node in job.network.graph]:
            widths[name] = out_format(job.network, name).width
    for one in judged.compared:
        if one.layer.removesuffix(AT_PORT) in widths:
            found.setdefault(one.layer, []).append(one)
    compared = tuple(
        Compared(
            name,
            sum(one.beats for one in some),
            sum(one.expected_beats for one in some),
            sum(one.mismatches for one in some),
            None,
        )
        for name, some in found.items()
    )
    return {
        "beats": sum(one.beats for one in compared),
        "bits": sum(one.beats * widths[one.layer.removesuffix(AT_PORT)] for one in compared),
        "mismatches": sum(one.mismatches for one in compared),
        "layers": len(compared),
        "compared": compared,
    }

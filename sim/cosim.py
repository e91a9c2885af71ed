"""Co-simulation of a network's hardware: every bit of every layer against the integer reference.

Four levels. `network` runs the emitted top module as a whole, through its AXI4-Stream ports, with
a tap on every layer inside. `cell`, `op` and `pe` run each module of the top level, each layer or
each processing element on its own, fed with the reference's tensors: see `sim.designs`.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hw import outputs
from hw.corners.frames import counts
from hw.dataflow import cost
from hw.dataflow.design.design import Design
from hw.dataflow.flow import buffers
from hw.dataflow.loading import image
from hw.dataflow.loading.image import Image
from hw.errors import InputError
from hw.ir import reference
from hw.ir.constant import is_constant
from hw.ir.network import Network
from hw.verilog import emit, rtl_folder
from sim import designs, gtkwave, loading
from sim import gates as gate_level
from sim.code_coverage import points
from sim.code_coverage.store import CodeCoverage, digest_of
from sim.coverage import hardware, instances, streams, values
from sim.coverage import resets as reset_states
from sim.coverage.store import Coverage
from sim.level import Level
from sim.runner import Build, Simulator
from sim.scoreboard import Compared
from sim.simulation import Run, RunFailed, Simulation, Watch, label_of
from sim.stimuli import Stimuli

FEW_BEATS = 50_000
"""Beats over all layers up to which optimising the model takes longer than it saves."""


@dataclass(frozen=True)
class Cosim:
    """What a co-simulation did and found.

    Parameters
    ----------
    level: one of `sim.level.Level`
    simulator: "verilator" or "icarus"
    frames: that passed through each design, stalled ones included
    stalled_frames: of these, the ones under back-pressure
    beats, bits: compared, over all layers
    mismatches: bits that differ: 0, or CheckFailed was raised
    layers: number of streams compared
    cycles: clock cycles simulated
    cycles_per_frame: between the ends of two frames at full speed; with one such frame, its
    latency. Of an overlay: of a frame of the first whole batch, None where there was none at full
    speed, or where the hierarchy is gone
    latency: cycles from the end of reset to the first frame's end; both are the slowest design's.
    Of an overlay: from when its program is there, None where that is not known
    cycles_per_second: simulated clock cycles in a second
    build_seconds, seconds: to build the model (or find it), and to simulate and compare
    compared: each stream's figures, in the network's order
    coverage: what the run has been through, where it was asked for
    constant_logits: whether images that differ have the same logits, by the reference
    code_coverage: of the Verilog, where the model was built to count it
    gates: cells of the netlist, by kind; empty where RTL was simulated
    load_cycles: that loading the weights and reading them back took
    corners: "frames" that were made to drive each layer into its corners (they are among those that
    passed), corners "reached" in them, "out_of_reach" of any input, and with "no_room" in them
    predicted_cycles_per_frame: of the whole network; None at other levels, or where no two frames
    at full speed were run
    short_buffers: that are smaller than the prediction takes them to be, a line each
    """

    level: str
    simulator: str
    frames: int
    stalled_frames: int
    beats: int
    bits: int
    mismatches: int
    layers: int
    cycles: int
    cycles_per_frame: float | None
    latency: int | None
    cycles_per_second: float
    build_seconds: float
    seconds: float
    compared: tuple[Compared, ...]
    constant_logits: bool = False
    coverage: Coverage | None = None
    code_coverage: CodeCoverage | None = None
    load_cycles: int = 0
    gates: Mapping[str, int] = field(default_factory=dict)
    corners: Mapping[str, int] = field(default_factory=dict)
    predicted_cycles_per_frame: int | None = None
    short_buffers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subject:
    """What of a network's hardware is simulated.

    Parameters
    ----------
    level: one of `sim.level.Level`
    only: names of the cells or layers to simulate, default: all; not for level `network`
    emission: RTL to simulate instead of emitting it anew
    gates: Yosys' netlist instead of the RTL: one of `sim.gates.FORMS`
    load: networks whose weights are loaded into `emission`, which may be another's, one after the
    other, before the images come; the last one is the network itself. The plan is then the
    emission's.
    asserted: with assertions bound to the RTL; level `network`, in Verilator
    """

    level: str = Level.NETWORK
    only: Sequence[str] = ()
    emission: rtl_folder.Emission | None = None
    gates: str | None = None
    load: Sequence[Network] = ()
    asserted: bool = False


def cosim(
    network: Network,
    design: Design | None,
    stimuli: Stimuli,
    subject: Subject = Subject(),
    build: Build = Build(),
    *,
    folder: str | Path | None = None,
    cover: bool = False,
    tensors: Mapping[str, np.ndarray] | None = None,
    watch: Watch | None = None,
) -> Cosim:
    """Run the images through the hardware of `network`, as designed, and compare every layer.

    Parameters
    ----------
    design: None, or whatever it is, where `subject` has RTL: that says how it is built
    folder: for the files of the run (sim.log, waves' dump.vcd); default: a temporary one
    cover: measure the functional coverage (see `sim.coverage`)
    tensors: the reference's of the images, by name, where they are known already
    watch: told how far the run is

    Raises
    ------
    CheckFailed: a difference (the first layer in the network's order, frame, pixel, channel, both
    values), a hang (full and empty FIFOs), a broken stream rule; InputError: a wrong argument, a
    tool that is missing.
    """
    require_fitting(network, subject, build)
    reference.check_images(network, stimuli.images)
    design, to_load = _built(network, design, subject)
    bench = designs.bench(
        network,
        design,
        subject.level,
        emission=subject.emission,
        only=subject.only,
        asserted=subject.asserted,
        corners=stimuli.corners,
        seed=stimuli.seed,
    )
    start = time.monotonic()
    if subject.gates is not None:
        bench = gate_level.of(bench, subject.gates)
    mapped = time.monotonic() - start
    frames = len(stimuli.images) + bench.corner_frames
    optimise = build.optimise or _optimise(network, frames)
    simulation = Simulation.build(network, bench, replace(build, optimise=optimise))
    if tensors is None:
        tensors = reference.run(network, stimuli.images)
    with nullcontext(Path(folder)) if folder else outputs.temporary_folder() as place:
        place.mkdir(parents=True, exist_ok=True)
        simulation.write(place, stimuli, tensors)
        if subject.emission is not None and to_load:
            loading.write(place, subject.emission.manifest, to_load)
        start = time.monotonic()
        try:
            run = simulation.run(place, watch=watch)
        except RunFailed as error:
            if build.waves:
                gtkwave.write(place, bench.designs, network.graph, error)
            raise
        seconds = time.monotonic() - start
        load_cycles = loading.cycles(place)
        counted = _code_coverage(bench, place) if build.code_coverage else None
    return Cosim(
        level=subject.level,
        simulator=build.simulator,
        build_seconds=mapped + simulation.model.seconds,
        seconds=seconds,
        constant_logits=is_constant(stimuli.images, tensors[network.graph.output.name]),
        coverage=_coverage(network, design, subject, bench, stimuli, tensors, run)
        if cover
        else None,
        code_coverage=counted,
        load_cycles=load_cycles,
        gates={} if subject.gates is None else gate_level.cells(bench),
        **_predicted(design, subject, stimuli),
        **_figures(simulation, run, stimuli),
    )


def require_fitting(network: Network, subject: Subject, build: Build = Build()) -> None:
    """Ask before long work whether what is simulated goes together.

    Raises
    ------
    InputError: a netlist or assertions in a simulator that does not take them, weights that the RTL
    does not take, or the RTL of another network and no weights
    """
    if subject.gates is not None and build.simulator != Simulator.VERILATOR:
        raise InputError("simulator: gate level is for verilator; leave --gates out for icarus")
    if subject.asserted and (subject.gates or build.simulator != Simulator.VERILATOR):
        raise InputError("assertions: are bound to the RTL, in verilator; leave them out here")
    emission = subject.emission
    if emission is None:
        if subject.load:
            raise InputError("load: expected an RTL folder")
        return
    for one in subject.load:
        image.require_loadable(one, emission.manifest, emission.source)
    if subject.load and subject.load[-1].digest != network.digest:
        raise InputError("load: expected the network itself as the last one")
    if not subject.load and emission.manifest["network_digest"] != network.digest:
        raise InputError(
            f"{emission.source}: network_digest: the RTL is of another network; emit it again, or"
            " load its weights with --load"
        )


def _built(network: Network, design: Design | None, subject: Subject) -> tuple[Design, list[Image]]:
    """The design that is simulated, and what is loaded into it. RTL has a design of its own.

    Raises
    ------
    InputError: weights that the RTL does not take, no design and no RTL
    """
    emission = subject.emission
    if emission is not None:
        images = [image.make(one, emission.manifest, emission.source) for one in subject.load]
        return emit.design_in(network, emission), images
    if design is None:
        raise InputError("design: expected one, or an RTL folder")
    return design, []


def _coverage(
    network: Network,
    design: Design,
    subject: Subject,
    bench: designs.Bench,
    stimuli: Stimuli,
    tensors: Mapping[str, np.ndarray],
    run: Run,
) -> Coverage:
    coverage = Coverage()
    hardware.measure(coverage, network, design)
    values.measure(coverage, network, tensors)
    for name, corners in bench.corners.items():
        values.measure_node(coverage, network, network.graph[name], corners.inputs)
    frames, stalled = len(stimuli.images) + bench.corner_frames, stimuli.stalled
    streams.measure(coverage, network, run.seen, frames=frames, stalled=stalled)
    reset_states.measure(coverage, network, run.resets)
    if subject.level != Level.PE:
        # There streams carry the elements' operands and sums, not the layers' tensors.
        layers = {stream.layer.partition(" ")[0] for stream in run.compared}
        instances.measure(coverage, network, layers, tensors, run.seen)
        for name, corners in bench.corners.items():
            instances.measure_values(coverage, network, network.graph[name], corners.inputs)
    return coverage


def _code_coverage(bench: designs.Bench, folder: Path) -> CodeCoverage:
    counts = points.read(folder, bench.rtl)
    return CodeCoverage(digest_of(bench.rtl), counts)


def _predicted(design: Design, subject: Subject, stimuli: Stimuli) -> dict[str, Any]:
    """The fields of a `Cosim` about the pace that the design is expected to keep."""
    if subject.level != Level.NETWORK or len(stimuli.images) < 2:
        return {}
    return {
        "predicted_cycles_per_frame": cost.predict(design).cycles_per_frame,
        "short_buffers": tuple(map(str, buffers.short(design))),
    }


def _figures(simulation: Simulation, run: Run, stimuli: Stimuli) -> dict[str, Any]:
    """The fields of a `Cosim` that count frames, beats and cycles."""
    free = len(stimuli.images) + simulation.bench.corner_frames
    widths = {label_of(stream): stream.width for stream in simulation.built.taps}
    return {
        "frames": stimuli.passes * free,
        "stalled_frames": (stimuli.passes - 1) * free,
        "beats": sum(stream.beats for stream in run.compared),
        "bits": sum(stream.beats * widths[stream.layer] for stream in run.compared),
        "mismatches": sum(stream.mismatches for stream in run.compared),
        "layers": len(run.compared),
        "cycles": run.cycles,
        "cycles_per_frame": max(
            (e[free - 1] - e[0]) / (free - 1) if free > 1 else e[0] for e in run.ends
        ),
        "latency": max(e[0] for e in run.ends),
        "cycles_per_second": run.cycles / run.seconds,
        "compared": run.compared,
        "corners": counts(simulation.bench.corners.values()),
    }


def _optimise(network: Network, frames: int) -> str:
    beats = sum(int(np.prod(node.shape)) for node in network.graph)
    return "-O0" if frames * beats < FEW_BEATS else "-O1"

"""Co-simulation of a network's hardware: every bit of every layer against the integer reference.

Four levels. `network` runs the emitted top module as a whole, through its AXI4-Stream ports, with
a tap on every layer inside. `cell`, `op` and `pe` run each module of the top level, each layer or
each processing element on its own, fed with the reference's tensors: see `sim.designs`.
"""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from hw.dataflow import cost
from hw.dataflow.loading import image
from hw.dataflow.plan import Plan, from_dict
from hw.errors import InputError
from hw.ir import reference
from hw.ir.network import Network
from hw.verilog import emit
from sim import designs, loading
from sim import gates as gate_level
from sim.coverage import hardware, streams, values
from sim.coverage.store import Coverage
from sim.designs import LEVELS
from sim.harness import STALL_PATTERNS
from sim.scoreboard import Compared
from sim.simulation import Resets, Simulation, label_of

MOST_BEFORE_RESET = 20_000
"""Cycles after which the first reset in mid-frame comes at the latest."""

FEW_BEATS = 50_000
"""Beats over all layers up to which optimising the model takes longer than it saves."""


@dataclass(frozen=True)
class Cosim:
    """What a co-simulation did and found.

    Parameters
    ----------
    level: one of LEVELS
    simulator: "verilator" or "icarus"
    frames: that passed through each design, stalled ones included
    stalled_frames: of these, the ones under back-pressure
    beats, bits: compared, over all layers
    mismatches: bits that differ: 0, or CheckFailed was raised
    layers: number of streams compared
    cycles: clock cycles simulated
    cycles_per_frame: between the ends of two frames at full speed; with one such frame, its latency
    latency: cycles from the end of reset to the first frame's end; both are the slowest design's
    cycles_per_second: simulated clock cycles in a second
    build_seconds, seconds: to build the model (or find it), and to simulate and compare
    compared: each stream's figures, in the network's order
    coverage: what the run has been through, where it was asked for
    gates: cells of the netlist, by kind; empty where RTL was simulated
    load_cycles: that loading the weights and reading them back took
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
    cycles_per_frame: float
    latency: int
    cycles_per_second: float
    build_seconds: float
    seconds: float
    compared: tuple[Compared, ...]
    coverage: Coverage | None = None
    load_cycles: int = 0
    gates: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """What runs over the same images share.

    Parameters
    ----------
    tensors: of the reference, by name
    reset_after: cycles after which all designs are in mid-frame
    """

    tensors: Mapping[str, np.ndarray]
    reset_after: int


def random_images(network: Network, count: int, seed: int) -> np.ndarray:
    """Full-range images, uint8 (count, H, W, C): noise, and among the first ones the corners.

    The corners are all 0, all 255, and a checkerboard of both.
    """
    height, width, channels = network.graph.input.shape
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, height, width, channels), dtype=np.uint8)
    rows, columns = np.indices((height, width))
    checkerboard = ((rows + columns) % 2 * 255).astype(np.uint8)[..., None]
    for position, corner in enumerate((0, 255, checkerboard), start=1):
        if position < count:
            images[position] = corner
    return images


def cosim(
    network: Network,
    plan: Plan,
    *,
    images: np.ndarray,
    stall: float = 0.25,
    stall_pattern: str = "mixed",
    seed: int = 1,
    level: str = "network",
    only: Sequence[str] = (),
    emission: emit.Emission | None = None,
    gates: str | None = None,
    simulator: str = "verilator",
    folder: Path | None = None,
    waves: bool = False,
    optimise: str | None = None,
    patience: int | None = None,
    resets: int = 3,
    cover: bool = False,
    shelf: str = "model",
    known: Known | None = None,
    load: Sequence[Network] = (),
    watch: Callable[[int, int], None] | None = None,
) -> Cosim:
    """Run the images through the hardware of `network`, built as planned, and compare every layer.

    Parameters
    ----------
    images: uint8 (N, H, W, C); each goes through at full speed, then, if `stall` is not 0, all once
    more under stalls
    stall: chance that a source or a sink pauses in a cycle where the pattern is "bernoulli", [0, 1)
    stall_pattern: when they pause: a name of sim.stalls.PATTERNS, or "mixed": one frame with each
    seed: of the stalls
    level: one of LEVELS
    only: names of the cells or layers to simulate, default: all; not for level `network`
    emission: RTL to simulate instead of emitting it anew; level `network` only
    gates: simulate Yosys' netlist instead of the RTL: one of `sim.gates.FORMS`
    simulator: "verilator", or "icarus": slow, but it knows X
    folder: for the files of the run (sim.log, waves); default: a temporary one
    waves: write `dump.vcd` to `folder`
    optimise: g++ flag for the model; default: -O0 for a run of few beats, which builds faster, else
    -O1
    patience: cycles in which nothing moves before it counts as a hang; default: by the largest
    layer
    resets: runs that are begun and cut off by a reset in mid-frame, before the one that counts
    cover: measure the functional coverage (see `sim.coverage`)
    shelf: of the cache that keeps the model, see `sim.runner.build`
    known: what several runs over the same images share
    load: networks whose weights are loaded into `emission`, which may be another's, one after the
        other, before the images come; the last one is `network`. `plan` is then the emission's
    watch: called with (frames done, frames in all) now and then

    Raises
    ------
    CheckFailed: a difference (the first layer in the network's order, frame, pixel, channel, both
    values), a hang (full and empty FIFOs), a broken stream rule; InputError: a wrong argument, a
    tool that is missing.
    """
    if not 0 <= stall < 1:
        raise InputError(f"stall: {stall}; expected a probability in [0, 1)")
    if stall_pattern not in STALL_PATTERNS:
        raise InputError(
            f"stall-pattern: {stall_pattern!r}; expected one of {', '.join(STALL_PATTERNS)}"
        )
    if gates is not None and simulator != "verilator":
        raise InputError("simulator: gate level is for verilator; leave --gates out for icarus")
    stalled = stall > 0 and stall_pattern != "never"
    reference.check_images(network, images)
    images_to_load = []
    if load:
        if emission is None or load[-1].digest != network.digest:
            raise InputError("load: expected an RTL folder, and the network itself as the last one")
        images_to_load = [image.make(one, emission.manifest) for one in load]
        plan = replace(from_dict(emission.manifest["plan"]), network=network.digest)
    elif emission is not None and emission.manifest["network_digest"] != network.digest:
        raise InputError(
            "manifest.json: network_digest: the RTL is of another network; emit it again, or load"
            " its weights with --load"
        )
    bench = designs.bench(network, plan, level, emission=emission, only=only)
    start = time.monotonic()
    if gates is not None:
        bench = gate_level.of(bench, gates)
    seconds_to_map = time.monotonic() - start
    simulation = Simulation.build(
        network,
        bench,
        optimise=optimise or _optimise(network, len(images)),
        waves=waves,
        shelf=shelf,
        simulator=simulator,
    )
    with ExitStack() as stack:
        if folder is None:
            temporary = tempfile.TemporaryDirectory(prefix="shiftnas-")
            folder = Path(stack.enter_context(temporary))
        folder.mkdir(parents=True, exist_ok=True)
        tensors = simulation.write(
            folder,
            images,
            stall=stall,
            pattern=stall_pattern,
            seed=seed,
            patience=patience,
            resets=Resets(
                resets,
                known.reset_after if known else reset_after(network, plan, level),
                # A netlist's flip-flops begin as the device loads them, which is not simulated.
                cold=gates is None,
            ),
            tensors=known.tensors if known else None,
        )
        if emission is not None and load:
            loading.write(folder, emission.manifest, images_to_load)
        start = time.monotonic()
        run = simulation.run(folder, seed=seed, watch=watch)
        seconds = time.monotonic() - start
        load_cycles = loading.cycles(folder)
    free = len(images)
    coverage = None
    if cover:
        coverage = Coverage()
        hardware.measure(coverage, network, plan)
        values.measure(coverage, network, tensors)
        streams.measure(coverage, network, run.seen, frames=free, stalled=stalled)
    widths = {label_of(stream): stream.width for stream in simulation.built.taps}
    return Cosim(
        level=level,
        simulator=simulator,
        frames=2 * free if stalled else free,
        stalled_frames=free if stalled else 0,
        beats=sum(stream.beats for stream in run.compared),
        bits=sum(stream.beats * widths[stream.layer] for stream in run.compared),
        mismatches=sum(stream.mismatches for stream in run.compared),
        layers=len(run.compared),
        cycles=run.cycles,
        cycles_per_frame=max(
            (e[free - 1] - e[0]) / (free - 1) if free > 1 else e[0] for e in run.ends
        ),
        latency=max(e[0] for e in run.ends),
        cycles_per_second=run.cycles / run.seconds,
        build_seconds=seconds_to_map + simulation.model.seconds,
        seconds=seconds,
        compared=run.compared,
        coverage=coverage,
        load_cycles=load_cycles,
        gates={} if gates is None else gate_level.cells(bench),
    )


def reset_after(network: Network, plan: Plan, level: str) -> int:
    """Cycles after which a level's designs are all in mid-frame, as far as that is cheap."""
    predicted = cost.predict(network, plan)
    cycles = predicted.latency if level == "network" else predicted.cycles_per_frame
    return min(cycles * 3 // 5, MOST_BEFORE_RESET)


def _optimise(network: Network, frames: int) -> str:
    beats = sum(int(np.prod(node.shape)) for node in network.graph)
    return "-O0" if frames * beats < FEW_BEATS else "-O1"


def default_images(
    network: Network, images: np.ndarray | None, frames: int, seed: int
) -> np.ndarray:
    """The first `frames` of `images`, or random ones where there are none."""
    if frames < 1:
        raise InputError(f"frames: {frames}; expected 1 or more")
    if images is None:
        return random_images(network, frames, seed)
    if len(images) < frames:
        raise InputError(f"frames: {frames}; the data have {len(images)} images")
    return np.ascontiguousarray(images[:frames])


__all__: Sequence[str] = ["LEVELS", "Cosim", "cosim", "default_images", "random_images"]

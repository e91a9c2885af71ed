"""Co-simulation of a network's hardware: every bit of every layer against the integer reference.

Three levels. `network` runs the emitted top module as a whole, through its AXI4-Stream ports, with
a tap on every layer inside. `cell` runs each module of the top level on its own, `op` each layer on
its own, fed with the reference's tensors: a mistake cannot hide behind another one, and all of them
are found at once.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth.lib.wiring import In

from hw import emit, verilog
from hw.errors import CheckFailed, InputError
from hw.ir import reference
from hw.ir.arithmetic import out_format
from hw.ir.graph import Add, Concat, Node
from hw.ir.network import Network
from hw.layers.layer import layer
from hw.layers.rounding import signed_of
from hw.lower import children_of
from hw.plan import Plan
from sim import harness, runner, scoreboard
from sim.harness import Design, Harness, Stream
from sim.scoreboard import Compared

LEVELS = ("network", "cell", "op")
PATIENCE = 20_000
"""Cycles in which nothing moves before the watchdog steps in, at the least."""

FEW_BEATS = 50_000
"""Beats over all layers up to which optimising the model takes longer than it saves."""


@dataclass(frozen=True)
class Cosim:
    """What a co-simulation did and found.

    Parameters
    ----------
    level: one of LEVELS
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
    """

    level: str
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
    seed: int = 1,
    level: str = "network",
    emission: emit.Emission | None = None,
    folder: Path | None = None,
    waves: bool = False,
    optimise: str | None = None,
    patience: int | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> Cosim:
    """Run the images through the hardware of `network`, built as planned, and compare every layer.

    Parameters
    ----------
    images: uint8 (N, H, W, C); each goes through at full speed, then, if `stall` is not 0, all once
    more under stalls
    stall: chance that a source or a sink pauses in a cycle, in [0, 1)
    seed: of the stalls
    level: one of LEVELS
    emission: RTL to simulate instead of emitting it anew; level `network` only
    folder: for the files of the run (sim.log, waves); default: a temporary one
    waves: write `dump.vcd` to `folder`
    optimise: g++ flag for the model; default: -O0 for a run of few beats, which builds faster, else
    -O1
    patience: cycles in which nothing moves before it counts as a hang; default: by the largest
    layer
    watch: called with (frames done, frames in all) now and then

    Raises
    ------
    CheckFailed: a difference (the first layer in the network's order, frame, pixel, channel, both
    values), a hang (full and empty FIFOs), a broken stream rule; InputError: a wrong argument, a
    tool that is missing.
    """
    if level not in LEVELS:
        raise InputError(f"level: {level!r}; expected one of {', '.join(LEVELS)}")
    if not 0 <= stall < 1:
        raise InputError(f"stall: {stall}; expected a probability in [0, 1)")
    reference.check_images(network, images)
    if emission is not None and emission.manifest["network_digest"] != network.digest:
        raise InputError(
            "manifest.json: network_digest: the RTL is of another network; emit it again"
        )
    if level == "network":
        emission = emission or emit.emit(network, plan)
        designs, sources = [whole(network, emission)], dict(emission.files)
    elif emission is not None:
        raise InputError(f"level: {level!r} emits its own RTL; leave the RTL folder out")
    else:
        designs, sources = parts(network, plan, level)
    built = harness.generate(designs)
    model = runner.build(
        sources | {"harness.sv": built.text, "agents.sv": harness.AGENTS.read_text()},
        harness.TOP,
        public=harness.CONTROLS,
        visible=harness.REPORTS,
        optimise=optimise or _optimise(network, len(images)),
        waves=waves,
    )
    with tempfile.TemporaryDirectory(prefix="shiftnas-") as temporary:
        place = Path(temporary) if folder is None else folder
        place.mkdir(parents=True, exist_ok=True)
        case = _case(network, built, images, stall, seed, patience, place)
        start = time.monotonic()
        result = _simulate(model, case, place, seed, waves, watch)
        seconds = time.monotonic() - start
        ends = [
            [int(cycle) for cycle in (place / f"sink_{number}.txt").read_text().split()]
            for number in range(len(built.sinks))
        ]
    compared = tuple(Compared.from_dict(entry) for entry in result["layers"])
    free = len(images)
    return Cosim(
        level=level,
        frames=case["frames"],
        stalled_frames=case["frames"] - free,
        beats=sum(layer.beats for layer in compared),
        bits=sum(layer.beats * _width(network, layer.layer) for layer in compared),
        mismatches=sum(layer.mismatches for layer in compared),
        layers=len(compared),
        cycles=result["cycles"],
        cycles_per_frame=max((e[free - 1] - e[0]) / (free - 1) if free > 1 else e[0] for e in ends),
        latency=max(e[0] for e in ends),
        cycles_per_second=result["cycles"] / result["seconds"],
        build_seconds=model.seconds,
        seconds=seconds,
        compared=compared,
    )


def whole(network: Network, emission: emit.Emission) -> Design:
    """The emitted top module, tapped at every layer that the manifest names."""
    graph, manifest = network.graph, emission.manifest
    taps = [
        Stream(
            entry["name"],
            f"{entry['path']}.o",
            entry["width"],
            entry["signed"],
            entry["beats_per_frame"],
        )
        for entry in manifest["layers"]
    ]
    paths = {entry["name"]: entry["path"] for entry in manifest["layers"]}
    return Design(
        "dut",
        manifest["top"],
        [_stream(network, graph.input.name, "s_axis")],
        [_stream(network, graph.output.name, "m_axis")],
        taps,
        _fifos(graph.nodes, lambda node: paths[node.name]),
    )


def parts(network: Network, plan: Plan, level: str) -> tuple[list[Design], dict[str, str]]:
    """Each module of the top level (`cell`) or each layer (`op`) as a design, and their Verilog."""
    graph = network.graph
    designs, sources = [], {}
    if level == "cell":
        shapes = {node.name: signed_of(out_format(network, node.name)) for node in graph}
        modules = {
            name: (child.component, child.reads, child.writes)
            for name, child in children_of(network, plan, shapes).items()
        }
    else:
        modules = {}
        for node in graph.nodes[1:]:
            component = layer(network, node, plan)
            ports = [port for port, end in component.signature.members.items() if end.flow is In]
            reads = dict(zip(ports, node.inputs, strict=True))
            modules[node.name] = (component, reads, {"o": node.name})
    for number, (name, (component, reads, writes)) in enumerate(modules.items()):
        module = f"dut{number}"
        sources[f"{module}.v"] = verilog.convert(component, module)
        inside = [node for node in graph if node.name == name or node.name.startswith(f"{name}/")]
        below = len(name) + 1
        designs.append(
            Design(
                f"u{number}",
                module,
                [_stream(network, tensor, port) for port, tensor in reads.items()],
                [_stream(network, tensor, port) for port, tensor in writes.items()],
                [
                    _stream(network, node.name, f"{node.name[below:].replace('/', '.')}.o")
                    for node in inside
                    if node.name != name and node.name not in writes.values()
                ],
                _fifos(inside, lambda node, below=below: node.name[below:].replace("/", ".")),
            )
        )
    return designs, sources


def _stream(network: Network, tensor: str, port: str) -> Stream:
    fmt = out_format(network, tensor)
    height, width, channels = network.graph[tensor].shape
    return Stream(tensor, port, fmt.width, fmt.signed, height * width * channels)


def _fifos(nodes: Iterable[Node], path: Callable[[Node], str]) -> list[tuple[str, str]]:
    """Label and path of each FIFO of the joins among the nodes."""
    found = []
    for node in nodes:
        if isinstance(node, Add | Concat):
            for position, tensor in enumerate(node.inputs):
                below = ".".join(filter(None, [path(node), f"fifo{position}"]))
                found.append((f"{node.name} input {position} ({tensor})", below))
    return found


def _optimise(network: Network, frames: int) -> str:
    beats = sum(int(np.prod(node.shape)) for node in network.graph)
    return "-O0" if frames * beats < FEW_BEATS else "-O1"


def _width(network: Network, label: str) -> int:
    """Bits of one beat of a compared stream."""
    return out_format(network, label.split(" ")[0]).width


def _case(
    network: Network,
    built: Harness,
    images: np.ndarray,
    stall: float,
    seed: int,
    patience: int | None,
    folder: Path,
) -> dict:
    """Everything the testbench reads, written to `folder`."""
    passes = 2 if stall else 1
    tensors = reference.run(network, images)
    for number, stream in enumerate(built.sources):
        data = scoreboard.to_bytes(tensors[stream.tensor], harness.source_bytes(stream))
        (folder / f"source_{number}.bin").write_bytes(data * passes)
    taps, written = [], {}
    positions = {node.name: position for position, node in enumerate(network.graph)}
    for stream in built.taps:
        if stream.tensor not in written:
            file = f"expected_{len(written)}.bin"
            words = scoreboard.to_words(tensors[stream.tensor], harness.tap_words(stream))
            words.tofile(folder / file)
            written[stream.tensor] = file
        taps.append(
            {
                "layer": stream.tensor + (" (m_axis)" if stream.is_axis else ""),
                "words": harness.tap_words(stream),
                "expected": written[stream.tensor],
                "passes": passes,
                "shape": list(network.graph[stream.tensor].shape),
                "signed": stream.signed,
            }
        )
    order = sorted(
        range(len(taps)), key=lambda k: (positions[built.taps[k].tensor], built.taps[k].is_axis)
    )
    largest = max((layer.codes.size for layer in network.params.values()), default=0)
    case = {
        "frames": passes * len(images),
        "stall_from": len(images),
        "stall": round(stall * 65536),
        "seed": seed % (1 << 32),
        "patience": max(PATIENCE, 4 * largest) if patience is None else patience,
        "taps": taps,
        "order": order,
        "fifos": list(built.fifos),
    }
    (folder / "case.json").write_text(json.dumps(case))
    return case


def _simulate(
    model: runner.Model,
    case: Mapping,
    folder: Path,
    seed: int,
    waves: bool,
    watch: Callable[[int, int], None] | None,
) -> dict:
    """Run the testbench; its result. A difference is raised only after the result was read."""
    total = case["frames"]

    def poll() -> None:
        ends = folder / "sink_0.txt"
        if watch is not None and ends.is_file():
            watch(min(total, ends.read_bytes().count(b"\n")), total)

    try:
        runner.run(
            model,
            "sim.tb_network",
            folder,
            seed=seed,
            env={"SHIFTNAS_CASE": str((folder / "case.json").resolve())},
            waves=waves,
            poll=poll,
        )
    except CheckFailed as error:
        raise CheckFailed(f"cosim: {error}") from None
    return json.loads((folder / "result.json").read_text())


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

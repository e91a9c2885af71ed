"""What is simulated: a whole network, or its cells, layers or processing elements one by one.

Each is a `Design` with agents on its ports. Parts are fed with the reference's tensors, so that a
mistake in one cannot hide behind another one, and all of them are found at once. Layers and
processing elements get corners of their own after these (`hw.corners`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hw.corners.frames import Corners, frames_for, make, with_corners
from hw.dataflow.design.design import Design
from hw.dataflow.layers.component import component
from hw.dataflow.loading.addresses import AddressMap, address_map
from hw.dataflow.top import children_of
from hw.errors import InputError
from hw.ir.graph import Add, Concat, Node
from hw.ir.network import Network
from hw.verilog import assertions, cut, emit, rtl_folder
from hw.verilog.convert import to_verilog
from hw.verilog.statements import Module, read
from sim import processing_elements
from sim.harness import Dut, Stream
from sim.level import Level

Tensors = Mapping[str, np.ndarray]
"""Integers of each stream, by label, frame after frame."""

CORNERED = (Level.OP, Level.PE)
"""Levels whose parts are single layers, which can be driven into their corners."""


@dataclass(frozen=True)
class Bench:
    """Designs to simulate side by side.

    Parameters
    ----------
    designs: the modules under test
    sources: their Verilog, by file name
    data: from the reference's tensors to those of all streams
    corners: by node, the frames that `data` adds to those of the images, as many for each
    cold: whether registers begin as a reset leaves them; a netlist's begin as the device loads
    them, which is not simulated
    rtl: those of the sources that are files of an emission; none where parts are made anew
    """

    designs: Sequence[Dut]
    sources: Mapping[str, str]
    data: Callable[[Tensors], Tensors] = dict
    corners: Mapping[str, Corners] = field(default_factory=dict)
    cold: bool = True
    rtl: Mapping[str, str] = field(default_factory=dict)

    @property
    def corner_frames(self) -> int:
        """Frames of corners that follow those of the images."""
        return next((len(corners.output) for corners in self.corners.values()), 0)


@dataclass(frozen=True)
class Part:
    """A component on its own, and the label of the stream at each of its ports: a tensor's name,
    alone or with more behind it."""

    component: wiring.Component
    reads: Mapping[str, str]
    writes: Mapping[str, str]


def bench(
    network: Network,
    design: Design,
    level: str,
    *,
    emission: rtl_folder.Emission | None = None,
    only: Sequence[str] = (),
    asserted: bool = False,
    corners: int | None = None,
    seed: int = 1,
) -> Bench:
    """The designs of a level.

    Parameters
    ----------
    design: of the network as it is built
    level: one of `Level`
    emission: RTL to simulate instead of emitting it anew; below level `network` its modules are
    taken out of it
    only: names of the cells or layers wanted, all of them by default; not for level `network`
    asserted: with the assertions that belong to the RTL bound to it; level `network` only
    corners: frames of corners for each layer or element, default: as many as the level's corners
    need, within bounds; only for levels `op` and `pe`
    seed: of the corners

    Raises
    ------
    InputError: a level, an RTL, a name or corners that do not fit
    """
    if level not in tuple(Level):
        raise InputError(f"level: {level!r}; expected one of {', '.join(Level)}")
    level = Level(level)
    if corners and level not in CORNERED:
        raise InputError(f"corners: level {level} has none; choose op or pe, or leave them out")
    wanted = chosen(network, level, only)
    if level is Level.NETWORK:
        emission = emission or emit.emit(design)
        sources = dict(emission.files)
        if asserted:
            sources[emission.top + assertions.SUFFIX] = assertions.assertions(emission)
        return Bench([whole(design, emission)], sources, rtl=emission.files)
    if asserted:
        raise InputError("assertions: are bound to the whole network; give level network")
    made = _bench(network, design, level, wanted, corners, seed, emission)
    if emission is None:
        return made
    below = ".elements" if level is Level.PE else ""
    return _cut(made, [name.replace("/", ".") + below for name in wanted], emission)


def _bench(
    network: Network,
    design: Design,
    level: Level,
    wanted: Sequence[str],
    corners: int | None,
    seed: int,
    emission: rtl_folder.Emission | None,
) -> Bench:
    """The parts of a level, each on its own; `emission`: whose modules will be in them."""
    if level is Level.CELL:
        return _parts(design, _cells(design, wanted))
    if corners is None:
        corners = frames_for(network, names(network, level))
    made = {name: make(network, network.graph[name], corners, seed) for name in wanted if corners}
    if emission is not None:
        made = _carried(network, emission, made)
    if level is Level.PE:
        return _elements(network, processing_elements.elements(network, design, wanted), made)
    return _layers(network, design, wanted, made)


def whole(design: Design, emission: rtl_folder.Emission) -> Dut:
    """The emitted top module, tapped at every layer that the manifest names."""
    graph, manifest = design.graph, emission.manifest
    entries = manifest["layers"]
    paths = {entry["name"]: entry["path"] for entry in entries}
    return Dut(
        "dut",
        manifest["top"],
        [_stream(design, graph.input.name, "s_axis")],
        [_stream(design, graph.output.name, "m_axis")],
        [_stream(design, entry["name"], f"{entry['path']}.o") for entry in entries],
        _fifos(design, graph.nodes, lambda node: paths[node.name]),
        *load_port(manifest),
        engines=_engines(design, graph.nodes, lambda node: paths[node.name]),
    )


def load_port(manifest: Mapping[str, Any]) -> tuple[int, int]:
    """Of a network whose weights are loadable: bits of an address of its AXI4-Lite port, and cycles
    from the end of reset, or of loading, until it takes a beat; 0 and 0 where there is none.
    """
    if "load" not in manifest:
        return 0, 0
    widths = {port["name"]: port["width"] for port in manifest["ports"]}
    return widths["s_axil_awaddr"], manifest["load"]["hops"] + 2


def names(network: Network, level: str) -> list[str]:
    """What can be simulated on its own at a level: cells (and stems, pool, classifier), layers, or
    layers with a processing element."""
    nodes = network.graph.nodes[1:]
    match level:
        case Level.CELL:
            return list(dict.fromkeys(node.name.partition("/")[0] for node in nodes))
        case Level.PE:
            return [node.name for node in nodes if not isinstance(node, Add | Concat)]
        case Level.OP:
            return [node.name for node in nodes]
    raise ValueError(f"level: {level!r} has no parts")


def chosen(network: Network, level: str, only: Sequence[str]) -> list[str]:
    """The names of a level, or of these the ones in `only`; InputError for one there is not.

    Level `network` has none: it is simulated as a whole.
    """
    if level == Level.NETWORK:
        if only:
            raise InputError("only: level network simulates everything; choose cell, op or pe")
        return []
    known = names(network, level)
    for name in only:
        if name not in known:
            shown = ", ".join(known[:6]) + (", …" if len(known) > 6 else "")
            raise InputError(f"only: {name!r}; expected a name of level {level}: {shown}")
    return [name for name in known if not only or name in only]


def _cut(made: Bench, names: Sequence[str], emission: rtl_folder.Emission) -> Bench:
    """The parts of a bench, each with the module of that path in the RTL inside."""
    modules = read(emission.verilog)
    designs, sources = [], dict(emission.files)
    for part, name in zip(made.designs, names, strict=True):
        module = cut.module_in(modules, f"{emission.top}.{name}")
        inside, sources[f"{part.module}.v"] = wrapped(part, module)
        designs.append(inside)
    return replace(made, designs=designs, sources=sources, rtl=emission.files)


def wrapped(design: Dut, module: Module) -> tuple[Dut, str]:
    """The design with this module of emitted Verilog inside, and the Verilog around it: taps, FIFOs
    and engines are below the wrapper."""

    def below(path: str) -> str:
        return ".".join(filter(None, [cut.INSIDE, path]))

    sources, sinks = (
        {stream.port: stream.width for stream in streams}
        for streams in (design.sources, design.sinks)
    )
    inside = replace(
        design,
        taps=[replace(tap, port=below(tap.port)) for tap in design.taps],
        fifos=[(label, below(path), depth) for label, path, depth in design.fifos],
        engines=[(label, below(path), has) for label, path, has in design.engines],
    )
    return inside, cut.wrapper(design.module, module, sources, sinks)


def _carried(
    network: Network, emission: rtl_folder.Emission, made: Mapping[str, Corners]
) -> dict[str, Corners]:
    """The corners as modules of the RTL take them."""
    modules, found = read(emission.verilog), {}
    for name, corners in made.items():
        module = cut.module_in(modules, f"{emission.top}.{name.replace('/', '.')}")
        found[name] = cut.corners_as_taken(network, network.graph[name], module, corners)
    return found


def _cells(design: Design, wanted: Sequence[str]) -> dict[str, Part]:
    children = children_of(design, address_map(design), only=wanted)
    return {
        name: Part(children[name].component, children[name].reads, children[name].writes)
        for name in wanted
    }


def _layers(
    network: Network, design: Design, wanted: Sequence[str], corners: Mapping[str, Corners]
) -> Bench:
    regions = address_map(design)
    parts = {name: _layer_part(design, regions, design.graph[name]) for name in wanted}

    def data(tensors: Tensors) -> Tensors:
        found = {}
        for name, part in parts.items():
            fed, given = with_corners(network.graph[name], tensors, corners.get(name))
            found |= zip(part.reads.values(), fed, strict=True)
            found[name] = given
        return found

    return replace(_parts(design, parts), data=data, corners=corners)


def _parts(design: Design, parts: Mapping[str, Part]) -> Bench:
    designs, sources = [], {}
    for number, (name, part) in enumerate(parts.items()):
        module = f"dut{number}"
        # Weights stay as they are: a part's way to the loader is left out, which ties it to 0.
        sources[f"{module}.v"] = to_verilog(part.component, module, without=("load",))
        designs.append(_design(design, f"u{number}", module, name, part))
    return Bench(designs, sources)


def _layer_part(design: Design, regions: AddressMap, node: Node) -> Part:
    """A layer; its inputs have labels of their own, as they are not only another one's output."""
    made = component(design.layers[node.name], regions)
    members = made.signature.members.items()
    ports = [port for port, end in members if end.flow is In and port != "load"]
    reads = {
        port: f"{tensor} (to {node.name} {port})"
        for port, tensor in zip(ports, node.inputs, strict=True)
    }
    return Part(made, reads, {"o": node.name})


def _design(design: Design, instance: str, module: str, name: str, part: Part) -> Dut:
    """Agents on the ports of a part, taps on the layers inside it."""
    below = len(name) + 1
    inside = [
        node for node in design.graph if node.name == name or node.name.startswith(f"{name}/")
    ]

    def path(node: Node) -> str:
        return node.name[below:].replace("/", ".")

    return Dut(
        instance,
        module,
        [_stream(design, tensor, port) for port, tensor in part.reads.items()],
        [_stream(design, tensor, port) for port, tensor in part.writes.items()],
        [
            _stream(design, node.name, f"{path(node)}.o")
            for node in inside
            if node.name != name and node.name not in part.writes.values()
        ],
        _fifos(design, inside, path),
        engines=_engines(design, inside, path),
    )


def _elements(
    network: Network,
    elements: Mapping[str, processing_elements.Element],
    corners: Mapping[str, Corners],
) -> Bench:
    designs, sources = [], {}
    for number, element in enumerate(elements.values()):
        module = f"dut{number}"
        sources[f"{module}.v"] = to_verilog(element.component, module)
        designs.append(Dut(f"u{number}", module, [element.taps], [element.sums], [], []))

    def data(tensors: Tensors) -> Tensors:
        found = {}
        for name, element in elements.items():
            node = network.graph[name]
            (fed,), given = with_corners(node, tensors, corners.get(name))
            found |= element.data({node.inputs[0]: fed, name: given})
        return found

    return Bench(designs, sources, data, corners)


def _stream(design: Design, label: str, port: str) -> Stream:
    tensor = label.partition(" ")[0]
    fmt = design.formats[tensor]
    return Stream(label, port, fmt.width, fmt.signed, design.graph[tensor].shape)


def _engines(
    design: Design, nodes: Iterable[Node], path: Callable[[Node], str]
) -> list[tuple[str, str, bool]]:
    """Label, path and whether there is a requantiser, of each engine among the nodes."""
    return [
        (node.name, path(node), design.engines[node.name].end is not None)
        for node in nodes
        if node.name in design.engines
    ]


def _fifos(
    design: Design, nodes: Iterable[Node], path: Callable[[Node], str]
) -> list[tuple[str, str, int]]:
    """Label, path and depth of each FIFO of the joins among the nodes."""
    depths, found = design.fifos, []
    for node in nodes:
        for position, depth in enumerate(depths.get(node.name, ())):
            below = ".".join(filter(None, [path(node), f"fifo{position}"]))
            label = f"{node.name} input {position} ({node.inputs[position]})"
            found.append((label, below, depth))
    return found

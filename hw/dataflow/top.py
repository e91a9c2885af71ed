"""From network and plan to the top component: AXI4-Stream in, AXI4-Stream out, one module for each
path of the graph.

The hierarchy follows the node names (`cell0/edge3_sep_conv_3x3/dw1` becomes
top.cell0.edge3_sep_conv_3x3.dw1), which makes the paths of weights, plans, reports, scoreboards and
waves the same.
"""

# By the stubs of amaranth a Component has no `elaborate`, a flipped interface is none.
# pyright: reportArgumentType=false

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.stream import Interface
from amaranth.lib.wiring import In, Out

from hw import axi_lite
from hw.dataflow.design.design import Design
from hw.dataflow.layers.component import component
from hw.dataflow.layers.rounding import signed_of
from hw.dataflow.layers.streams import Fork
from hw.dataflow.loading.addresses import (
    CONTROLS,
    AddressMap,
    address_bits,
    address_map,
    leading_bits,
    map_digest,
)
from hw.dataflow.loading.axi import Loader
from hw.dataflow.loading.bus import Hop, share
from hw.dataflow.plan import JOINS
from hw.ir.graph import Node
from hw.ir.hardware_names import flat, fork_name

FRAMES_INSIDE_BITS = 16
"""Of the count of frames inside: more than the buffers of any network hold."""


@dataclass(frozen=True)
class Child:
    """A submodule of a group: its component, the tensor behind each input port and each output
    port."""

    component: wiring.Component
    reads: Mapping[str, str]
    writes: Mapping[str, str]


def port_name(direction: str, tensor: str) -> str:
    """Port of a group for a tensor: `i_stem_conv`, `o_cell0_concat`."""
    return f"{direction}_{flat(tensor)}"


def connect_children(
    m: Module,
    children: Mapping[str, Child],
    sources: Mapping[str, Interface],
    sinks: Mapping[str, Interface],
    shapes: Mapping[str, Shape],
    reset: Value | None = None,
) -> None:
    """Adds the children to `m` and joins every tensor's producer and readers, by a fork where
    there are several.

    `sources` are the tensors that enter from outside, `sinks` those that leave. `reset` resets all
    that is added, beside the clock domain's own.
    """
    added = (lambda part: part) if reset is None else ResetInserter(reset)
    producers = dict(sources)
    readers: dict[str, list[Interface]] = {}
    for name, child in children.items():
        m.submodules[name] = added(child.component)
        for port, tensor in child.writes.items():
            producers[tensor] = getattr(child.component, port)
        for port, tensor in child.reads.items():
            readers.setdefault(tensor, []).append(getattr(child.component, port))
    for tensor, sink in sinks.items():
        readers.setdefault(tensor, []).append(sink)
    for tensor, ends in readers.items():
        if len(ends) == 1:
            wiring.connect(m, producers[tensor], ends[0])
            continue
        fork = Fork(shapes[tensor], len(ends))
        m.submodules[fork_name(tensor)] = added(fork)
        wiring.connect(m, producers[tensor], fork.i)
        for k, end in enumerate(ends):
            wiring.connect(m, getattr(fork, f"o{k}"), end)


class Group(wiring.Component):
    """Modules that share a path: a cell, an edge's operation, a stem.

    Parameters
    ----------
    children: by submodule name
    reads, writes: tensors that cross the group's border
    shapes: payload shape of each tensor

    Members
    -------
    i_<tensor>: input streams; o_<tensor>: output streams
    load: `hw.dataflow.loading.bus.Bus`, if some weights inside are loadable
    """

    def __init__(
        self,
        children: Mapping[str, Child],
        reads: Iterable[str],
        writes: Iterable[str],
        shapes: Mapping[str, Shape],
    ):
        self.children, self.shapes = children, shapes
        self.reads = {port_name("i", tensor): tensor for tensor in reads}
        self.writes = {port_name("o", tensor): tensor for tensor in writes}
        loads = load_ports(children)
        super().__init__(
            {port: In(stream.Signature(shapes[tensor])) for port, tensor in self.reads.items()}
            | {port: Out(stream.Signature(shapes[tensor])) for port, tensor in self.writes.items()}
            | ({"load": In(next(iter(loads.values())).signature.flip())} if loads else {})
        )

    def elaborate(self, platform):
        m = Module()
        sources = {t: wiring.flipped(getattr(self, port)) for port, t in self.reads.items()}
        sinks = {t: wiring.flipped(getattr(self, port)) for port, t in self.writes.items()}
        connect_children(m, self.children, sources, sinks, self.shapes)
        ends = list(load_ports(self.children).values())
        if ends:
            share(m, wiring.flipped(self.load), ends)
        return m


def load_ports(children: Mapping[str, Child]) -> dict[str, wiring.PureInterface]:
    """The loader's ports of those children that have one."""
    return {
        name: child.component.load
        for name, child in children.items()
        if "load" in child.component.signature.members
    }


def children_of(
    design: Design,
    regions: AddressMap,
    prefix: str = "",
    only: Collection[str] | None = None,
) -> dict[str, Child]:
    """The modules directly below the path `prefix` ("" or ending in "/"), each with its tensors.

    `only`: names of those wanted, all of them by default.
    `regions`: where the memories of a loadable design lie, `address_map`.
    """
    children: dict[str, Child] = {}
    for node in design.graph.nodes[1:]:
        if not node.name.startswith(prefix):
            continue
        name, *below = node.name[len(prefix) :].split("/")
        if only is not None and name not in only:
            continue
        if not below:
            children[name] = _layer(design, regions, node)
        elif name not in children:
            children[name] = _group(design, regions, f"{prefix}{name}/")
    return children


def _layer(design: Design, regions: AddressMap, node: Node) -> Child:
    ports = [f"i{k}" for k in range(len(node.inputs))] if isinstance(node, JOINS) else ["i"]
    reads = dict(zip(ports, node.inputs, strict=True))
    return Child(component(design.layers[node.name], regions), reads, {"o": node.name})


def _group(design: Design, regions: AddressMap, prefix: str) -> Child:
    inside = [node for node in design.graph if node.name.startswith(prefix)]
    names = {node.name for node in inside}
    reads = dict.fromkeys(t for node in inside for t in node.inputs if t not in names)
    writes = [
        name
        for name in names
        if any(reader not in names for reader, _ in design.graph.readers[name])
    ]
    children = children_of(design, regions, prefix)
    group = Group(children, reads, sorted(writes), payload_shapes(design))
    return Child(group, group.reads, group.writes)


def payload_shapes(design: Design) -> dict[str, Shape]:
    """Payload shape of each tensor's stream."""
    return {name: signed_of(fmt) for name, fmt in design.formats.items()}


class Top(wiring.Component):
    """A network as an AXI4-Stream peripheral.

    Members
    -------
    s_axis: the image, one byte a beat, raster order, channels innermost; `tlast` is not needed and
        not looked at
    m_axis: the logits, one a beat, sign-extended to whole bytes; `tlast` on the frame's last
    s_axil: if the plan is loadable, the AXI4-Lite port of `hw.dataflow.loading.axi`

    Frames follow each other without a gap. Reset is synchronous.
    """

    def __init__(self, design: Design):
        self.design, self.regions = design, address_map(design)
        width = design.formats[design.graph.output.name].width
        super().__init__(
            {
                "s_axis_tdata": In(8),
                "s_axis_tvalid": In(1),
                "s_axis_tready": Out(1),
                "s_axis_tlast": In(1),
                "m_axis_tdata": Out(-(-width // 8) * 8),
                "m_axis_tvalid": Out(1),
                "m_axis_tready": In(1),
                "m_axis_tlast": Out(1),
                **(axi_lite.signature(address_bits(self.regions)) if self.regions else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        graph, shapes = self.design.graph, payload_shapes(self.design)
        image = stream.Signature(shapes[graph.input.name]).create(path=("image",))
        logits = stream.Signature(shapes[graph.output.name]).flip().create(path=("logits",))
        reset = Signal(name="halted") if self.regions else None
        children = children_of(self.design, self.regions)
        sources, sinks = {graph.input.name: image}, {graph.output.name: logits}
        connect_children(m, children, sources, sinks, shapes, reset)
        m.d.comb += [
            image.payload.eq(self.s_axis_tdata),
            image.valid.eq(self.s_axis_tvalid),
            self.s_axis_tready.eq(image.ready),
            self.m_axis_tdata.eq(logits.payload),
            self.m_axis_tvalid.eq(logits.valid),
            logits.ready.eq(self.m_axis_tready),
        ]
        height, width, channels = graph.output.shape
        beats = height * width * channels
        beat = Signal(range(beats))
        m.d.comb += self.m_axis_tlast.eq(beat == beats - 1)
        with m.If(self.m_axis_tvalid & self.m_axis_tready):
            m.d.sync += beat.eq(Mux(self.m_axis_tlast, 0, beat + 1))
        if self.regions:
            assert reset is not None
            self._loader(m, load_ports(children), reset)
            # In reset the network would take what it does not keep, and may show what it has lost.
            m.d.comb += [
                self.s_axis_tready.eq(image.ready & ~reset),
                self.m_axis_tvalid.eq(logits.valid & ~reset),
            ]
            with m.If(reset):
                m.d.sync += beat.eq(0)
        return m

    def _loader(self, m: Module, ends: Mapping[str, wiring.PureInterface], reset: Signal) -> None:
        """The AXI4-Lite port, and a hop for each of the children with weights."""
        bits = address_bits(self.regions)
        m.submodules.loader = loader = Loader(
            bits,
            controls=CONTROLS,
            hops=len(ends),
            map_digest=leading_bits(map_digest(self.design)),
            network_digest=leading_bits(self.design.digest),
        )
        axi_lite.join(m, self, loader, bits)
        m.d.comb += [reset.eq(loader.reset), loader.busy.eq(self._busy(m, reset))]
        before = loader.bus
        for name, end in ends.items():
            m.submodules[f"load_{name}"] = hop = Hop(bits)
            wiring.connect(m, before, hop.i)
            wiring.connect(m, hop.local, end)
            before = hop.o

    def _busy(self, m: Module, reset: Signal) -> Value:
        """Whether some frame has begun to enter and has not left."""
        height, width, channels = self.design.graph.input.shape
        beats = height * width * channels
        beat = Signal(range(beats), name="beat_in")
        inside = Signal(FRAMES_INSIDE_BITS, name="frames_inside")
        enters = self.s_axis_tvalid & self.s_axis_tready
        entered = enters & (beat == beats - 1)
        left = self.m_axis_tvalid & self.m_axis_tready & self.m_axis_tlast
        with m.If(enters):
            m.d.sync += beat.eq(Mux(entered, 0, beat + 1))
        m.d.sync += inside.eq(inside + entered - left)
        with m.If(reset):
            m.d.sync += [beat.eq(0), inside.eq(0)]
        return (beat != 0) | (inside != 0)

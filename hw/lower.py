"""From network and plan to the top component: AXI4-Stream in, AXI4-Stream out, one module for each
path of the graph.

The hierarchy follows the node names (`cell0/edge3_sep_conv_3x3/dw1` becomes
top.cell0.edge3_sep_conv_3x3.dw1), which makes the paths of weights, plans, reports, scoreboards and
waves the same.
"""

# By the stubs of amaranth a Component has no `elaborate`, a flipped interface is none.
# pyright: reportArgumentType=false

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.stream import Interface
from amaranth.lib.wiring import In, Out

from hw.ir.arithmetic import out_format
from hw.ir.graph import Add, Concat
from hw.ir.network import Network
from hw.layers.layer import layer
from hw.layers.rounding import signed_of
from hw.plan import Plan
from hw.streams import Fork


@dataclass(frozen=True)
class Child:
    """A submodule of a group: its component, the tensor behind each input port and each output
    port."""

    component: wiring.Component
    reads: Mapping[str, str]
    writes: Mapping[str, str]


def port_name(direction: str, tensor: str) -> str:
    """Port of a group for a tensor: `i_stem_conv`, `o_cell0_concat`."""
    return f"{direction}_{tensor.replace('/', '_')}"


def connect_children(
    m: Module,
    children: Mapping[str, Child],
    sources: Mapping[str, Interface],
    sinks: Mapping[str, Interface],
    shapes: Mapping[str, Shape],
) -> None:
    """Adds the children to `m` and joins every tensor's producer and readers, by a fork where
    there are several.

    `sources` are the tensors that enter from outside, `sinks` those that leave.
    """
    producers = dict(sources)
    readers: dict[str, list[Interface]] = {}
    for name, child in children.items():
        m.submodules[name] = child.component
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
        m.submodules[f"fork_{tensor.replace('/', '_')}"] = fork
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
        super().__init__(
            {port: In(stream.Signature(shapes[tensor])) for port, tensor in self.reads.items()}
            | {port: Out(stream.Signature(shapes[tensor])) for port, tensor in self.writes.items()}
        )

    def elaborate(self, platform):
        m = Module()
        sources = {t: wiring.flipped(getattr(self, port)) for port, t in self.reads.items()}
        sinks = {t: wiring.flipped(getattr(self, port)) for port, t in self.writes.items()}
        connect_children(m, self.children, sources, sinks, self.shapes)
        return m


def children_of(
    network: Network, plan: Plan, shapes: Mapping[str, Shape], prefix: str = ""
) -> dict[str, Child]:
    """The modules directly below the path `prefix` ("" or ending in "/"), each with its tensors."""
    children: dict[str, Child] = {}
    for node in network.graph.nodes[1:]:
        if not node.name.startswith(prefix):
            continue
        name, *below = node.name[len(prefix) :].split("/")
        if not below:
            joins = isinstance(node, Add | Concat)
            ports = [f"i{k}" for k in range(len(node.inputs))] if joins else ["i"]
            reads = dict(zip(ports, node.inputs, strict=True))
            children[name] = Child(layer(network, node, plan), reads, {"o": node.name})
        elif name not in children:
            children[name] = _group(network, plan, shapes, f"{prefix}{name}/")
    return children


def _group(network: Network, plan: Plan, shapes: Mapping[str, Shape], prefix: str) -> Child:
    inside = [node for node in network.graph if node.name.startswith(prefix)]
    names = {node.name for node in inside}
    reads = dict.fromkeys(t for node in inside for t in node.inputs if t not in names)
    writes = [
        name
        for name in names
        if any(reader not in names for reader, _ in network.graph.readers[name])
    ]
    group = Group(children_of(network, plan, shapes, prefix), reads, sorted(writes), shapes)
    return Child(group, group.reads, group.writes)


class Top(wiring.Component):
    """A network as an AXI4-Stream peripheral.

    Parameters
    ----------
    network, plan: what it computes and how it is built

    Members
    -------
    s_axis: the image, one byte a beat, raster order, channels innermost; `tlast` is not needed and
        not looked at
    m_axis: the logits, one a beat, sign-extended to whole bytes; `tlast` on the frame's last

    Frames follow each other without a gap. Reset is synchronous.
    """

    def __init__(self, network: Network, plan: Plan):
        self.network, self.plan = network, plan
        self.fmt = out_format(network, network.graph.output.name)
        super().__init__(
            {
                "s_axis_tdata": In(8),
                "s_axis_tvalid": In(1),
                "s_axis_tready": Out(1),
                "s_axis_tlast": In(1),
                "m_axis_tdata": Out(-(-self.fmt.width // 8) * 8),
                "m_axis_tvalid": Out(1),
                "m_axis_tready": In(1),
                "m_axis_tlast": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        graph = self.network.graph
        shapes = {n.name: signed_of(out_format(self.network, n.name)) for n in graph}
        image = stream.Signature(shapes[graph.input.name]).create(path=("image",))
        logits = stream.Signature(shapes[graph.output.name]).flip().create(path=("logits",))
        connect_children(
            m,
            children_of(self.network, self.plan, shapes),
            {graph.input.name: image},
            {graph.output.name: logits},
            shapes,
        )
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
        return m


def lower(network: Network, plan: Plan) -> Top:
    """The top component of a network built as planned."""
    return Top(network, plan)

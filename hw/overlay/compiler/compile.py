"""From a network to a program of an overlay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hw.errors import InputError
from hw.ir.graph import (
    Add,
    AvgPool,
    Concat,
    Conv,
    FactorizedReduce,
    GlobalPool,
    Linear,
    MaxPool,
    Node,
    Select,
)
from hw.ir.network import Network
from hw.overlay import isa
from hw.overlay.compiler.average import average_pool, half_planes
from hw.overlay.compiler.builder import Builder
from hw.overlay.compiler.classifier import classifier, pixels
from hw.overlay.compiler.conv import convolution
from hw.overlay.compiler.emitter import Emitter
from hw.overlay.compiler.gather import collect, reserve
from hw.overlay.compiler.global_pool import global_pool
from hw.overlay.compiler.join import add, concat, rename, select
from hw.overlay.compiler.max_pool import max_pool
from hw.overlay.compiler.move import move
from hw.overlay.compiler.placement import Placement, place, words
from hw.overlay.compiler.planes import Memory, MemoryFull, Tensor
from hw.overlay.compiler.ranges import Range, ranges
from hw.overlay.compiler.schedule import divided, reads, twins
from hw.overlay.hardware import Overlay
from hw.overlay.isa import Flow
from hw.overlay.places import Place
from hw.overlay.program import Program


@dataclass(frozen=True)
class Compiled:
    """A program and what is known of it.

    Parameters
    ----------
    places: where each tensor's channels lie, and from when on (logits lie nowhere)
    memory: words of the data memory in use at most
    acc_bits: of the widest sum; the program is the same for all accumulators that have them
    ends: of each node the section and the index of the word behind its last one, in order; what
        comes before the suffix's first node belongs to none
    """

    program: Program
    places: Mapping[str, tuple[Place, ...]]
    memory: int
    acc_bits: int
    ends: Mapping[str, tuple[str, int]]


def compile_network(network: Network, hardware: Overlay) -> Compiled:
    """A program that computes the network's logits, every tensor equal to the reference.

    Raises
    ------
    InputError: the network does not fit the overlay; names the layer, the number and what helps
    """
    _check_sides(network)
    placement = place(network.graph, hardware)
    twin = twins(network.graph)
    inputs = reads(network.graph, twin)
    known = ranges(network)
    full = None
    for option, nodes in divided(network, placement, inputs):
        try:
            if full is not None:
                # What stands where is soon found out; most of the time goes into the words.
                _Compiler(
                    network, hardware, option, nodes, twin, inputs, known, dry=True
                ).compiled()
            return _Compiler(network, hardware, option, nodes, twin, inputs, known).compiled()
        except MemoryFull as error:
            full = error
    assert full is not None
    raise full


class _Compiler:
    """One placement's program; MemoryFull: there are too few words for it."""

    def __init__(
        self,
        network: Network,
        hardware: Overlay,
        placement: Placement,
        nodes: Sequence[Node],
        twin: Mapping[str, str],
        inputs: Mapping[str, tuple[str, ...]],
        known: Mapping[str, Range],
        dry: bool = False,
    ):
        self.network, self.hardware, self.placement = network, hardware, placement
        parts = {True: [], False: []}
        for node in nodes:
            parts[node.name in placement.suffix].append(node)
        self.prefix, self.suffix = parts[False], parts[True]
        self.builder = Builder(
            network,
            hardware,
            placement,
            Memory(hardware.words),
            Emitter(hardware.streamed_body),
            dry=dry,
            ranges=known,
        )
        self.builder.twins = dict(twin)
        gathered = dict.fromkeys(placement.gathered, ())
        self.builder.inputs = {**inputs, **gathered}
        self.ends: dict[str, tuple[str, int]] = {}

    def compiled(self) -> Compiled:
        graph, builder, placement = self.network.graph, self.builder, self.placement
        slot, step = _image(builder)
        _reserve(builder)
        prefix = self._prefix()
        suffix = self._suffix()
        program = Program(
            hardware=self.hardware,
            prefix=prefix,
            suffix=suffix,
            image=graph.input.shape,
            image_pitch=placement.pitches[graph.input.name],
            image_slot=slot // words(placement.pitches[graph.input.name]),
            image_step=step,
            batch=placement.batch,
            logits=graph.output.shape[2],
            network=self.network.digest,
        )
        places = {
            name: tuple(found[channel] for channel in range(len(found)))
            for name, found in builder.places.items()
        }
        return Compiled(program, places, builder.memory.most, builder.acc_bits, self.ends)

    def _prefix(self) -> np.ndarray:
        """Words for each image."""
        builder, placement = self.builder, self.placement
        builder.emitter.put(isa.Jump(Flow.WAIT_IMAGE).pack())
        self._read_in(self.prefix)
        for node in self.prefix:
            (_moved if node.name in placement.moved else _operation)(builder, node)
            for gather in placement.gathers:
                if gather.source == node.name:
                    collect(builder, gather)
                    if node.name not in builder.last_reader:
                        builder.drop(node.name)
            builder.emitter.seal()
            self.ends[node.name] = "prefix", builder.emitter.length
        return builder.emitter.section(Flow.END_PREFIX)

    def _suffix(self) -> np.ndarray:
        """Words for the batch."""
        builder, output = self.builder, self.network.graph.output
        builder.section = "suffix"
        builder.tensors |= builder.shared
        builder.released.clear()
        self._read_in(self.suffix)
        for finish in builder.later:
            finish()
        for node in self.suffix:
            _operation(builder, node)
            builder.emitter.seal()
            self.ends[node.name] = "suffix", builder.emitter.length
        if not isinstance(output, Linear):
            pixels(builder, output)
        return builder.emitter.section(Flow.END_SUFFIX)

    def _read_in(self, nodes: Sequence[Node]) -> None:
        """Who reads each tensor last in a section."""
        inputs = self.builder.inputs
        self.builder.last_reader = {s: node.name for node in nodes for s in inputs[node.name]}


def _check_sides(network: Network) -> None:
    for node in network.graph:
        if max(node.shape[:2]) > isa.LONGEST_SIDE:
            raise InputError(
                f"{node.name}: {node.shape[0]} x {node.shape[1]} pixels; an overlay's planes have"
                f" at most {isa.LONGEST_SIDE} rows and columns"
            )


def _image(builder: Builder) -> tuple[int, int]:
    """The two buffers of the image: first word of one, words to the other. They stay."""
    node = builder.network.graph.input
    pitch, channels = builder.placement.pitches[node.name], node.shape[2]
    builder.finish(node)
    planes = builder.memory.take(node.name, 2 * channels, pitch)
    tensor = Tensor(planes[:channels], pitch, image=True)
    builder.tensors[node.name] = tensor
    builder.places[node.name] = {
        channel: Place(plane, pitch, "prefix", 0, image=True)
        for channel, plane in enumerate(tensor.planes)
    }
    return planes[0], planes[channels] - planes[0]


def _reserve(builder: Builder) -> None:
    """Planes that hold one image of a batch while the prefix is done for the others."""
    placement = builder.placement
    for gather in placement.gathers:
        reserve(builder, gather)
    for node in builder.network.graph:
        if node.name in placement.border:
            direct = isinstance(node, AvgPool) and any(placement.cuts(node))
            halves = half_planes(builder, node) if isinstance(node, AvgPool) and direct else 1
            builder.reserved[node.name] = builder.memory.take(
                node.name, node.shape[2] * halves, placement.pitches[node.name], pairs=halves > 1
            )


def _moved(builder: Builder, node: Node) -> None:
    """A node of the border that lies as the first image's, copied to where its image lies."""
    targets = builder.reserved.pop(node.name)
    _operation(builder, node)
    indices = move(builder, node, builder.tensors[node.name].planes, targets)
    if node.name not in builder.placement.both:
        builder.drop(node.name)
    builder.shared[node.name] = Tensor(targets, builder.placement.pitches[node.name])
    builder.places[node.name] = {
        channel: Place(plane, builder.placement.pitches[node.name], builder.section, index)
        for channel, (plane, index) in enumerate(zip(targets, indices, strict=True))
    }


def _operation(builder: Builder, node: Node) -> None:
    match node:
        case _ if node.name in builder.twins:
            rename(builder, node, tuple(range(node.shape[2])))
        case Conv() | FactorizedReduce():
            convolution(builder, node)
        case MaxPool():
            max_pool(builder, node)
        case AvgPool():
            average_pool(builder, node)
        case GlobalPool():
            global_pool(builder, node)
        case Add():
            add(builder, node)
        case Concat():
            concat(builder, node)
        case Select():
            select(builder, node)
        case Linear():
            classifier(builder, node)
        case _:
            raise TypeError(f"{node.name}: a {type(node).__name__} is no operation")
    last = builder.last_read(node)
    images = any(builder.tensors[name].image for name in last)
    for name in sorted(last):
        builder.drop(name)
    if images and not any(tensor.image for tensor in builder.tensors.values()):
        builder.emitter.put(isa.Jump(Flow.FREE_IMAGE).pack())

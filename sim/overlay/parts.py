"""Cells and layers of a network on their own, for an overlay: networks whose images are the
reference's tensors.

A part reads tensors, an overlay takes images of unsigned bytes. So each tensor that comes from
outside is some channels of the image, moved above zero where it is signed, and a first layer takes
it back: channels are selected, a depthwise convolution of 1 × 1 with weights of one subtracts 128
(with the stride that makes a small tensor out of a large image). What comes out goes through a
global pool, for an overlay gives logits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from hw.errors import InputError
from hw.ir import reference
from hw.ir.arithmetic import out_format
from hw.ir.clip import Clip
from hw.ir.format import IMAGE_FORMAT, Format
from hw.ir.graph import Conv, GlobalPool, Graph, Input, Linear, Node, Pair, Select
from hw.ir.network import Network
from hw.ir.parameters import LayerParams
from sim.level import Level

IMAGE = "image"
OFFSET = 1 << (IMAGE_FORMAT.width - 1)
"""Added to a signed tensor, so that it is a byte."""

_OWN = "given"
"""What the nodes' names begin with that make tensors of the image."""


@dataclass(frozen=True, eq=False)
class Part:
    """A part as a network.

    Parameters
    ----------
    name: of the cell or the layer
    network: it, with what makes its inputs and its logits
    images: its inputs, uint8 (N, H, W, C)
    nodes: those of the whole network that are in it
    """

    name: str
    network: Network
    images: np.ndarray
    nodes: tuple[str, ...]


def part(network: Network, level: str, name: str, tensors: Mapping[str, np.ndarray]) -> Part:
    """The cell or layer `name`, fed with the reference's tensors.

    Raises
    ------
    InputError: tensors too wide for an image's bytes, or a cell with more than one output
    """
    inside = [n for n in network.graph.nodes[1:] if _within(level, name, n.name)]
    names = {node.name for node in inside}
    sources = list(dict.fromkeys(s for node in inside for s in node.inputs if s not in names))
    outputs = [
        node
        for node in inside
        if node is network.graph.output
        or any(reader not in names for reader, _ in network.graph.readers[node.name])
    ]
    if len(outputs) != 1:
        raise InputError(f"{name}: {len(outputs)} tensors of it are read outside; expected one")
    formats = {source: network.formats[source] for source in sources}
    for source, found in formats.items():
        if found.width > IMAGE_FORMAT.width:
            raise InputError(
                f"{name}: reads {source} of {found.width} bits; a part of an overlay's network is"
                f" fed with images, of {IMAGE_FORMAT.width}: simulate the whole network"
            )
    shapes = {source: network.graph[source].shape for source in sources}
    built = _Builder(network, shapes, formats)
    for node in inside:
        inputs = tuple(built.made.get(source, source) for source in node.inputs)
        built.put(replace(node, inputs=inputs), network)
    built.end(outputs[0])
    images = built.images({source: tensors[source] for source in sources})
    made = Network(Graph(tuple(built.nodes)), built.formats, built.params, network.arithmetic)
    _require_same(made, images, tensors, [node.name for node in inside])
    return Part(name, made, images, tuple(node.name for node in inside))


def _within(level: str, name: str, node: str) -> bool:
    return node == name if level == Level.OP else node.partition("/")[0] == name


def _require_same(
    made: Network, images: np.ndarray, tensors: Mapping[str, np.ndarray], names: Sequence[str]
) -> None:
    found = reference.run(made, images)
    for name in names:
        if not np.array_equal(found[name], tensors[name]):
            raise AssertionError(f"{name}: its part is another network")


class _Builder:
    """Nodes, formats and parameters of a part.

    Members
    -------
    made: name of the node that gives a tensor from outside
    """

    def __init__(
        self,
        network: Network,
        shapes: Mapping[str, tuple[int, int, int]],
        formats: Mapping[str, Format],
    ):
        self.nodes: list[Node] = []
        self.formats: dict[str, Format] = {}
        self.params: dict[str, LayerParams] = {}
        self.made: dict[str, str] = {}
        self._network, self._shapes, self._given = network, shapes, formats
        height, width = (max(shape[axis] for shape in shapes.values()) for axis in (0, 1))
        self._size = height, width
        channels = sum(shape[2] for shape in shapes.values())
        self._add(Input(name=IMAGE, inputs=(), shape=(height, width, channels)), IMAGE_FORMAT)
        first = 0
        for number, (source, shape) in enumerate(shapes.items()):
            self.made[source] = self._take(f"{_OWN}{number}", source, first, shape)
            first += shape[2]

    def put(self, node: Node, network: Network) -> None:
        """A node of the network itself."""
        self._add(node, network.formats.get(node.name))
        if node.name in network.params:
            self.params[node.name] = network.params[node.name]

    def end(self, output: Node) -> None:
        """Logits of whatever the part gives."""
        if isinstance(output, Linear) or prod(output.shape[:2]) == 1:
            return
        shape = (1, 1, output.shape[2])
        pool = GlobalPool(name=f"{_OWN}_pool", inputs=(output.name,), shape=shape)
        self._add(pool, out_format(self._network, output.name))

    def images(self, tensors: Mapping[str, np.ndarray]) -> np.ndarray:
        """The images that carry these tensors."""
        count = len(next(iter(tensors.values())))
        found = np.zeros((count, *self.nodes[0].shape), np.uint8)
        first = 0
        for source, tensor in tensors.items():
            height, width, channels = self._shapes[source]
            down, across = self._strides(source)
            codes = tensor + (OFFSET if self._given[source].signed else 0)
            there = found[:, ::down, ::across, first : first + channels]
            there[:, :height, :width] = codes
            first += channels
        return found

    def _add(self, node: Node, found: Format | None) -> None:
        self.nodes.append(node)
        if found is not None:
            self.formats[node.name] = found

    def _strides(self, source: str) -> Pair:
        """Powers of two that make the tensor's sides of the image's."""
        strides = []
        for axis in (0, 1):
            side, stride = self._shapes[source][axis], 1
            while -(-self._size[axis] // stride) > side:
                stride *= 2
            if -(-self._size[axis] // stride) != side:
                raise InputError(
                    f"{source}: sides of {side} and {self._size[axis]} pixels meet; expected"
                    " strides that are powers of two"
                )
            strides.append(stride)
        return strides[0], strides[1]

    def _take(self, name: str, source: str, first: int, shape: tuple[int, int, int]) -> str:
        found, channels = self._given[source], shape[2]
        selected = f"{name}/select"
        image = self.nodes[0]
        channels_of = tuple(range(first, first + channels))
        shape_in = (*self._size, channels)
        self._add(
            Select(name=selected, inputs=(image.name,), shape=shape_in, channels=channels_of),
            IMAGE_FORMAT,
        )
        clip = None if found.signed else Clip.RELU if found.limit is None else Clip.RELU6
        taken = f"{name}/take"
        conv = Conv(
            name=taken,
            inputs=(selected,),
            shape=shape,
            kernel=(1, 1),
            stride=self._strides(source),
            groups=channels,
            clip=clip,
        )
        self._add(conv, found)
        terms = self._network.arithmetic.scale_terms
        sign, power = (np.zeros((channels, terms), kind) for kind in (np.int8, np.int16))
        sign[:, 0], power[:, 0] = 1, IMAGE_FORMAT.frac - found.frac
        # Guard bits lie below the sum's last one.
        guard = self._network.arithmetic.guard or 0
        bias = -OFFSET << guard if found.signed else 0
        # Code 1: a weight of one.
        codes = np.ones((channels, 1, 1, 1), np.uint8)
        self.params[taken] = LayerParams(codes, sign, power, (bias,) * channels)
        return taken

"""Graph of operations: what a network is made of, without numbers.

A graph is a tuple of nodes in topological order; each node produces one tensor that carries the
node's name. Names are paths (`cell0/edge3_sep_conv_3x3/dw1`): the hierarchy of the hardware and the
keys of weights, plans and reports.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from hw.ir.clip import Clip
from hw.ir.schema import since

Pair = tuple[int, int]
Shape = tuple[int, int, int]
"""Height, width, channels of a feature map. Streams and arrays keep this order (NHWC)."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """An operation and the tensor it produces.

    Parameters
    ----------
    name: path, unique in the graph
    inputs: names of the tensors it reads, in order; a tensor may be read twice
    shape: of the tensor it produces
    """

    name: str
    inputs: tuple[str, ...]
    shape: Shape


@dataclass(frozen=True, kw_only=True)
class Input(Node):
    """The image, unsigned bytes."""


@dataclass(frozen=True, kw_only=True)
class Rounded(Node):
    """A node that rounds what it computes to its tensor's format, and may clip it there.

    Parameters
    ----------
    clip: the activation function behind it
    """

    clip: Clip | None = field(default=None, metadata=since(2))


@dataclass(frozen=True, kw_only=True)
class Windowed(Node):
    """A node whose output pixels look at windows of the input, pairs of rows and columns.

    output side = (in + padding + padding_end − dilation·(kernel − 1) − 1) // stride + 1.

    Parameters
    ----------
    padding: above and to the left
    padding_end: below and to the right; None: as above and to the left
    """

    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    padding_end: Pair | None = field(default=None, metadata=since(2))

    @property
    def end(self) -> Pair:
        """Padding below and to the right."""
        return self.padding if self.padding_end is None else self.padding_end

    @property
    def is_even(self) -> bool:
        """Whether opposite sides have equal padding."""
        return self.end == self.padding


@dataclass(frozen=True, kw_only=True)
class Conv(Windowed, Rounded):
    """Convolution with shift weights, then requantisation with the batch norm (if any) folded in.

    Weights have the shape (channels out, channels in / groups, kernel height, kernel width). What
    is padded is zero.

    Parameters
    ----------
    bias: whether it has a bias of its own; with a batch norm it needs none
    """

    dilation: Pair = (1, 1)
    groups: int = 1
    relu_in: bool = False
    batch_norm: bool = True
    bias: bool = field(default=False, metadata=since(2))


@dataclass(frozen=True, kw_only=True)
class FactorizedReduce(Rounded):
    """Stride-2 skip as one layer: ReLU, then two 1×1 stride-2 convolutions.

    Their taps at (2i, 2j) and (2i+1, 2j+1) give the first C//2 and the remaining channels. Odd
    sides are zero-padded by one at the bottom or right.
    Weights (channels out, channels in, 1, 1). Always followed by batch norm.
    """

    relu_in: bool = True


@dataclass(frozen=True, kw_only=True)
class MaxPool(Windowed):
    """Maximum over the window, padding ignored."""

    kernel: Pair = (3, 3)
    padding: Pair = (1, 1)


@dataclass(frozen=True, kw_only=True)
class AvgPool(Windowed):
    """Mean over the window's real pixels (padding not counted)."""

    kernel: Pair = (3, 3)
    padding: Pair = (1, 1)


@dataclass(frozen=True, kw_only=True)
class Select(Node):
    """Some channels of a tensor, in any order: what splits and shuffles.

    Parameters
    ----------
    channels: of the input, one for each channel of the output
    """

    channels: tuple[int, ...] = field(metadata=since(2))


@dataclass(frozen=True, kw_only=True)
class Add(Rounded):
    """Sum of two or more tensors of one shape."""


@dataclass(frozen=True, kw_only=True)
class Concat(Rounded):
    """Concatenation along the channels, in input order."""


@dataclass(frozen=True, kw_only=True)
class GlobalPool(Node):
    """Mean over all pixels; shape (1, 1, C)."""


@dataclass(frozen=True, kw_only=True)
class Linear(Node):
    """Classifier: shift weights (classes, channels) and a bias; logits leave unrequantised.

    Shape (1, 1, classes).
    """


NODE_TYPES = (
    Input,
    Conv,
    FactorizedReduce,
    MaxPool,
    AvgPool,
    Select,
    Add,
    Concat,
    GlobalPool,
    Linear,
)

Keeping = MaxPool | AvgPool | GlobalPool | Select
"""Nodes whose tensor has the format of the one that they read."""

Weighted = Conv | FactorizedReduce | Linear
"""Nodes that have parameters."""


def has_scale(node: Node) -> bool:
    """Whether a node has scales and biases of its own: one with batch norm, or with a bias."""
    return isinstance(node, FactorizedReduce) or (
        isinstance(node, Conv) and (node.batch_norm or node.bias)
    )


@dataclass(frozen=True)
class Graph:
    """Nodes in topological order: the Input first, the network's output last."""

    nodes: tuple[Node, ...] = field(default_factory=tuple)

    @cached_property
    def by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    def __getitem__(self, name: str) -> Node:
        return self.by_name[name]

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def input(self) -> Input:
        node = self.nodes[0]
        assert isinstance(node, Input)
        return node

    @property
    def output(self) -> Node:
        return self.nodes[-1]

    def in_shapes(self, node: Node) -> tuple[Shape, ...]:
        """Shapes of the tensors that `node` reads."""
        return tuple(self[name].shape for name in node.inputs)

    @cached_property
    def readers(self) -> dict[str, tuple[tuple[str, int], ...]]:
        """For each tensor, the (node name, input position) pairs that read it."""
        readers: dict[str, list[tuple[str, int]]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for position, name in enumerate(node.inputs):
                readers[name].append((node.name, position))
        return {name: tuple(pairs) for name, pairs in readers.items()}

    def pruned(self) -> "Graph":
        """The same graph without the nodes whose tensors never reach the output."""
        live = {self.output.name}
        for node in reversed(self.nodes):
            if node.name in live:
                live.update(node.inputs)
        return Graph(tuple(node for node in self.nodes if node.name in live))

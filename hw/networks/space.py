"""The search space: operations of a cell's edges, and the genotype that chooses among them.

An operation is the graph nodes that it is made of, `operation_nodes`; a network of cells is wired
in `hw.networks.cells`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from hw.errors import InputError
from hw.ir.graph import (
    AvgPool,
    Conv,
    FactorizedReduce,
    MaxPool,
    Node,
    Shape,
    Weighted,
)

Edge = tuple[str, int]
"""Operation and the index of the state it reads."""

# --- operations -------------------------------------------------------------------------


@dataclass(frozen=True)
class Site:
    """Where an operation is placed: the tensor it reads and what it has to make of it.

    Parameters
    ----------
    name: path of the edge, prefix of the operation's nodes
    source: name of the tensor read
    shape: of that tensor
    channels: of the result
    stride: 1 or 2
    """

    name: str
    source: str
    shape: Shape
    channels: int
    stride: int


def strided(shape: Shape, channels: int, stride: int) -> Shape:
    """Shape after a stride with 'same' padding: sides are divided, rounded up."""
    height, width, _ = shape
    return -(-height // stride), -(-width // stride), channels


def _separable(site: Site, suffix: str, kernel: int, dilation: int = 1) -> list[Node]:
    """ReLU, depthwise, pointwise, batch norm: two nodes, the batch norm on the second."""
    channels_in = site.shape[2]
    padding = dilation * (kernel - 1) // 2
    depthwise = Conv(
        name=f"{site.name}/dw{suffix}",
        inputs=(site.source,),
        shape=strided(site.shape, channels_in, site.stride),
        kernel=(kernel, kernel),
        stride=(site.stride, site.stride),
        padding=(padding, padding),
        dilation=(dilation, dilation),
        groups=channels_in,
        relu_in=True,
        batch_norm=False,
    )
    pointwise = Conv(
        name=f"{site.name}/pw{suffix}",
        inputs=(depthwise.name,),
        shape=(*depthwise.shape[:2], site.channels),
    )
    return [depthwise, pointwise]


def _sep_conv(kernel: int) -> Callable[[Site], list[Node]]:
    def nodes(site: Site) -> list[Node]:
        # The stride is the first half's, a change of channels the second's.
        first = _separable(replace(site, channels=site.shape[2]), "1", kernel)
        source, shape = first[-1].name, first[-1].shape
        return first + _separable(replace(site, source=source, shape=shape, stride=1), "2", kernel)

    return nodes


def _dil_conv(kernel: int) -> Callable[[Site], list[Node]]:
    return lambda site: _separable(site, "", kernel, dilation=2)


def _conv_7x1_1x7(site: Site) -> list[Node]:
    """ReLU, 1x7 with the stride along the width, 7x1 with that along the height, batch norm."""
    height, width, _ = site.shape
    across = Conv(
        name=f"{site.name}/conv1x7",
        inputs=(site.source,),
        shape=(height, -(-width // site.stride), site.channels),
        kernel=(1, 7),
        stride=(1, site.stride),
        padding=(0, 3),
        relu_in=True,
        batch_norm=False,
    )
    down = Conv(
        name=f"{site.name}/conv7x1",
        inputs=(across.name,),
        shape=strided(site.shape, site.channels, site.stride),
        kernel=(7, 1),
        stride=(site.stride, 1),
        padding=(3, 0),
    )
    return [across, down]


def _pool(kind: type[MaxPool] | type[AvgPool]) -> Callable[[Site], list[Node]]:
    def nodes(site: Site) -> list[Node]:
        return [
            kind(
                name=f"{site.name}/pool",
                inputs=(site.source,),
                shape=strided(site.shape, site.shape[2], site.stride),
                stride=(site.stride, site.stride),
            )
        ]

    return nodes


def _skip_connect(site: Site) -> list[Node]:
    """Nothing at stride 1 (the reader reads the state itself), a FactorizedReduce at stride 2."""
    if site.stride == 1:
        return []
    return [factorized_reduce(f"{site.name}/reduce", site.source, site.shape, site.channels)]


def factorized_reduce(name: str, source: str, shape: Shape, channels: int) -> FactorizedReduce:
    return FactorizedReduce(name=name, inputs=(source,), shape=strided(shape, channels, 2))


SKIP = "skip_connect"
ZERO = "zero"
"""No connection: counts in the softmax of a search, adds nothing, is never chosen."""

AUXILIARY_SKIP = "auxiliary_skip"
"""A skip beside the candidates, with weights of its own at stride 2; never chosen (DARTS-)."""

OPERATIONS: dict[str, Callable[[Site], list[Node]]] = {
    "sep_conv_3x3": _sep_conv(3),
    "sep_conv_5x5": _sep_conv(5),
    "sep_conv_7x7": _sep_conv(7),
    "dil_conv_3x3": _dil_conv(3),
    "dil_conv_5x5": _dil_conv(5),
    "conv_7x1_1x7": _conv_7x1_1x7,
    "max_pool_3x3": _pool(MaxPool),
    "avg_pool_3x3": _pool(AvgPool),
    SKIP: _skip_connect,
}
"""Every operation a genotype may name, and the nodes it becomes: a chain, see `registration`."""

PAPER_CANDIDATES = (
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
    "max_pool_3x3",
    "avg_pool_3x3",
    SKIP,
)
"""The operations that the paper's search chooses from (section 4.1)."""


def has_weights(operation: str) -> bool:
    """Whether an operation has weights of its own: O_c of the paper; else it is one of O_t.

    At stride 1, for a stride-2 skip is a FactorizedReduce.
    """
    nodes = operation_nodes(operation, "edge", "state", (8, 8, 4), 4, 1)
    return any(isinstance(node, Weighted) for node in nodes)


def operation_nodes(
    operation: str, name: str, source: str, in_shape: Shape, channels: int, stride: int
) -> list[Node]:
    """Nodes of one edge, in topological order; the last one produces the edge's tensor.

    Parameters
    ----------
    operation: a key of `OPERATIONS`
    name: path of the edge, prefix of the nodes' names
    source: name of the tensor read, of shape `in_shape`
    channels: of the result (pools and a stride-1 skip keep the input's, which must then be equal)
    stride: 1 or 2

    An empty list means that the edge is `source` itself (skip_connect at stride 1).
    """
    if operation not in OPERATIONS:
        raise InputError(f"operation: {unknown(operation)}")
    nodes = OPERATIONS[operation](Site(name, source, in_shape, channels, stride))
    if (nodes[-1].shape if nodes else in_shape)[2] != channels:
        raise ValueError(f"{name}: {operation} cannot turn {in_shape[2]} channels into {channels}")
    return nodes


def unknown(operation: object) -> str:
    """What to say of an operation that there is not."""
    return (
        f"{operation!r} is not known; use one of {', '.join(OPERATIONS)}, or pass the "
        "--plugin that registers it"
    )


# --- genotype ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Genotype:
    """The two cells of a network: two edges a node, in node order.

    An edge is known by its position in `normal` or `reduce`, for two edges may be identical. The
    cell's output is the concatenation of the states in `*_concat`, in that order.

    Raises
    ------
    InputError: naming the key, where a cell is not well formed
    """

    normal: tuple[Edge, ...]
    normal_concat: tuple[int, ...]
    reduce: tuple[Edge, ...]
    reduce_concat: tuple[int, ...]

    def __post_init__(self) -> None:
        for key in ("normal", "reduce"):
            _check_cell(key, getattr(self, key), getattr(self, f"{key}_concat"))

    def edges(self, reduction: bool) -> tuple[Edge, ...]:
        return self.reduce if reduction else self.normal

    def concat(self, reduction: bool) -> tuple[int, ...]:
        return self.reduce_concat if reduction else self.normal_concat


def _check_cell(key: str, edges: tuple[Edge, ...], concat: tuple[int, ...]) -> None:
    if not edges or len(edges) % 2:
        raise InputError(
            f"{key}: {len(edges)} edges; a cell has two edges a node, one node or more"
        )
    for position, (operation, state) in enumerate(edges):
        where = f"{key}: edge {position}"
        if operation not in OPERATIONS:
            raise InputError(f"{where}: operation {unknown(operation)}")
        last = 1 + position // 2
        if not 0 <= state <= last:
            raise InputError(f"{where}: reads state {state}; it can read states 0 to {last}")
    last = 1 + len(edges) // 2
    if not concat or len(set(concat)) != len(concat) or not all(2 <= s <= last for s in concat):
        raise InputError(
            f"{key}_concat: {list(concat)}; list one or more of the nodes 2 to {last}, each once"
        )


def candidate_edges(nodes: int) -> tuple[tuple[int, int], ...]:
    """All edges of a supernet's cell as (state read, node index), in the order of their positions.

    Node k reads every state before it: 2 + k edges, 14 for the four nodes of the paper.
    """
    return tuple((state, node) for node in range(nodes) for state in range(2 + node))


def nodes_of(edges: int) -> int | None:
    """How many nodes a supernet's cell of so many edges has; None where no cell has so many."""
    nodes = (math.isqrt(9 + 8 * edges) - 3) // 2
    return nodes if edges and len(candidate_edges(nodes)) == edges else None

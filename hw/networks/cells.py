"""The one wiring: how a genotype becomes a network of cells.

Which edge reads what, where the stride sits, which preprocess is a FactorizedReduce and how
channels grow is decided here and nowhere else. `build` gives the whole graph of a genotype;
`skeleton` gives everything but the inside of the cells, for a supernet that mixes several
operations (`hw.networks.space`) on every edge.

The cell is the DARTS one: states 0 and 1 are the (preprocessed) outputs of the two previous cells,
state 2 + k is node k, the sum of two edges; the cell's output is the concatenation of some of its
nodes.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from hw.errors import InputError
from hw.ir.graph import Add, Concat, Conv, GlobalPool, Graph, Input, Linear, Node, Shape
from hw.networks.space import Genotype, factorized_reduce, operation_nodes, strided


class Stem(StrEnum):
    """What comes before the cells: a 3x3 convolution to 3C channels, or three of stride 2."""

    CIFAR = "cifar"
    IMAGENET = "imagenet"


LEAST_CHANNELS = {Stem.CIFAR: 1, Stem.IMAGENET: 2}
"""Fewest channels of the first cells that a stem can make."""


@dataclass(frozen=True)
class CellPlan:
    """One cell without its edges.

    Parameters
    ----------
    index: position of the cell in the network
    reduction: whether its edges from states 0 and 1 have stride 2
    preprocess: the two nodes that produce states 0 and 1, each `in_shape`
    in_shape: shape of states 0 and 1
    shape: of every node of the cell; its channels are those of the whole cell
    concat: how many states are concatenated
    """

    index: int
    reduction: bool
    preprocess: tuple[Node, Node]
    in_shape: Shape
    shape: Shape
    concat: int

    @property
    def name(self) -> str:
        return f"cell{self.index}"

    @property
    def channels(self) -> int:
        return self.shape[2]

    @property
    def output(self) -> str:
        """Name of the tensor that the cell produces."""
        return f"{self.name}/concat"

    @property
    def out_shape(self) -> Shape:
        return (*self.shape[:2], self.concat * self.channels)

    def stride(self, state: int) -> int:
        """Stride of an edge that reads `state`."""
        return 2 if self.reduction and state < 2 else 1

    def state_shape(self, state: int) -> Shape:
        return self.in_shape if state < 2 else self.shape

    def edge_name(self, position: int, operation: str) -> str:
        return f"{self.name}/edge{position}_{operation}"

    def node_name(self, node: int) -> str:
        """Name of state 2 + `node`."""
        return f"{self.name}/node{2 + node}"

    def edge_nodes(self, position: int, operation: str, state: int, source: str) -> list[Node]:
        """`operation_nodes` of the edge at `position` that reads `state` (tensor `source`)."""
        name, shape = self.edge_name(position, operation), self.state_shape(state)
        return operation_nodes(operation, name, source, shape, self.channels, self.stride(state))


@dataclass(frozen=True)
class Skeleton:
    """A network without the inside of its cells: `stem` (the Input first), `cells`, `head`."""

    stem: tuple[Node, ...]
    cells: tuple[CellPlan, ...]
    head: tuple[Node, ...]


def reductions(cells: int) -> tuple[int, int]:
    """Positions of the first and the second reduction cell of `cells`; of one cell both are it."""
    return cells // 3, 2 * cells // 3


def skeleton(
    *,
    channels: int,
    cells: int,
    image: Shape,
    classes: int,
    stem: str = Stem.CIFAR,
    concat: tuple[int, int] = (4, 4),
) -> Skeleton:
    """Stem, cells and head of a network.

    The cells at `reductions` reduce: sides halve, channels double. State 0 goes through a
    FactorizedReduce where the cell before reduced (or the ImageNet stem did), else a 1x1
    convolution, as state 1 always does.

    Parameters
    ----------
    channels: C, of the first cells' nodes
    cells: L, their number
    image: height, width, channels
    classes: number of logits
    stem: one of `Stem`
    concat: number of states that a normal and a reduction cell concatenate
    """
    kind = _check_sizes(channels, cells, image, classes, stem)
    stem_nodes, older, newer = _stem(kind, channels, image)
    reduced_before = kind is Stem.IMAGENET
    plans = []
    for index in range(cells):
        reduction = index in reductions(cells)
        if reduction:
            channels *= 2
        in_shape = (*newer.shape[:2], channels)
        name = f"cell{index}/preprocess"
        state0: Node
        if reduced_before:
            state0 = factorized_reduce(f"{name}0", older.name, older.shape, channels)
        else:
            state0 = Conv(name=f"{name}0", inputs=(older.name,), shape=in_shape, relu_in=True)
        state1 = Conv(name=f"{name}1", inputs=(newer.name,), shape=in_shape, relu_in=True)
        plan = CellPlan(
            index=index,
            reduction=reduction,
            preprocess=(state0, state1),
            in_shape=in_shape,
            shape=strided(in_shape, channels, 2 if reduction else 1),
            concat=concat[reduction],
        )
        plans.append(plan)
        older, newer = newer, Concat(name=plan.output, inputs=(), shape=plan.out_shape)
        reduced_before = reduction
    pool = GlobalPool(name="global_pool", inputs=(newer.name,), shape=(1, 1, newer.shape[2]))
    classifier = Linear(name="classifier", inputs=(pool.name,), shape=(1, 1, classes))
    return Skeleton(stem_nodes, tuple(plans), (pool, classifier))


def _check_sizes(channels: int, cells: int, image: Shape, classes: int, stem: str) -> Stem:
    if stem not in tuple(Stem):
        raise InputError(f"stem: {stem!r} is not known; use one of {', '.join(Stem)}")
    least = LEAST_CHANNELS[Stem(stem)]
    for field, value, minimum in (
        ("channels", channels, least),
        ("cells", cells, 1),
        ("classes", classes, 1),
        *(("image", side, 1) for side in image),
    ):
        if value < minimum:
            raise InputError(f"{field}: {value} is too small; at least {minimum} is needed")
    return Stem(stem)


def _stem(stem: Stem, channels: int, image: Shape) -> tuple[tuple[Node, ...], Node, Node]:
    """Nodes of the stem, and the two that stand for the cells before cell 0."""
    source = Input(name="input", inputs=(), shape=image)
    match stem:
        case Stem.CIFAR:
            shape = (*image[:2], 3 * channels)
            conv = Conv(
                name="stem/conv", inputs=("input",), shape=shape, kernel=(3, 3), padding=(1, 1)
            )
            return (source, conv), conv, conv
        case Stem.IMAGENET:
            return _imagenet_stem(source, channels)
    assert_never(stem)


def _imagenet_stem(source: Input, channels: int) -> tuple[tuple[Node, ...], Node, Node]:
    nodes: list[Node] = [source]
    for name, width, relu_in in (
        ("stem0/conv0", channels // 2, False),
        ("stem0/conv1", channels, True),
        ("stem1/conv", channels, True),
    ):
        nodes.append(
            Conv(
                name=name,
                inputs=(nodes[-1].name,),
                shape=strided(nodes[-1].shape, width, 2),
                kernel=(3, 3),
                stride=(2, 2),
                padding=(1, 1),
                relu_in=relu_in,
            )
        )
    return tuple(nodes), nodes[-2], nodes[-1]


def build(
    genotype: Genotype,
    *,
    channels: int,
    cells: int,
    image: Shape,
    classes: int,
    stem: str = Stem.CIFAR,
) -> Graph:
    """The evaluation network of `genotype`, states that nobody reads included (see `Graph.pruned`).

    Parameters are those of `skeleton`.
    """
    frame = skeleton(
        channels=channels,
        cells=cells,
        image=image,
        classes=classes,
        stem=stem,
        concat=(len(genotype.normal_concat), len(genotype.reduce_concat)),
    )
    nodes = list(frame.stem)
    for cell in frame.cells:
        nodes += _cell_nodes(cell, genotype)
    return Graph((*nodes, *frame.head))


def _cell_nodes(cell: CellPlan, genotype: Genotype) -> list[Node]:
    nodes: list[Node] = list(cell.preprocess)
    states = [node.name for node in nodes]
    edges = genotype.edges(cell.reduction)
    for node in range(len(edges) // 2):
        summands = []
        for position in (2 * node, 2 * node + 1):
            operation, state = edges[position]
            edge = cell.edge_nodes(position, operation, state, states[state])
            nodes += edge
            summands.append(edge[-1].name if edge else states[state])
        nodes.append(Add(name=cell.node_name(node), inputs=tuple(summands), shape=cell.shape))
        states.append(nodes[-1].name)
    inputs = tuple(states[state] for state in genotype.concat(cell.reduction))
    nodes.append(Concat(name=cell.output, inputs=inputs, shape=cell.out_shape))
    return nodes

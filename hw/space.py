"""The one wiring: how a genotype becomes a network of cells.

Which edge reads what, where the stride sits, which preprocess is a FactorizedReduce and how
channels grow is decided here and nowhere else. `build` gives the whole graph of a genotype;
`skeleton` gives everything but the inside of the cells, and `operation_nodes` the inside of one
edge, for a supernet that mixes several operations on every edge.

The cell is the DARTS one: states 0 and 1 are the (preprocessed) outputs of the two previous cells,
state 2 + k is node k, the sum of two edges; the cell's output is the concatenation of some of its
nodes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from hw.errors import InputError
from hw.ir.graph import (
    Add,
    AvgPool,
    Concat,
    Conv,
    FactorizedReduce,
    GlobalPool,
    Graph,
    Input,
    Linear,
    MaxPool,
    Node,
    Shape,
)

Edge = tuple[str, int]
"""Operation and the index of the state it reads."""

STEMS = ("cifar", "imagenet")


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


def _strided(shape: Shape, channels: int, stride: int) -> Shape:
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
        shape=_strided(site.shape, channels_in, site.stride),
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
        shape=_strided(site.shape, site.channels, site.stride),
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
                shape=_strided(site.shape, site.shape[2], site.stride),
                stride=(site.stride, site.stride),
            )
        ]

    return nodes


def _skip_connect(site: Site) -> list[Node]:
    """Nothing at stride 1 (the reader reads the state itself), a FactorizedReduce at stride 2."""
    if site.stride == 1:
        return []
    return [_factorized_reduce(f"{site.name}/reduce", site.source, site.shape, site.channels)]


def _factorized_reduce(name: str, source: str, shape: Shape, channels: int) -> FactorizedReduce:
    return FactorizedReduce(name=name, inputs=(source,), shape=_strided(shape, channels, 2))


OPERATIONS: dict[str, Callable[[Site], list[Node]]] = {
    "sep_conv_3x3": _sep_conv(3),
    "sep_conv_5x5": _sep_conv(5),
    "sep_conv_7x7": _sep_conv(7),
    "dil_conv_3x3": _dil_conv(3),
    "dil_conv_5x5": _dil_conv(5),
    "conv_7x1_1x7": _conv_7x1_1x7,
    "max_pool_3x3": _pool(MaxPool),
    "avg_pool_3x3": _pool(AvgPool),
    "skip_connect": _skip_connect,
}
"""Every operation a genotype may name, and the nodes it becomes."""

CONV_OPERATIONS = ("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5")
"""O_c of the search space: candidates that are shifted (paper section 4.1)."""

TOPOLOGY_OPERATIONS = ("max_pool_3x3", "avg_pool_3x3", "skip_connect")
"""O_t of the search space: candidates without weights of their own (a stride-2 skip has some)."""


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
        raise InputError(f"operation: {_unknown(operation)}")
    nodes = OPERATIONS[operation](Site(name, source, in_shape, channels, stride))
    if (nodes[-1].shape if nodes else in_shape)[2] != channels:
        raise ValueError(f"{name}: {operation} cannot turn {in_shape[2]} channels into {channels}")
    return nodes


def _unknown(operation: object) -> str:
    return f"{operation!r} is not known; use one of {', '.join(OPERATIONS)}"


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
            raise InputError(f"{where}: operation {_unknown(operation)}")
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


# --- the network around the cells -------------------------------------------------------


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


def skeleton(
    *,
    channels: int,
    cells: int,
    image: Shape,
    classes: int,
    stem: str = "cifar",
    concat: tuple[int, int] = (4, 4),
) -> Skeleton:
    """Stem, cells and head of a network.

    Cells cells//3 and 2·cells//3 reduce: sides halve, channels double. State 0 goes through a
    FactorizedReduce where the cell before reduced (or the ImageNet stem did), else a 1x1
    convolution, as state 1 always does.

    Parameters
    ----------
    channels: C, of the first cells' nodes
    cells: L, their number
    image: height, width, channels
    classes: number of logits
    stem: 'cifar' (3x3 to 3C) or 'imagenet' (three stride-2 convolutions)
    concat: number of states that a normal and a reduction cell concatenate
    """
    _check_sizes(channels, cells, image, classes, stem)
    stem_nodes, older, newer = _stem(stem, channels, image)
    reduced_before = stem == "imagenet"
    plans = []
    for index in range(cells):
        reduction = index in (cells // 3, 2 * cells // 3)
        if reduction:
            channels *= 2
        in_shape = (*newer.shape[:2], channels)
        name = f"cell{index}/preprocess"
        state0: Node
        if reduced_before:
            state0 = _factorized_reduce(f"{name}0", older.name, older.shape, channels)
        else:
            state0 = Conv(name=f"{name}0", inputs=(older.name,), shape=in_shape, relu_in=True)
        state1 = Conv(name=f"{name}1", inputs=(newer.name,), shape=in_shape, relu_in=True)
        plan = CellPlan(
            index=index,
            reduction=reduction,
            preprocess=(state0, state1),
            in_shape=in_shape,
            shape=_strided(in_shape, channels, 2 if reduction else 1),
            concat=concat[reduction],
        )
        plans.append(plan)
        older, newer = newer, Concat(name=plan.output, inputs=(), shape=plan.out_shape)
        reduced_before = reduction
    pool = GlobalPool(name="global_pool", inputs=(newer.name,), shape=(1, 1, newer.shape[2]))
    classifier = Linear(name="classifier", inputs=(pool.name,), shape=(1, 1, classes))
    return Skeleton(stem_nodes, tuple(plans), (pool, classifier))


def _check_sizes(channels: int, cells: int, image: Shape, classes: int, stem: str) -> None:
    if stem not in STEMS:
        raise InputError(f"stem: {stem!r} is not known; use one of {', '.join(STEMS)}")
    least = {"cifar": 1, "imagenet": 2}[stem]
    for field, value, minimum in (
        ("channels", channels, least),
        ("cells", cells, 1),
        ("classes", classes, 1),
        *(("image", side, 1) for side in image),
    ):
        if value < minimum:
            raise InputError(f"{field}: {value} is too small; at least {minimum} is needed")


def _stem(stem: str, channels: int, image: Shape) -> tuple[tuple[Node, ...], Node, Node]:
    """Nodes of the stem, and the two that stand for the cells before cell 0."""
    source = Input(name="input", inputs=(), shape=image)
    if stem == "cifar":
        shape = (*image[:2], 3 * channels)
        conv = Conv(name="stem/conv", inputs=("input",), shape=shape, kernel=(3, 3), padding=(1, 1))
        return (source, conv), conv, conv
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
                shape=_strided(nodes[-1].shape, width, 2),
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
    stem: str = "cifar",
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

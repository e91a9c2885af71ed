"""Operations of one's own: checked when they are registered, then like those that ship."""

import re
from collections.abc import Callable

from hw.errors import InputError
from hw.ir.graph import AvgPool, Conv, FactorizedReduce, Graph, Input, MaxPool, Node, Shape
from hw.ir.validate import Reporter, check_graph
from hw.networks.space import (
    AUXILIARY_SKIP,
    OPERATIONS,
    ZERO,
    Site,
    strided,
)

SHAPES: tuple[Shape, ...] = ((8, 8, 4), (5, 7, 4), (1, 2, 4), (3, 3, 1))
"""Of the states that an operation is tried on, at both strides."""

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def register_operation(name: str, nodes: Callable[[Site], list[Node]]) -> None:
    """Add an operation to the search space: genotypes may name it, searches choose it.

    Parameters
    ----------
    name: lower-case words joined by _, such as `sep_conv_9x9`
    nodes: the operation's nodes at a site: a chain of Conv, FactorizedReduce, MaxPool and AvgPool
        from `site.source` on, each called `site.name/…`, whose last tensor has the sides of
        `strided(site.shape, site.channels, site.stride)` and `site.channels` channels; an empty
        list, which stride 1 alone allows, is the state itself

    Raises
    ------
    InputError: the name is taken, or no name; the nodes are not such a chain
    """
    if not NAME.fullmatch(name):
        raise InputError(
            f"operation {name!r}: expected lower-case words of letters and digits, joined by _"
        )
    if name in (*OPERATIONS, ZERO, AUXILIARY_SKIP):
        raise InputError(f"operation {name}: there is one of this name; choose another")
    for shape in SHAPES:
        for stride in (1, 2):
            _check(name, nodes, Site("cell0/edge0", "state", shape, shape[2], stride))
    OPERATIONS[name] = nodes
    _registered.add(name)


def is_registered(name: str) -> bool:
    """Whether an operation is not one of those that ship."""
    return name in _registered


_registered: set[str] = set()


def _check(name: str, nodes: Callable[[Site], list[Node]], site: Site) -> None:
    where = f"operation {name}: at stride {site.stride} on {'x'.join(map(str, site.shape))}"
    try:
        made = list(nodes(site))
    except Exception as error:
        raise InputError(f"{where}: {type(error).__name__}: {error}") from error
    before = site.source
    for node in made:
        kind = type(node).__name__
        if not isinstance(node, Conv | FactorizedReduce | MaxPool | AvgPool):
            raise InputError(
                f"{where}: {kind}: expected nodes of Conv, FactorizedReduce, MaxPool and AvgPool"
            )
        if getattr(node, "clip", None) is not None or getattr(node, "bias", False):
            raise InputError(f"{where}: {kind} {node.name!r}: expected one without clip and bias")
        if not node.name.startswith(f"{site.name}/"):
            raise InputError(f"{where}: {kind} {node.name!r}: expected the name '{site.name}/…'")
        if node.inputs != (before,):
            raise InputError(
                f"{where}: {node.name}: reads {', '.join(node.inputs)}; expected a chain, in which "
                f"it reads {before}"
            )
        before = node.name
    source = Input(name=site.source, inputs=(), shape=site.shape)
    try:
        check_graph(Graph((source, *made)), Reporter())
    except InputError as error:
        raise InputError(f"{where}: {str(error).removeprefix('network.json: nodes: ')}") from error
    found = made[-1].shape if made else site.shape
    expected = strided(site.shape, site.channels, site.stride)
    if found != expected:
        raise InputError(f"{where}: gives {list(found)}; expected {list(expected)}")

"""Where activation functions go.

An importer makes each a node of its own: a Concat of one tensor, clipped. That is a node that
hardware has; but where nobody else reads the tensor before it, the node that makes it clips it for
nothing, and a convolution can take a ReLU of what it reads.
"""

from collections.abc import Collection
from dataclasses import replace

from hw.ir.clip import Clip
from hw.ir.graph import (
    AvgPool,
    Concat,
    Conv,
    GlobalPool,
    Graph,
    Input,
    MaxPool,
    Node,
    Rounded,
    Select,
)


def placed(graph: Graph, activations: Collection[str]) -> Graph:
    """The graph with fewer of the nodes that `activations` names.

    Where the output itself is one it keeps its place, not its name.
    """
    for name in activations:
        if name in graph.by_name:
            graph = _placed(graph, graph[name], activations)
    return graph


def _placed(graph: Graph, node: Node, activations: Collection[str]) -> Graph:
    assert isinstance(node, Concat) and node.clip is not None
    (source,) = node.inputs
    if _is_kept(graph, source, node.clip):
        return _without(graph, {node.name})
    maker, path = graph[source], [node.name]
    # Maxima and selections of what is clipped are the clipped ones of what is not.
    while isinstance(maker, MaxPool | Select) and _reads_alone(graph, maker.name, path[-1]):
        path.append(maker.name)
        maker = graph[maker.inputs[0]]
    if isinstance(maker, Rounded) and len(path) > 1:
        if _reads_alone(graph, maker.name, path[-1]):
            clipped = replace(maker, clip=_both(maker.clip, node.clip))
            return _without(_with(graph, clipped), {node.name})
    elif isinstance(maker, Rounded):
        twins = {reader for reader, _ in graph.readers[maker.name]}
        if all(n in activations and _clip(graph[n]) is node.clip for n in twins):
            clipped = replace(maker, clip=_both(maker.clip, node.clip))
            return _without(_with(graph, clipped), twins)
    readers = [graph[reader] for reader, _ in graph.readers[node.name]]
    if node.clip is Clip.RELU and readers and all(isinstance(one, Conv) for one in readers):
        for one in readers:
            assert isinstance(one, Conv)
            graph = _with(graph, replace(one, relu_in=True))
        return _without(graph, {node.name})
    return graph


def _clip(node: Node) -> Clip | None:
    return node.clip if isinstance(node, Rounded) else None


def _both(first: Clip | None, then: Clip) -> Clip:
    return Clip.RELU6 if Clip.RELU6 in (first, then) else Clip.RELU


def _is_kept(graph: Graph, name: str, clip: Clip) -> bool:
    """Whether a tensor has no value that an activation function would change."""
    node = graph[name]
    match node:
        case Input():
            return True
        case Rounded() if node.clip is not None:
            return clip is Clip.RELU or node.clip is clip
        case MaxPool() | AvgPool() | GlobalPool() | Select() | Concat():
            return all(_is_kept(graph, source, clip) for source in node.inputs)
    return False


def _reads_alone(graph: Graph, name: str, reader: str) -> bool:
    return {one for one, _ in graph.readers[name]} == {reader}


def _with(graph: Graph, node: Node) -> Graph:
    return Graph(tuple(node if one.name == node.name else one for one in graph))


def _without(graph: Graph, names: Collection[str]) -> Graph:
    """Their readers read what they read."""
    sources = {name: graph[name].inputs[0] for name in names}
    return Graph(
        tuple(
            replace(node, inputs=tuple(sources.get(one, one) for one in node.inputs))
            for node in graph
            if node.name not in names
        )
    )

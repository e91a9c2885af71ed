"""Which operation comes when, and which one is another one's twin.

The graph's own order goes from cell to cell; but whatever makes room is done as soon as it can be:
an addition whose inputs are there, the last reader of a wide tensor.
"""

from collections.abc import Mapping

from hw.ir.graph import AvgPool, Concat, Graph, MaxPool, Node, Select
from hw.overlay.compiler.placement import Placement, words


def twins(graph: Graph) -> dict[str, str]:
    """Pools that another pool has computed already: name to the other one's name."""
    first: dict[tuple[object, ...], str] = {}
    found = {}
    for node in graph:
        if isinstance(node, MaxPool | AvgPool):
            key = (type(node), node.inputs, node.kernel, node.stride, node.padding, node.end)
            other = first.setdefault(key, node.name)
            if other != node.name:
                found[node.name] = other
    return found


def reads(graph: Graph, twin: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """For each node the tensors that it reads: a twin reads its twin."""
    return {n.name: (twin[n.name],) if n.name in twin else n.inputs for n in graph}


def ordered(
    graph: Graph, placement: Placement, inputs: Mapping[str, tuple[str, ...]]
) -> list[Node]:
    """All nodes but the input: those of the prefix, then those of the suffix."""
    waiting = {name: set(sources) for name, sources in inputs.items()}
    readers = {name: {r for r, sources in inputs.items() if name in sources} for name in inputs}
    sizes = {
        node.name: node.shape[2] * words(placement.pitches[node.name])
        for node in graph
        if node.inputs and not isinstance(node, Concat | Select)
    }
    done = {graph.input.name}
    found: list[Node] = []
    for late in (False, True):
        section = [
            node.name for node in graph if node.inputs and (node.name in placement.suffix) == late
        ]
        while section:
            ready = [name for name in section if waiting[name] <= done]
            growth = {
                name: sizes.get(name, 0)
                - sum(sizes.get(source, 0) for source in waiting[name] if readers[source] == {name})
                for name in ready
            }
            best = min(ready, key=lambda name: growth[name])
            name = best if growth[best] < 0 else ready[0]
            section.remove(name)
            found.append(graph[name])
            done.add(name)
            for source in waiting[name]:
                readers[source].discard(name)
    return found

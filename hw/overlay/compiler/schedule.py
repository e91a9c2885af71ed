"""Which operation comes when, and which one is another one's twin.

The graph's own order goes from cell to cell; but whatever makes room is done as soon as it can be:
an addition whose inputs are there, the last reader of a wide tensor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

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
    """All nodes but the input: those that must be of the prefix first, then the others."""
    waiting = {name: set(sources) for name, sources in inputs.items()}
    readers = {name: {r for r, sources in inputs.items() if name in sources} for name in inputs}
    sizes = {
        node.name: node.shape[2] * words(placement.pitches[node.name])
        for node in graph
        if node.inputs
    }
    late = {node.name for node in graph if any(map(placement.shared, node.inputs))}
    done = {graph.input.name}
    found: list[Node] = []
    for now in (False, True):
        section = [node.name for node in graph if node.inputs and (node.name in late) == now]
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


def divided(
    graph: Graph,
    placement: Placement,
    inputs: Mapping[str, tuple[str, ...]],
    nodes: Sequence[Node],
    size: int,
) -> Placement:
    """The placement with its border where tensors come to be shared, or without batches.

    The border's planes are kept while the prefix is done for all images: they and its other tensors
    must fit a memory of `size` words.
    """
    if placement.batch == (1, 1):
        return placement
    suffix = {n.name for n in nodes if any(map(placement.shared, graph[n.name].inputs))}
    border = {s for name in suffix for s in inputs[name] if s not in suffix}
    found = replace(placement, suffix=frozenset(suffix), border=frozenset(border))
    if _needed(graph, found, inputs, nodes) <= size:
        return found
    return replace(placement, batch=(1, 1))


SPARE = 48
"""Words for half-done planes, beside the tensors."""


def _needed(
    graph: Graph, placement: Placement, inputs: Mapping[str, tuple[str, ...]], nodes: Sequence[Node]
) -> int:
    """Words of the memory in use at most, about."""
    sizes = {n.name: n.shape[2] * words(placement.pitches[n.name]) for n in graph}
    last = {source: node.name for node in nodes for source in inputs[node.name]}
    image = graph.input.name
    fixed = 2 * sizes[image] + SPARE
    kept = sum(sizes[name] for name in placement.border)
    live: dict[str, int] = {}
    most = now = 0
    entered = False
    for node in nodes:
        name = node.name
        if name in placement.suffix and not entered:
            entered = True
            live |= {border: sizes[border] for border in placement.border}
            now, kept = sum(live.values()), 0
        renamed = isinstance(node, Concat | Select)
        freed = [s for s in set(inputs[name]) if last[s] == name and s in live]
        if name not in placement.border or any(map(placement.shared, inputs[name])):
            now += 0 if renamed else sizes[name]
            live[name] = sizes[name]
        most = max(most, now + kept)
        released = sum(live.pop(source) for source in freed)
        now = now - released + (released if renamed else 0)
        if renamed:
            now = sum(live.values())
        if name in placement.border:
            live.pop(name, None)
            now = sum(live.values())
    return most + fixed

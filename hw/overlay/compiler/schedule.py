"""Which operation comes when, for an image or for a batch, and which one is another one's twin.

The graph's own order goes from cell to cell; but whatever makes room is done as soon as it can be:
an addition whose inputs are there, the last reader of a wide tensor.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from hw.ir.graph import AvgPool, Graph, MaxPool, Node
from hw.ir.network import Network
from hw.overlay.compiler.gather import gathers
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
    sizes = {
        node.name: node.shape[2] * words(placement.pitches[node.name])
        for node in graph
        if node.inputs
    }
    done = {graph.input.name}
    for number, gather in enumerate(placement.gathers):
        # A copy stands beside the tensors: there when the suffix begins, gone with its last reader.
        copied = f"{gather.source}, copy {number}"
        sizes[copied] = graph[gather.source].shape[2] * gather.words
        waiting |= {name: {copied} for name in gather.nodes}
        done.add(copied)
    readers: dict[str, set[str]] = {}
    for name, sources in waiting.items():
        for source in sources:
            readers.setdefault(source, set()).add(name)
    found: list[Node] = []
    for now in (False, True):
        section = [
            node.name for node in graph if node.inputs and (node.name in placement.suffix) == now
        ]
        while section:
            ready = [name for name in section if waiting[name] <= done]
            growth = {
                name: sizes.get(name, 0)
                - sum(sizes.get(source, 0) for source in waiting[name] if readers[source] == {name})
                for name in ready
            }
            best = min(ready, key=lambda name: growth[name])
            # Of those that read what the first one does, the last one may be done in place.
            near = [name for name in ready if waiting[name] & waiting[ready[0]]]
            name = best if growth[best] < 0 else min(near, key=lambda name: growth[name])
            section.remove(name)
            found.append(graph[name])
            done.add(name)
            for source in waiting[name]:
                readers[source].discard(name)
    return found


def divided(
    network: Network, placement: Placement, inputs: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[Placement, list[Node]]]:
    """Borders, each with the order of all nodes, the one of the fewest cycles first.

    The border's planes, and copies of tensors, are kept while the prefix is done for all images:
    that takes memory. Next come a border without copies, then later ones, each kept in fewer words
    than those before, though more is done for each image then; last there are no batches.
    """
    graph = network.graph
    if placement.batch != (1, 1):
        late = frozenset(n.name for n in graph if any(map(placement.shared, inputs[n.name])))
        copies = gathers(network, placement, inputs)
        if copies:
            option = replace(placement, gathers=copies)
            option = _bordered(graph, option, inputs, late | option.gathered)
            yield option, ordered(graph, option, inputs)
        first = _bordered(graph, placement, inputs, late)
        nodes = ordered(graph, first, inputs)
        yield first, nodes
        least = _kept(graph, first)
        names = [node.name for node in nodes if node.name in late]
        for at in range(1, len(names)):
            option = _bordered(graph, placement, inputs, frozenset(names[at:]))
            if _kept(graph, option) < least:
                least = _kept(graph, option)
                yield option, ordered(graph, option, inputs)
    alone = replace(placement, batch=(1, 1))
    yield alone, ordered(graph, alone, inputs)


def _bordered(
    graph: Graph,
    placement: Placement,
    inputs: Mapping[str, tuple[str, ...]],
    suffix: frozenset[str],
) -> Placement:
    """The placement with this suffix."""
    border = {
        source
        for name in suffix - placement.gathered
        for source in inputs[name]
        if source not in suffix
    }
    both = {
        source
        for node in graph
        if node.name not in suffix
        for source in inputs[node.name]
        if source in border
    }
    moved = both | {
        name
        for name in border
        if any(p < 0 and cut for s in inputs[name] for p, cut in _axes(placement, s, name))
    }
    return replace(
        placement,
        suffix=suffix,
        border=frozenset(border),
        moved=frozenset(moved),
        both=frozenset(both),
    )


def _axes(placement: Placement, source: str, name: str) -> Iterator[tuple[int, bool]]:
    """The pitch of a source on each axis, and whether the reader's pixels come apart there."""
    return zip(placement.pitches[source], placement.apart(name), strict=True)


def _kept(graph: Graph, placement: Placement) -> int:
    """Words of a border."""
    return sum(graph[name].shape[2] * words(placement.pitches[name]) for name in placement.border)

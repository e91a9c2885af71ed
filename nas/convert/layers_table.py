"""What a conversion makes of each layer, as a table."""

from dataclasses import asdict, dataclass

from hw.ir.graph import Graph, Input, Node, Weighted
from hw.networks import parts
from hw.networks.counts import count
from nas.importer import Imported
from nas.shift import Domain, ShiftSettings


@dataclass(frozen=True)
class Row:
    """A node, of which layer it is, and what it has.

    Parameters
    ----------
    layer: path of the module; empty for a function
    node: name in the graph
    kind: of the node
    shape: height, width, channels
    weights: trainable ones
    becomes: what its weights are
    """

    layer: str
    node: str
    kind: str
    shape: tuple[int, int, int]
    weights: int
    becomes: str

    def as_dict(self) -> dict:
        return asdict(self)


def rows(found: Imported, settings: ShiftSettings, domain: str) -> list[Row]:
    """One for each node but the image.

    Parameters
    ----------
    domain: "shift" or "real", of the weights
    """
    real = _real(found.graph, settings, domain)
    sizes = count(found.graph).nodes
    made = []
    for node in found.graph:
        if isinstance(node, Input):
            continue
        source = found.sources.get(node.name)
        path = "" if source is None else source.path
        becomes = _becomes(node, settings, real)
        name = type(node).__name__
        made.append(Row(path, node.name, name, node.shape, sizes[node.name].weights, becomes))
    return made


def _real(graph: Graph, settings: ShiftSettings, domain: str) -> frozenset[str]:
    """Nodes whose weights stay real."""
    if domain == Domain.REAL:
        return frozenset(graph.by_name)
    real = frozenset[str]() if settings.stem else parts.stem(graph)
    last = parts.classifier(graph)
    return real if settings.classifier or last is None else real | {last}


def _becomes(node: Node, settings: ShiftSettings, real: frozenset[str]) -> str:
    if not isinstance(node, Weighted):
        return ""
    return "real" if node.name in real else f"shift ({settings.layer}, {settings.weight_bits} bits)"


def text(found: Imported, table: list[Row]) -> str:
    """Lines of columns, and below what was left out."""
    cells = [("layer", "node", "kind", "shape", "weights", "becomes")]
    for row in table:
        shape = "x".join(map(str, row.shape))
        weights = f"{row.weights:,}" if row.weights else ""
        cells.append((row.layer, row.node, row.kind, shape, weights, row.becomes))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(one.ljust(width) for one, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    total = sum(row.weights for row in table)
    return "\n".join([*lines, f"{total:,} weights", *found.notes])


def classes_of(graph: Graph) -> int:
    """Number of logits."""
    return graph.output.shape[2]

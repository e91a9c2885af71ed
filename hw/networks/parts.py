"""Which nodes of a network are its stem, which makes its logits, and which end an edge of a cell.

Told by what reads what, never by what a node is called.
"""

from hw.ir.graph import Add, Concat, Conv, Graph, Input, Keeping, Weighted


def stem(graph: Graph) -> frozenset[str]:
    """Names of the convolutions that read the image, and of those between the image and cells.

    Their windows are larger than a pixel; what a cell begins with, a 1x1 Conv or a
    FactorizedReduce, has none. Behind the first, those of cells' stems rectify what they read;
    convolutions of conventional networks clip what they write instead (`hw.ir.clip`).
    """
    names: set[str] = set()
    for node in graph:
        if isinstance(node, Conv) and node.kernel != (1, 1):
            (source,) = node.inputs
            if isinstance(graph[source], Input) or (source in names and node.relu_in):
                names.add(node.name)
    return frozenset(names)


def classifier(graph: Graph) -> str | None:
    """Name of the layer that makes the logits, be it a Linear or a convolution whose means they
    are; None where none does.
    """
    node = graph.output
    while isinstance(node, Keeping):
        node = graph[node.inputs[0]]
    return node.name if isinstance(node, Weighted) else None


def edge_ends(graph: Graph) -> frozenset[str]:
    """Names of the nodes whose tensors are those of an edge; an identity edge has none.

    Of networks that are wired as in `hw.networks.cells`.

    A node of a cell sums two edges. An identity's summand is a state of the cell: an earlier sum,
    or one of the two nodes that bring the outside in, the stem or other cells' outputs.
    """
    outside = stem(graph) | {node.name for node in graph if isinstance(node, Concat)}
    summands = {name for node in graph if isinstance(node, Add) for name in node.inputs}
    return frozenset(
        name
        for name in summands
        if not isinstance(graph[name], Add) and not outside.issuperset(graph[name].inputs)
    )

"""Which nodes of a network of cells are its stem, and which end an edge of a cell.

Told by what reads what, never by what a node is called, for graphs that are wired as in
`hw.networks.cells`.
"""

from hw.ir.graph import Add, Concat, Conv, Graph, Input


def stem(graph: Graph) -> frozenset[str]:
    """Names of the convolutions between the image and the cells.

    Their windows are larger than a pixel; what a cell begins with, a 1x1 Conv or a
    FactorizedReduce, has none.
    """
    names: set[str] = set()
    for node in graph:
        if isinstance(node, Conv) and node.kernel != (1, 1):
            (source,) = node.inputs
            if source in names or isinstance(graph[source], Input):
                names.add(node.name)
    return frozenset(names)


def edge_ends(graph: Graph) -> frozenset[str]:
    """Names of the nodes whose tensors are those of an edge; an identity edge has none.

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

"""A cell of a genotype as an SVG drawing: states, operations, and who reads whom.

The drawing is layered from left to right. States stand in even layers; an operation stands in the
odd layer before the node it feeds; an edge that spans several layers is led through each of them,
and the order within the layers is improved by barycentre sweeps, so that few edges cross.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

LAYER_WIDTH = 118
ROW_HEIGHT = 40
MARGIN = 14
BOX = {"state": (74, 30), "operation": (96, 24), "bend": (0, 0)}
"""Width and height of each kind of vertex."""

KINDS = {
    "sep": "separable",
    "dil": "dilated",
    "conv": "separable",
    "max": "pool",
    "avg": "pool",
    "skip": "skip",
}
"""First word of an operation's name -> CSS class of its box."""


@dataclass
class _Vertex:
    """Something that takes a place in a layer: a state, an operation, or the bend of an edge."""

    kind: str
    label: str
    layer: int
    style: str = ""
    row: float = 0.0


def short(operation: str) -> str:
    """`sep_conv_3x3` as `sep 3×3`."""
    words = [
        word.replace("x", "×") if word[:1].isdigit() else word for word in operation.split("_")
    ]
    drop = ("connect",) if words[0] != "conv" else ()
    if words[0] in ("sep", "dil"):
        drop = ("conv",)
    if words[0] in ("max", "avg"):
        words[0] += " pool"
        drop = ("pool",)
    return " ".join(word for word in words if word not in drop)


def draw(edges: Sequence[tuple[str, int]], concat: Sequence[int], title: str) -> str:
    """SVG of one cell: `edges` (operation, state read), two a node; `concat`: the states joined."""
    vertices, links = _graph(edges, concat)
    vertices, links = _with_bends(vertices, links)
    _place(vertices, links)
    return _svg(vertices, links, title)


def _graph(
    edges: Sequence[tuple[str, int]], concat: Sequence[int]
) -> tuple[list[_Vertex], list[tuple[int, int]]]:
    """Vertices and (from, to) pairs; a node's layer is two after the deepest state it reads."""
    vertices = [
        _Vertex("state", "c[k−2]", 0, "input"),
        _Vertex("state", "c[k−1]", 0, "input"),
    ]
    states = [0, 1]
    links: list[tuple[int, int]] = []
    for node in range(len(edges) // 2):
        pair = edges[2 * node : 2 * node + 2]
        layer = 2 + max(vertices[states[state]].layer for _, state in pair)
        vertices.append(_Vertex("state", f"node {node}", layer, "node"))
        target = len(vertices) - 1
        for operation, state in pair:
            style = KINDS.get(operation.split("_")[0], "separable")
            vertices.append(_Vertex("operation", short(operation), layer - 1, style))
            links += [(states[state], len(vertices) - 1), (len(vertices) - 1, target)]
        states.append(target)
    last = 1 + max(vertex.layer for vertex in vertices)
    vertices.append(_Vertex("state", "c[k]", last, "output"))
    links += [(states[state], len(vertices) - 1) for state in concat]
    return vertices, links


def _with_bends(
    vertices: list[_Vertex], links: list[tuple[int, int]]
) -> tuple[list[_Vertex], list[tuple[int, int]]]:
    """Split every link that spans several layers at a bend in each layer between."""
    vertices, short_links = list(vertices), []
    for source, target in links:
        for layer in range(vertices[source].layer + 1, vertices[target].layer):
            vertices.append(_Vertex("bend", "", layer))
            short_links.append((source, len(vertices) - 1))
            source = len(vertices) - 1
        short_links.append((source, target))
    return vertices, short_links


def _place(vertices: list[_Vertex], links: list[tuple[int, int]]) -> None:
    """Give every vertex its row."""
    depth = 1 + max(vertex.layer for vertex in vertices)
    layers: list[list[int]] = [[] for _ in range(depth)]
    for index, vertex in enumerate(vertices):
        layers[vertex.layer].append(index)
    before: dict[int, list[int]] = {index: [] for index in range(len(vertices))}
    after: dict[int, list[int]] = {index: [] for index in range(len(vertices))}
    for source, target in links:
        before[target].append(source)
        after[source].append(target)
    best: tuple[int, list[list[int]]] | None = None
    for sweep in range(24):
        forward = sweep % 2 == 0
        for layer in layers if forward else reversed(layers):
            neighbours = before if forward else after
            for rank, index in enumerate(layer):
                vertices[index].row = rank - (len(layer) - 1) / 2
            layer.sort(key=lambda index, near=neighbours: _mean(vertices, near[index], index))
            for rank, index in enumerate(layer):
                vertices[index].row = rank - (len(layer) - 1) / 2
        crossings = _crossings(vertices, links)
        if best is None or crossings < best[0]:
            best = crossings, [list(layer) for layer in layers]
    assert best is not None
    for layer in best[1]:
        for rank, index in enumerate(layer):
            vertices[index].row = rank - (len(layer) - 1) / 2


def _mean(vertices: list[_Vertex], near: list[int], index: int) -> float:
    return sum(vertices[i].row for i in near) / len(near) if near else vertices[index].row


def _crossings(vertices: list[_Vertex], links: list[tuple[int, int]]) -> int:
    count = 0
    for position, (a, b) in enumerate(links):
        for c, d in links[position + 1 :]:
            if vertices[a].layer == vertices[c].layer:
                left = vertices[a].row - vertices[c].row
                right = vertices[b].row - vertices[d].row
                count += left * right < 0
    return count


def _svg(vertices: list[_Vertex], links: list[tuple[int, int]], title: str) -> str:
    depth = 1 + max(vertex.layer for vertex in vertices)
    top = max(abs(vertex.row) for vertex in vertices)
    width = (depth - 1) * LAYER_WIDTH + BOX["operation"][0] + 2 * MARGIN
    height = 2 * top * ROW_HEIGHT + BOX["state"][1] + 2 * MARGIN

    def x(vertex: _Vertex) -> float:
        return MARGIN + BOX["operation"][0] / 2 + vertex.layer * LAYER_WIDTH

    def y(vertex: _Vertex) -> float:
        return height / 2 + vertex.row * ROW_HEIGHT

    parts = [
        (
            f'<svg class="cell" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
            f'height="{height:.0f}" role="img" aria-label="{escape(title)}">'
        ),
        f"<title>{escape(title)}</title>",
    ]
    for source, target in links:
        a, b = vertices[source], vertices[target]
        x0, x1 = x(a) + BOX[a.kind][0] / 2, x(b) - BOX[b.kind][0] / 2
        bend = (x1 - x0) / 2
        parts.append(
            f'<path class="link" d="M{x0:.1f} {y(a):.1f} C{x0 + bend:.1f} {y(a):.1f} '
            f'{x1 - bend:.1f} {y(b):.1f} {x1:.1f} {y(b):.1f}"/>'
        )
    for vertex in vertices:
        if vertex.kind == "bend":
            continue
        box_width, box_height = BOX[vertex.kind]
        radius = 6 if vertex.kind == "state" else box_height / 2
        parts.append(
            f'<g class="{vertex.kind} {vertex.style}"><rect x="{x(vertex) - box_width / 2:.1f}" '
            f'y="{y(vertex) - box_height / 2:.1f}" width="{box_width}" height="{box_height}" '
            f'rx="{radius:.0f}"/><text x="{x(vertex):.1f}" y="{y(vertex):.1f}">'
            f"{escape(vertex.label)}</text></g>"
        )
    return "".join(parts) + "</svg>"

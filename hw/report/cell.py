"""A cell of a genotype as a drawing (the paper's figure 3): states, operations, who reads whom.

The drawing is layered from left to right. States stand in even layers; an operation stands in the
odd layer before the node it feeds; an edge that spans several layers is led through each of them,
and the order within the layers is improved by barycentre sweeps, so that few edges cross.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hw.networks.space import Edge
from hw.report.operations import colour, short, state_name, text_colour
from hw.report.plotting import INK, PANEL, SOFT, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAYER_WIDTH = 118
ROW_HEIGHT = 40
MARGIN = 14
BOX = {"state": (74, 30), "operation": (96, 24), "bend": (0, 0)}
"""Width and height of each kind of vertex."""
UNIT = 1 / 80
"""Inches of one unit of the drawing."""


@dataclass
class Vertex:
    """Something that takes a place in a layer: a state, an operation, or the bend of an edge.

    Parameters
    ----------
    kind: a key of `BOX`
    label: written in its box
    layer: counted from the left
    operation: the operation's name, empty for the others
    row: within its layer, 0 in the middle
    """

    kind: str
    label: str
    layer: int
    operation: str = ""
    row: float = 0.0


@dataclass(frozen=True)
class Layout:
    """A drawing of `width` by `height`, y downwards: the vertices and the links between them."""

    vertices: list[Vertex]
    links: list[tuple[int, int]]

    @property
    def width(self) -> float:
        depth = 1 + max(vertex.layer for vertex in self.vertices)
        return (depth - 1) * LAYER_WIDTH + BOX["operation"][0] + 2 * MARGIN

    @property
    def height(self) -> float:
        top = max(abs(vertex.row) for vertex in self.vertices)
        return 2 * top * ROW_HEIGHT + BOX["state"][1] + 2 * MARGIN

    def centre(self, vertex: Vertex) -> tuple[float, float]:
        x = MARGIN + BOX["operation"][0] / 2 + vertex.layer * LAYER_WIDTH
        return x, self.height / 2 + vertex.row * ROW_HEIGHT


def layout(edges: Sequence[Edge], concat: Sequence[int]) -> Layout:
    """Place a cell: `edges` (operation, state read), two a node; `concat`: the states joined."""
    vertices, links = _graph(edges, concat)
    vertices, links = _with_bends(vertices, links)
    _place(vertices, links)
    return Layout(vertices, links)


def draw(edges: Sequence[Edge], concat: Sequence[int]) -> "Figure":
    """The cell that `layout` places."""
    from matplotlib.patches import FancyBboxPatch, PathPatch
    from matplotlib.path import Path

    placed = layout(edges, concat)
    figure = new_figure(placed.width * UNIT, placed.height * UNIT, layout="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, placed.width)
    axes.set_ylim(placed.height, 0)
    curve = [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
    for source, target in placed.links:
        a, b = placed.vertices[source], placed.vertices[target]
        (x0, y0), (x1, y1) = placed.centre(a), placed.centre(b)
        x0, x1 = x0 + BOX[a.kind][0] / 2, x1 - BOX[b.kind][0] / 2
        bend = (x1 - x0) / 2
        path = Path([(x0, y0), (x0 + bend, y0), (x1 - bend, y1), (x1, y1)], curve)
        axes.add_patch(PathPatch(path, fill=False, edgecolor=SOFT, linewidth=1.1, alpha=0.8))
    for vertex in placed.vertices:
        if vertex.kind == "bend":
            continue
        (x, y), (width, height) = placed.centre(vertex), BOX[vertex.kind]
        fill = colour(vertex.operation) if vertex.operation else PANEL
        radius = 6 if vertex.kind == "state" else height / 2
        axes.add_patch(
            FancyBboxPatch(
                (x - width / 2, y - height / 2),
                width,
                height,
                boxstyle=f"round,pad=0,rounding_size={radius}",
                facecolor=fill,
                edgecolor="none" if vertex.operation else SOFT,
                linewidth=0.9,
            )
        )
        ink = text_colour(fill) if vertex.operation else INK
        axes.text(x, y, vertex.label, ha="center", va="center_baseline", color=ink, fontsize=9)
    return figure


def _graph(
    edges: Sequence[Edge], concat: Sequence[int]
) -> tuple[list[Vertex], list[tuple[int, int]]]:
    """Vertices and (from, to) pairs; a node's layer is two after the deepest state it reads."""
    vertices = [
        Vertex("state", state_name(0), 0),
        Vertex("state", state_name(1), 0),
    ]
    states = [0, 1]
    links: list[tuple[int, int]] = []
    for node in range(len(edges) // 2):
        pair = edges[2 * node : 2 * node + 2]
        layer = 2 + max(vertices[states[state]].layer for _, state in pair)
        vertices.append(Vertex("state", state_name(2 + node), layer))
        target = len(vertices) - 1
        for operation, state in pair:
            vertices.append(Vertex("operation", short(operation), layer - 1, operation))
            links += [(states[state], len(vertices) - 1), (len(vertices) - 1, target)]
        states.append(target)
    last = 1 + max(vertex.layer for vertex in vertices)
    vertices.append(Vertex("state", "c[k]", last))
    links += [(states[state], len(vertices) - 1) for state in concat]
    return vertices, links


def _with_bends(
    vertices: list[Vertex], links: list[tuple[int, int]]
) -> tuple[list[Vertex], list[tuple[int, int]]]:
    """Split every link that spans several layers at a bend in each layer between."""
    vertices, short_links = list(vertices), []
    for source, target in links:
        for layer in range(vertices[source].layer + 1, vertices[target].layer):
            vertices.append(Vertex("bend", "", layer))
            short_links.append((source, len(vertices) - 1))
            source = len(vertices) - 1
        short_links.append((source, target))
    return vertices, short_links


def _place(vertices: list[Vertex], links: list[tuple[int, int]]) -> None:
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


def _mean(vertices: list[Vertex], near: list[int], index: int) -> float:
    return sum(vertices[i].row for i in near) / len(near) if near else vertices[index].row


def _crossings(vertices: list[Vertex], links: list[tuple[int, int]]) -> int:
    count = 0
    for position, (a, b) in enumerate(links):
        for c, d in links[position + 1 :]:
            if vertices[a].layer == vertices[c].layer:
                left = vertices[a].row - vertices[c].row
                right = vertices[b].row - vertices[d].row
                count += left * right < 0
    return count

"""The architecture parameters over the epochs: alpha of every edge, gamma, beta (eq. 3, 12, 13).

The numbers are shares after the softmax, as the search logs them. A panel of `operation_shares`
stands where its edge is in the cell: a row a node, a column a state that the node reads.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from hw.networks.space import ZERO, candidate_edges, has_weights, nodes_of
from hw.report.curves import mark_stages, whole_epochs
from hw.report.log import Log, has_groups, is_warmup
from hw.report.operations import colour, short, state_name
from hw.report.plotting import INK, LINE, SOFT, STATES, legend_of, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELLS = ("normal cell", "reduction cell")
GREY = "#c3c9d4"
"""Of the pairs that do not come first."""


def has_architecture(log: Log, key: str = "alpha") -> bool:
    """Whether any epoch logged this part of the architecture."""
    return any(_part(record, key) is not None for record in log.records)


def operation_shares(log: Log, cell: int) -> "Figure":
    """alpha of one cell (0 normal, 1 reduction): a panel an edge, a line an operation."""
    edges = _edges(log)
    nodes = 1 + edges[-1][1]
    figure = new_figure(11.5, 1.5 * nodes + 0.5)
    grid = figure.subplots(nodes, nodes + 1, sharex=True, sharey=True, squeeze=False)
    lines: dict[str, Any] = {}
    for state, node in [(s, n) for n in range(nodes) for s in range(nodes + 1)]:
        axes = grid[node][state]
        if (state, node) not in edges:
            axes.set_axis_off()
            continue
        for operation, shares in _shares(log, cell, edges.index((state, node))).items():
            # A line a stage: between two stages the candidates change and the shares jump.
            for stage in log.stages:
                part = slice(stage.first - 1, stage.last)
                style = {"color": colour(operation), "linewidth": 1.3, **_marker(shares[part])}
                (lines[operation],) = axes.plot(log.epochs[part], shares[part], **style)
        mark_stages(axes, log.stages, names=False)
        whole_epochs(axes, len(log), 5)
        axes.set_title(f"{state_name(state)} → node {node}", fontsize=8.5, color=INK, pad=4)
        # The labels of the axes stand on the outer panels only, which in a triangle are the last
        # of each column and the first of each row.
        axes.tick_params(labelbottom=node == nodes - 1, labelleft=state == 0)
    _name_epochs(grid)
    figure.supylabel("share of the operation (softmax of α)", fontsize=9, color=SOFT)
    order = sorted(lines, key=list(_all_operations(log)).index)
    legend_of(figure, [lines[name] for name in order], [short(name) for name in order], 8)
    return figure


def strongest_operations(log: Log) -> "Figure":
    """Of every edge and epoch the strongest operation (colour) and its share (saturation).

    Where each group of operations has a softmax of its own, the upper half of an edge's row is the
    strongest convolution and the lower half the strongest operation without weights. Warm-up epochs
    stay empty: alpha is not trained yet, and the strongest is an accident.
    """
    from matplotlib.colors import to_rgb

    edges = _edges(log)
    figure = new_figure(11.5, 0.25 * len(edges) + 1.5)
    seen: set[str] = set()
    for cell, axes in enumerate(figure.subplots(1, 2, sharey=True)):
        picture = [[(1.0, 1.0, 1.0)] * len(log) for _ in range(2 * len(edges))]
        for epoch, record in enumerate(log.records):
            if _part(record, "alpha") is None or is_warmup(record):
                continue
            for edge in range(len(edges)):
                for half, (operation, share) in enumerate(_winners(record, cell, edge)):
                    seen.add(operation)
                    ink = to_rgb(colour(operation))
                    strength = 0.25 + 0.75 * share
                    picture[2 * edge + half][epoch] = (
                        1 - strength * (1 - ink[0]),
                        1 - strength * (1 - ink[1]),
                        1 - strength * (1 - ink[2]),
                    )
        axes.imshow(
            picture,
            aspect="auto",
            interpolation="none",
            extent=(0.5, len(log) + 0.5, len(edges) - 0.5, -0.5),
        )
        _edge_rows(axes, edges, log, CELLS[cell])
    order = [name for name in _all_operations(log) if name in seen]
    legend_of(figure, [_patch(colour(name)) for name in order], [short(n) for n in order], 8)
    return figure


def edge_weights(log: Log) -> "Figure":
    """gamma (eq. 13): the weight of every edge, a panel a node and cell, a line a state read."""
    edges = _edges(log)
    figure, grid = _panels_of_nodes(edges, "weight of the edge (γ)")
    lines: dict[int, Any] = {}
    rows = [_part(record, "gamma") for record in log.records]
    for cell in (0, 1):
        for node, axes in enumerate(grid[cell]):
            for position, (state, into) in enumerate(edges):
                if into == node:
                    values = [math.nan if row is None else row[cell][position] for row in rows]
                    (lines[state],) = axes.plot(
                        log.epochs, values, color=STATES[state % len(STATES)], **_marker(values)
                    )
            _panel(axes, log, f"{CELLS[cell]}, into node {node}")
    _name_epochs(grid)
    states = sorted(lines)
    names = [f"from {state_name(state)}" for state in states]
    legend_of(figure, [lines[state] for state in states], names, 6)
    return figure


def pair_weights(log: Log) -> "Figure":
    """beta (eq. 12): the share of every pair of edges into a node; the strongest is named."""
    figure, grid = _panels_of_nodes(_edges(log), "share of the pair of edges (softmax of β)")
    rows = [_part(record, "beta") for record in log.records]
    newest = next(row for row in reversed(rows) if row is not None)
    for cell in (0, 1):
        for node, axes in enumerate(grid[cell]):
            pairs = list(combinations(range(2 + node), 2))
            best = max(range(len(pairs)), key=lambda pair, last=newest[cell][node]: last[pair])
            # The strongest last, so that it lies on top.
            for pair in sorted(range(len(pairs)), key=lambda pair, best=best: pair == best):
                values = [math.nan if row is None else row[cell][node][pair] for row in rows]
                axes.plot(
                    log.epochs,
                    values,
                    color=INK if pair == best else GREY,
                    linewidth=2 if pair == best else 1.1,
                    **_marker(values),
                )
            first, second = (state_name(state) for state in pairs[best])
            _panel(axes, log, f"{CELLS[cell]}, node {node}: {first} + {second}")
    _name_epochs(grid)
    return figure


# --- reading the records


def _part(record: Mapping[str, Any], key: str) -> Any:
    return (record.get("architecture") or {}).get(key)


def _edges(log: Log) -> tuple[tuple[int, int], ...]:
    """The edges whose parameters the log has, as (state read, node index)."""
    alpha = next(_part(r, "alpha") for r in log.records if _part(r, "alpha") is not None)
    nodes = nodes_of(len(alpha[0]))
    assert nodes is not None, "hw.report.log checks it"
    return candidate_edges(nodes)


def _shares(log: Log, cell: int, edge: int) -> dict[str, list[float]]:
    """Operation -> its share an epoch; NaN where it is no candidate of the edge."""
    shares: dict[str, list[float]] = {}
    for epoch, record in enumerate(log.records):
        if _part(record, "alpha") is None:
            continue
        names, values = (_part(record, key)[cell][edge] for key in ("candidates", "alpha"))
        for name, value in zip(names, values, strict=True):
            shares.setdefault(name, [math.nan] * len(log))[epoch] = value
    return shares


def _all_operations(log: Log) -> dict[str, None]:
    """Every operation that was a candidate anywhere, in order of first appearance."""
    return dict.fromkeys(
        name
        for record in log.records
        for cell in _part(record, "candidates") or ()
        for edge in cell
        for name in edge
    )


def _winners(record: Mapping[str, Any], cell: int, edge: int) -> Iterator[tuple[str, float]]:
    """Operation and share of the strongest candidate of an edge: of each group, or twice of all."""
    names, shares = (_part(record, key)[cell][edge] for key in ("candidates", "alpha"))
    every = list(zip(names, shares, strict=True))
    groups = [every, every]
    if has_groups(record):
        groups = [
            [entry for entry in every if (entry[0] != ZERO and has_weights(entry[0])) == conv]
            for conv in (True, False)
        ]
    for group in groups:
        yield max(group or every, key=lambda entry: entry[1])


# --- parts of the pictures


def _panels_of_nodes(edges: Sequence[tuple[int, int]], label: str) -> "tuple[Figure, Any]":
    """A panel a node, a row a cell; `label` names what all of them show."""
    figure = new_figure(11.5, 4.6)
    grid = figure.subplots(2, 1 + edges[-1][1], sharex=True, sharey=True, squeeze=False)
    figure.supylabel(label, fontsize=9, color=SOFT)
    return figure, grid


def _panel(axes: "Axes", log: Log, title: str) -> None:
    mark_stages(axes, log.stages, names=False)
    whole_epochs(axes, len(log), 5)
    axes.set_title(title, fontsize=8.5, color=INK, pad=4)


def _name_epochs(grid: Any) -> None:
    """What all panels of a grid share: shares from 0 on, epochs below the last row."""
    grid[0][0].set_ylim(bottom=0)
    for axes in grid[-1]:
        axes.set_xlabel("epoch")


def _edge_rows(axes: "Axes", edges: Sequence[tuple[int, int]], log: Log, title: str) -> None:
    """A row an edge, a line between nodes."""
    mark_stages(axes, log.stages, names=False)
    whole_epochs(axes, len(log))
    axes.grid(False)
    axes.set_yticks(
        range(len(edges)), [f"{state_name(state)} → node {node}" for state, node in edges]
    )
    axes.tick_params(axis="y", length=0, labelsize=8)
    for position in range(1, len(edges)):
        same = edges[position][1] == edges[position - 1][1]
        axes.axhline(position - 0.5, color=LINE if same else INK, linewidth=0.5 if same else 0.8)
    axes.set_title(title, color=INK)
    axes.set_xlabel("epoch")


def _marker(values: Sequence[float]) -> dict[str, Any]:
    """A mark for a lone value, which a line alone would not show."""
    return {"marker": "o"} if sum(value == value for value in values) == 1 else {}


def _patch(fill: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(facecolor=fill)

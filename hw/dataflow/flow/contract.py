"""The flow contract: what each layer must have read before it writes, and what it can hold.

Each node of a (pruned) graph is a process that reads streams of beats and writes one; a beat is one
channel of one pixel, raster order, channels innermost, frames back to back. The processes are
determinate: what they write does not depend on when they run. So buffers that are large enough for
ONE possible schedule can never make the network deadlock under another, and a network whose buffers
fit a schedule of a given speed runs at least that fast when nothing holds it back.

`deadlock` beside this file looks for the smallest FIFOs with any schedule at all, `schedule` for
those of a schedule at full speed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from hw.dataflow.design.geometry import Geometry
from hw.dataflow.plan import JOINS
from hw.ir.graph import Add, Concat, GlobalPool, Graph, Input, Shape


@dataclass(frozen=True)
class Process:
    """One node's part in the flow, for one frame; every later frame repeats it.

    Parameters
    ----------
    name: of the node
    sources: names of the tensors read
    in_beats: beats a frame on each input
    out_beats: beats a frame written
    group: output beats that belong together: the channels of an engine's pixel; else 1
    need: for each input, how many of the frame's beats must have been accepted before output group
        n may start; non-decreasing, shape (out_beats // group,)
    base: for each input, the frame's beat below which everything may be forgotten while group n is
        in progress; can be negative; same shape
    """

    name: str
    sources: tuple[str, ...]
    in_beats: tuple[int, ...]
    out_beats: int
    group: int
    need: tuple[np.ndarray, ...]
    base: tuple[np.ndarray, ...]

    @property
    def groups(self) -> int:
        """Output groups a frame."""
        return self.out_beats // self.group


@dataclass(frozen=True)
class Pipeline:
    """How far an engine reads on while its output is blocked: what its registers hold.

    The beat on the output, the sums in the requantiser and those behind the element, and the ones
    under way, whose last tap waits: until all of these are full the engine goes on, and its window
    moves on too. So FIFOs can be a little smaller than the beats written would ask for.

    Parameters
    ----------
    lanes: output beats of a group (a plan's `pe`)
    serial: whether the beat on the output stays in the requantiser, as a serial one's does, and not
        in a register behind it
    held: groups from the beat on the output on, or from the one after it, whose taps are all read
    """

    lanes: int
    serial: bool
    held: int

    def read(self, written: int) -> int:
        """Groups read in full at the most, the last of `written` beats being blocked."""
        return (written - self.serial) // self.lanes + self.held


def process(graph: Graph, name: str) -> Process:
    """The flow contract of node `name`."""
    node = graph[name]
    shapes = graph.in_shapes(node)
    beats, in_beats = prod(node.shape), tuple(prod(shape) for shape in shapes)
    if isinstance(node, Input):
        group, need, base = 1, (), ()
    elif isinstance(node, Add):
        group = 1
        base = tuple(np.arange(beats, dtype=np.int64) for _ in shapes)
        need = tuple(one + 1 for one in base)
    elif isinstance(node, Concat):
        group = 1
        need, base = _concat(node.shape, tuple(shape[2] for shape in shapes))
    elif isinstance(node, GlobalPool):
        # A mean leaves while its channel's last beat is held; there is no room for the next one.
        group, channel = 1, np.arange(beats, dtype=np.int64)
        need, base = (in_beats[0] - beats + 1 + channel,), (channel,)
    else:
        group = node.shape[2]
        one_need, one_base = _window(Geometry.of(graph, node))
        need, base = (one_need,), (one_base,)
    return Process(name, node.inputs, in_beats, beats, group, need, base)


def processes(graph: Graph) -> dict[str, Process]:
    """The flow contract of every node, in topological order."""
    return {node.name: process(graph, node.name) for node in graph}


def _window(g: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """`need` and `base` of an engine, a pixel each."""
    rows, columns = np.arange(g.out[0])[:, None], np.arange(g.out[1])[None, :]
    bottom = _last_real(g, 0, rows)
    right = _last_real(g, 1, columns)
    beats = (bottom * g.shape[1] + right + 1) * g.shape[2]
    # Pixels leave in order: one cannot start before those above and to its left.
    need = np.maximum.accumulate(np.maximum(beats, 1).ravel())
    return need, g.base(rows, columns).ravel()


def _last_real(g: Geometry, axis: int, position: np.ndarray) -> np.ndarray:
    """Coordinate of the last tap that lies in the image, for each output row or column."""
    first, step = position * g.stride[axis] - g.padding[axis], g.dilation[axis]
    return first + np.minimum(g.kernel[axis] - 1, (g.shape[axis] - 1 - first) // step) * step


def _concat(shape: Shape, channels: tuple[int, ...]) -> tuple[tuple, tuple]:
    """`need` and `base` of a concatenation, a beat each: input by input within a pixel."""
    height, width, total = shape
    pixel, channel = np.divmod(np.arange(height * width * total, dtype=np.int64), total)
    need, base, first = [], [], 0
    for count in channels:
        before = np.clip(channel - first, 0, count)
        mine = (channel >= first) & (channel < first + count)
        base.append(pixel * count + before)
        need.append(pixel * count + before + mine)
        first += count
    return tuple(need), tuple(base)


def input_space(
    graph: Graph, stores: Mapping[str, int], fifos: Mapping[str, tuple[int, ...]]
) -> dict[tuple[str, int], int]:
    """Beats each input can hold, by (node, input position): a store, a FIFO, or a pool's sums."""
    space = {}
    for node in graph:
        for position, source in enumerate(node.inputs):
            if isinstance(node, JOINS):
                space[node.name, position] = fifos[node.name][position]
            elif isinstance(node, GlobalPool):
                # All beats of a frame go into its sums at once, but for the last pixel's.
                space[node.name, position] = prod(graph[source].shape) - node.shape[2] + 1
            else:
                space[node.name, position] = stores[node.name]
    return space

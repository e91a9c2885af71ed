"""Where the pixels of each tensor lie, and where a batch's images come together.

A plane of H × W pixels has a pitch on each axis, a power of two. Above one, a lane holds so many
neighbouring pixels in as many words. Below one, pixels lie so many lanes apart, and the lanes
between them hold the same plane of the batch's other images. What comes first is done for each
image (the prefix), the rest once a batch (the suffix). Tensors on the border have room for all
images; whatever else the prefix computes lies as the first image's does, whichever it is of.
"""

from dataclasses import dataclass

from hw.errors import InputError
from hw.ir.graph import Conv, FactorizedReduce, GlobalPool, Graph, Node, Pair, Windowed
from hw.overlay.hardware import Overlay

LARGEST_PITCH = 7
"""log2 of it."""


@dataclass(frozen=True)
class Gather:
    """A tensor of the prefix of which the suffix reads a copy, see `gather.py`.

    Parameters
    ----------
    source: the tensor
    nodes: convolutions of the suffix that read the copy
    used: input rows, and columns, that it holds for the output's pixels of lane 0
    """

    source: str
    nodes: tuple[str, ...]
    used: tuple[tuple[int, ...], tuple[int, ...]]

    @property
    def words(self) -> int:
        """Of a channel's copy."""
        return len(self.used[0]) * len(self.used[1])


@dataclass(frozen=True)
class Placement:
    """log2 of each tensor's pitches, the batch, and what is done once for all of its images.

    Parameters
    ----------
    suffix: nodes that are done once a batch
    border: nodes of the prefix that the suffix reads
    moved: those of the border that lie as the first image's, and are copied among the other images
    both: those of the border that the prefix reads as well: moved, and kept
    gathers: tensors of the prefix that are copied for it
    """

    pitches: dict[str, Pair]
    batch: Pair
    suffix: frozenset[str] = frozenset()
    border: frozenset[str] = frozenset()
    moved: frozenset[str] = frozenset()
    both: frozenset[str] = frozenset()
    gathers: tuple[Gather, ...] = ()

    def shared(self, name: str) -> bool:
        """Whether a tensor's planes hold all images of a batch: it has as many places."""
        pitches = self.pitches[name]
        return self.batch != (1, 1) and all(
            images <= 1 << max(-pitch, 0) for pitch, images in zip(pitches, self.batch, strict=True)
        )

    @property
    def gathered(self) -> frozenset[str]:
        """Nodes that read copies."""
        return frozenset(name for gather in self.gathers for name in gather.nodes)

    def apart(self, name: str) -> tuple[bool, bool]:
        """On which axes a tensor's pixels have those of the batch's other images between them."""
        rows, columns = (
            p < 0 and b > 1 for p, b in zip(self.pitches[name], self.batch, strict=True)
        )
        return rows, columns

    def cuts(self, node: Node) -> tuple[bool, bool]:
        """On which axes a node of the border writes its image's own lanes at once."""
        if node.name not in self.border - self.moved:
            return False, False
        return self.apart(node.name)


def strides(node: Node) -> Pair:
    """Of a node's windows, down and across."""
    match node:
        case Conv() | Windowed():
            return node.stride
        case FactorizedReduce():
            return 2, 2
    return 1, 1


def words(pitch: Pair) -> int:
    """Of a plane."""
    return 1 << (max(pitch[0], 0) + max(pitch[1], 0))


def place(graph: Graph, hardware: Overlay) -> Placement:
    """The placement with the smallest pitches that fit.

    Raises
    ------
    InputError: a stride that is no power of two, tensors of different pitches that meet, images
        that are too large
    """
    sides = hardware.rows, hardware.columns
    start = [_least(graph.input.shape[axis], sides[axis]) for axis in (0, 1)]
    while True:
        pitches = {}
        for axis in (0, 1):
            for node, pitch in _along(graph, axis, start[axis]).items():
                pitches[node] = (*pitches.get(node, ()), pitch)
        batch = _batch(graph, pitches, hardware.corner)
        wrong = _too_large(graph, pitches, batch, sides)
        if wrong is None:
            break
        name, axis = wrong
        start[axis] += 1
        if start[axis] > LARGEST_PITCH:
            raise InputError(
                f"{name}: {('rows', 'columns')[axis]} of {graph[name].shape[axis]} pixels do not"
                f" fit {sides[axis]} lanes of at most {1 << LARGEST_PITCH} each; take a larger grid"
            )
    return Placement(pitches, batch)


def _least(side: int, lanes: int) -> int:
    return (-(-side // lanes) - 1).bit_length()


def _along(graph: Graph, axis: int, start: int) -> dict[str, int]:
    """log2 of every tensor's pitch on one axis."""
    pitches: dict[str, int] = {}
    for node in graph:
        if not node.inputs:
            pitches[node.name] = start
            continue
        first, *others = (pitches[source] for source in node.inputs)
        for source, pitch in zip(node.inputs[1:], others, strict=True):
            if pitch != first:
                raise InputError(
                    f"{node.name}: {source} and {node.inputs[0]} come from images shrunk by"
                    f" different strides; an overlay joins tensors of one pitch"
                )
        stride = strides(node)[axis]
        if node.shape[axis] == 1 or isinstance(node, GlobalPool):
            # Of one pixel only the place counts.
            pitches[node.name] = min(first, 0)
        elif stride & (stride - 1):
            raise InputError(f"{node.name}: a stride of {stride}; an overlay does powers of two")
        else:
            pitches[node.name] = first - stride.bit_length() + 1
    return pitches


def _batch(graph: Graph, pitches: dict[str, Pair], corner: int) -> Pair:
    """Images down and across: as many as the first tensor with room between its pixels takes.

    A convolution may be two, down and across; what reads that tensor is looked at as well.
    """
    for node in graph:
        if min(pitches[node.name]) < 0:
            near = [node.name, *(reader for reader, _ in graph.readers[node.name])]
            rows, columns = (
                min(1 << max(0, *(-pitches[name][axis] for name in near)), corner)
                for axis in (0, 1)
            )
            return rows, columns
    return 1, 1


def _too_large(
    graph: Graph, pitches: dict[str, Pair], batch: Pair, sides: Pair
) -> tuple[str, int] | None:
    """A tensor, and the axis, of which there are too few lanes."""
    for node in graph:
        for axis in (0, 1):
            side, pitch = node.shape[axis], pitches[node.name][axis]
            if pitch >= 0:
                needed = (side + (1 << pitch) - 1) >> pitch
            else:
                needed = ((side - 1) << -pitch) + batch[axis]
            if needed > sides[axis]:
                return node.name, axis
    return None

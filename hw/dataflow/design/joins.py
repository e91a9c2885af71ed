"""Joins: node sums and concatenations, with a FIFO on every input."""

from dataclasses import dataclass

from hw.ir.arithmetic import Alignment, alignment, alignments, in_formats
from hw.ir.format import Format
from hw.ir.graph import Add, Concat
from hw.ir.network import Network


@dataclass(frozen=True)
class JoinDesign:
    """What both joins have.

    Parameters
    ----------
    name: of the node
    sources: formats of the inputs; out: of the output
    depths: beats of each input's FIFO
    """

    name: str
    sources: tuple[Format, ...]
    out: Format
    depths: tuple[int, ...]


@dataclass(frozen=True)
class AddDesign(JoinDesign):
    """A sum; `how` it is aligned."""

    how: Alignment


@dataclass(frozen=True)
class ConcatDesign(JoinDesign):
    """A concatenation: `channels` of each input, and `how` each is brought to one format."""

    channels: tuple[int, ...]
    how: tuple[Alignment, ...]


def join_design(network: Network, node: Add | Concat, depths: tuple[int, ...]) -> JoinDesign:
    """The join of a node."""
    common = (node.name, in_formats(network, node.name), network.formats[node.name], depths)
    if isinstance(node, Add):
        return AddDesign(*common, alignment(network, node.name))
    channels = tuple(shape[2] for shape in network.graph.in_shapes(node))
    return ConcatDesign(*common, channels, alignments(network, node.name))

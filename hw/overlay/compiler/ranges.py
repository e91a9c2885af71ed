"""Which codes each channel can have: what is constant need not be read.

A channel whose scale is zero, or whose weights meet nothing but zeros, is the same for every image;
a ReLU makes a zero of what is never positive. Bounds are exact for each operation by itself, from
those of the channels that it reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from hw.ir.arithmetic import (
    Alignment,
    accumulation,
    alignment,
    alignments,
    average,
    has_relu,
    in_formats,
)
from hw.ir.format import Format
from hw.ir.graph import (
    Add,
    AvgPool,
    Concat,
    Conv,
    FactorizedReduce,
    GlobalPool,
    MaxPool,
    Node,
    Select,
)
from hw.ir.integers import saturate, shift_right
from hw.ir.network import Network
from hw.ir.reference import align, real_taps, requantise
from hw.ir.weights import decode


@dataclass(frozen=True, eq=False)
class Range:
    """Least and largest code of each channel: arrays (channels,)."""

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, code: Format, channels: int) -> Self:
        """All codes of a format."""
        return cls(np.full(channels, code.qmin, np.int64), np.full(channels, code.qmax, np.int64))

    def __getitem__(self, channels: slice | list[int]) -> Self:
        return type(self)(self.low[channels], self.high[channels])

    @property
    def constant(self) -> np.ndarray:
        """Which channels have one code only: `low`."""
        return self.low == self.high

    def rectified(self) -> Self:
        return type(self)(np.maximum(self.low, 0), np.maximum(self.high, 0))

    def with_zero(self) -> Self:
        """With the pixels beyond the image."""
        return type(self)(np.minimum(self.low, 0), np.maximum(self.high, 0))


def read(node: Node, source: Range) -> Range:
    """What the weights of a node meet of its input: rectified, and zeros beyond the image."""
    found = source.rectified() if has_relu(node) else source
    pointwise = isinstance(node, Conv) and node.kernel == (1, 1) and node.padding == (0, 0)
    return found if pointwise else found.with_zero()


def ranges(network: Network) -> dict[str, Range]:
    """Of every tensor but the classifier's."""
    found: dict[str, Range] = {}
    for node in network.graph:
        if not node.inputs or node.name in network.formats:
            code, sources = network.formats[node.name], [found[name] for name in node.inputs]
            known = _range(network, node, sources)
            found[node.name] = known or Range.of(code, node.shape[2])
    return found


def _range(network: Network, node: Node, sources: list[Range]) -> Range | None:
    code = network.formats[node.name]
    match node:
        case Conv() | FactorizedReduce():
            sign, power = decode(network.params[node.name].codes, network.arithmetic.weight_bits)
            if (power[sign != 0] < accumulation(network, node.name).p0).any():
                # A guard cuts its products; the compiler refuses it.
                return None
            return _weighted(network, node, read(node, sources[0]))
        case Add():
            return _aligned(alignment(network, node.name), sources, code)
        case Concat():
            parts = [
                _aligned(aligned, [source], code)
                for aligned, source in zip(alignments(network, node.name), sources, strict=True)
            ]
            return Range(*(np.concatenate([getattr(p, b) for p in parts]) for b in ("low", "high")))
        case Select():
            return sources[0][list(node.channels)]
        case MaxPool():
            return sources[0]
        case AvgPool() | GlobalPool():
            return _averaged(network, node, sources[0])
    return None


def folded(network: Network, node: Conv | FactorizedReduce, met: Range) -> list[int]:
    """Of each output channel what constant inputs add to its sum, before the scale."""
    if not met.constant.any():
        return [0] * node.shape[2]
    codes = np.where(met.constant, met.low, 0)
    return _sums(network, node, codes, codes)[0]


def _sums(
    network: Network, node: Node, low: np.ndarray, high: np.ndarray
) -> tuple[list[int], list[int]]:
    """Of each channel Σ weight · low where the weight is positive, · high where negative; reversed.

    Weights in units of the accumulator; both lists are of Python integers.
    """
    sign, power = decode(network.params[node.name].codes, network.arithmetic.weight_bits)
    lowest = accumulation(network, node.name).p0
    # Codes have 18 bits at most: 64 bits hold what is summed at each level.
    groups = node.groups if isinstance(node, Conv) else 1
    least, most = [0] * len(sign), [0] * len(sign)
    part = len(sign) // groups
    inside = sign.shape[1]
    for level in np.unique(power[sign != 0]).tolist():
        plus = ((sign > 0) & (power == level)).sum((2, 3)).astype(np.int64)
        minus = ((sign < 0) & (power == level)).sum((2, 3)).astype(np.int64)
        a, b = low.reshape(groups, inside), high.reshape(groups, inside)
        a, b = np.repeat(a, part, axis=0), np.repeat(b, part, axis=0)
        under, over = (plus * a - minus * b).sum(1), (plus * b - minus * a).sum(1)
        for channel, (u, o) in enumerate(zip(under.tolist(), over.tolist(), strict=True)):
            least[channel] += u << (level - lowest)
            most[channel] += o << (level - lowest)
    return least, most


def _weighted(network: Network, node: Conv | FactorizedReduce, met: Range) -> Range:
    codes = requantise(network, node.name)
    edges = [codes(np.array(sums, object)) for sums in _sums(network, node, met.low, met.high)]
    return _between(*edges)


def _aligned(aligned: Alignment, sources: list[Range], code: Format) -> Range:
    codes = align(aligned, code)
    return _between(codes([s.low for s in sources]), codes([s.high for s in sources]))


def _averaged(network: Network, node: AvgPool | GlobalPool, source: Range) -> Range:
    (code,), size = in_formats(network, node.name), network.graph[node.inputs[0]].shape
    if isinstance(node, GlobalPool):
        counts = {size[0] * size[1]}
    else:
        rows, columns = (
            set(real_taps(size[a], node.shape[a], node.kernel[a], node.stride[a], node.padding[a]))
            for a in (0, 1)
        )
        counts = {r * c for r in rows for c in columns}
    ways = [(n, average(code.width, n)) for n in counts]
    edges = [
        saturate(
            shift_right(
                bound.astype(object) * n * way.multiplier + (1 << way.shift - 1), way.shift
            ),
            code,
        )
        for n, way in ways
        for bound in (source.low, source.high)
    ]
    return _between(*edges)


def _between(*edges: np.ndarray) -> Range:
    """From the least to the largest of the codes at the bounds."""
    found = np.array(edges).astype(np.int64)
    return Range(found.min(0), found.max(0))


def known(found: Mapping[str, Range], name: str) -> dict[int, int]:
    """Channels of a tensor that are constant, and their codes."""
    of = found[name]
    return {int(channel): int(of.low[channel]) for channel in np.flatnonzero(of.constant)}

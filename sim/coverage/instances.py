"""Coverage of one network, layer by layer, against what each layer can reach.

Bins that a layer cannot hit, by its numbers or by its place in the network, are declared as out of
reach; that holds for the layer as a module, fed with any codes of its inputs' formats, so that runs
of the whole network and of its layers on their own add up.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from hw.ir.arithmetic import out_format
from hw.ir.format import Format
from hw.ir.graph import Add, Concat, Node
from hw.ir.integers import shift_right
from hw.ir.network import Network
from hw.ir.reference import operation
from sim.coverage import reach
from sim.coverage.group import Group
from sim.coverage.nodes import sides
from sim.coverage.store import Coverage, Groups
from sim.coverage.values import rounded_kind
from sim.coverage.windows import sides_of, window_of
from sim.harness import LAST_SEEN

CLAMP = (
    "clamped low",
    "one below the smallest code",
    "smallest code",
    "largest code",
    "one above the largest code",
    "clamped high",
)
"""Where a number lies before the clamp; the second and the fifth are clamped too."""

ONE_BELOW, ONE_ABOVE = CLAMP[1], CLAMP[4]

ROUNDED = ("rounded down", "exactly half", "rounded up")

STREAM = {"held_back": "output held back", "starved": "output waited for"}
FIFO = {"full": "full", "waited": "waited for"}


def declare(network: Network) -> Groups:
    """A group for each layer of the network, nothing hit yet."""
    return {node.name: _group(network, node) for node in network.graph.nodes[1:]}


def _group(network: Network, node: Node) -> Group:
    bins: dict[str, str | None] = {}
    for source in dict.fromkeys(node.inputs):
        bins |= dict.fromkeys(f"reads {source}: {end}" for end in ("smallest", "zero", "largest"))
    if window_of(node) is not None:
        there = set(sides(network, node))
        bins |= {
            f"window {side}": None if side in there else "no window of this layer lies there"
            for side in sides_of(node)
        }
    if rounded_kind(node) is not None:
        bins |= dict(_clamp(network, node)) | dict(_rounding(network, node))
    bins |= dict.fromkeys(STREAM.values())
    if isinstance(node, Add | Concat):
        for label in fifo_labels(node):
            alone = "the only input" if len(node.inputs) == 1 else None
            bins |= {f"{label}, {FIFO['full']}": None, f"{label}, {FIFO['waited']}": alone}
    if node is network.graph.output:
        bins |= dict.fromkeys(f"tlast {how}" for how in LAST_SEEN)
    reasons = {name: reason for name, reason in bins.items() if reason is not None}
    return Group.of(node.name, bins, reasons)


def clamp_out_of_reach(network: Network, node: Node) -> dict[str, str]:
    """The bins of a rounding layer's clamp that it cannot hit, each with the reason."""
    return {name: reason for name, reason in _clamp(network, node) if reason is not None}


def fifo_labels(node: Node) -> list[str]:
    """What the FIFOs of a join are called in a run."""
    return [
        f"{node.name} input {position} ({tensor})" for position, tensor in enumerate(node.inputs)
    ]


def _clamp(network: Network, node: Node) -> Iterator[tuple[str, str | None]]:
    """The bins of the clamp, each with why it is out of reach, or None."""
    fmt, how = network.formats[node.name], reach.rounding(network, node)
    values = list(reach.values(network, node))
    lows, highs = zip(*(one.ends for one in values), strict=True)
    low, high = ((end + how.constant) >> how.shift for end in (min(lows), max(highs)))
    codes = {
        CLAMP[0]: (min(low, fmt.qmin - 1), fmt.qmin - 1),
        CLAMP[1]: (fmt.qmin - 1, fmt.qmin - 1),
        CLAMP[2]: (fmt.qmin, fmt.qmin),
        CLAMP[3]: (fmt.qmax, fmt.qmax),
        CLAMP[4]: (fmt.qmax + 1, fmt.qmax + 1),
        CLAMP[5]: (fmt.qmax + 1, max(high, fmt.qmax + 1)),
    }
    for name, (first, last) in codes.items():
        least = (first << how.shift) - how.constant
        most = ((last + 1) << how.shift) - 1 - how.constant
        if any(one.meets(least, most) for one in values):
            yield name, None
        elif last < low or first > high:
            yield name, f"{low} to {high} before the clamp to {fmt.qmin} to {fmt.qmax}"
        else:
            yield name, "no sum of this layer's terms is that number"


def _rounding(network: Network, node: Node) -> Iterator[tuple[str, str | None]]:
    """The bins of the rounding, each with why it is out of reach, or None."""
    how = reach.rounding(network, node)
    if how.shift == 0:
        yield from ((name, "nothing is cut off") for name in ROUNDED)
        return
    modulus, half = 1 << how.shift, how.constant
    remainders = {
        ROUNDED[0]: (1, half - 1 if half else modulus - 1),
        ROUNDED[1]: (half, half),
        ROUNDED[2]: (half + 1, modulus - 1),
    }
    values = list(reach.values(network, node))
    for name, (first, last) in remainders.items():
        if name != ROUNDED[0] and not half:
            yield name, "the network rounds down"
        elif first <= last and any(one.leaves(first, last, modulus) for one in values):
            yield name, None
        else:
            yield name, "no sum of this layer's terms leaves such a remainder"


def measure(
    coverage: Coverage,
    network: Network,
    layers: Collection[str],
    tensors: Mapping[str, np.ndarray],
    seen: Mapping[str, Sequence[str]],
) -> None:
    """Add what a run has seen of the layers it simulated.

    Parameters
    ----------
    layers: names of those layers; the others are there with nothing hit
    tensors: of the reference, by name
    seen: as in `streams.measure`, and "tlast", of `harness.LAST_SEEN`
    """
    groups = coverage.networks.setdefault(network.digest, declare(network))
    for node in network.graph.nodes[1:]:
        if node.name in layers:
            measure_values(coverage, network, node, [tensors[source] for source in node.inputs])
            if window_of(node) is not None:
                for side in sides(network, node):
                    groups[node.name].hit(f"window {side}")
    for what, name in STREAM.items():
        for layer in {label.partition(" ")[0] for label in seen[what]}:
            groups[layer].hit(name)
    for what, name in FIFO.items():
        for label in set(seen[what]):
            groups[label.partition(" ")[0]].hit(f"{label}, {name}")
    for name in seen["tlast"]:
        groups[network.graph.output.name].hit(f"tlast {name}")


def measure_values(
    coverage: Coverage, network: Network, node: Node, sources: Sequence[np.ndarray]
) -> None:
    """Add what a layer's inputs make of it: the codes it reads, its roundings and its clamp."""
    group = coverage.networks[network.digest][node.name]
    for source, codes in dict(zip(node.inputs, sources, strict=True)).items():
        fmt = out_format(network, source)
        for end, value in (("smallest", fmt.qmin), ("zero", 0), ("largest", fmt.qmax)):
            group.hit(f"reads {source}: {end}", int(np.count_nonzero(codes == value)))
    if rounded_kind(node) is None:
        return
    fmt, how = network.formats[node.name], reach.rounding(network, node)
    # A format in which nothing is cut off.
    exact = Format(signed=True, width=how.width, frac=fmt.frac + how.shift)
    fine = replace(network, formats=network.formats | {node.name: exact})
    values = operation(fine, node.name)(sources)
    codes = shift_right(values + how.constant, how.shift)
    found = (
        codes < fmt.qmin,
        codes == fmt.qmin - 1,
        codes == fmt.qmin,
        codes == fmt.qmax,
        codes == fmt.qmax + 1,
        codes > fmt.qmax,
    )
    for name, places in zip(CLAMP, found, strict=True):
        group.hit(name, int(np.count_nonzero(places)))
    if how.shift == 0:
        return
    half = how.constant
    left = values - shift_right(values, how.shift) * (1 << how.shift)
    below = (left > 0) & (left < half) if half else left > 0
    parts = (below, left == half, left > half) if half else (below,)
    for name, places in zip(ROUNDED, parts, strict=False):
        group.hit(name, int(np.count_nonzero(places)))

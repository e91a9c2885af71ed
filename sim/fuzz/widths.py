"""Formats of all widths in one network."""

from collections.abc import Mapping

from hw.ir.clip import clipped_format
from hw.ir.format import Format
from hw.ir.graph import Keeping, Rounded
from hw.ir.network import Network
from sim.fuzz.dice import Dice

LEAST = 2
"""Bits of a tensor, at the least."""


def mixed(network: Network, seed: int) -> Mapping[str, Format]:
    """Formats of the network's tensors in which each that is rounded has a width of its own, from
    `LEAST` to what it has now, and about the same range."""
    found: dict[str, Format] = {}
    for node in network.graph:
        if node.name not in network.formats:  # logits have none
            continue
        known = network.formats[node.name]
        if isinstance(node, Keeping):
            known = found[node.inputs[0]]
        elif isinstance(node, Rounded):
            width = Dice(f"{seed}/{node.name}/width").integer(LEAST, known.width)
            known = clipped_format(node.clip, width, known.frac - (known.width - width))
        found[node.name] = known
    return found

"""Where each layer's memories lie on the bus: the address map of a loadable network."""

from collections.abc import Mapping
from math import prod

from hw.ir.graph import Weighted
from hw.ir.network import Network
from hw.layers.envelope import memory_sizes
from hw.loading.bus import Region
from hw.plan import Plan

CONTROLS = 16
"""Addresses of the port's own registers, from 0, in units of 32 bits."""

AddressMap = Mapping[str, tuple[Region, ...]]
"""Regions of each weighted layer, by node name."""


def address_map(network: Network, plan: Plan) -> AddressMap:
    """The map of a network with a loadable plan; it does not depend on the weights."""
    found, free = {}, CONTROLS
    for node in network.graph:
        if not isinstance(node, Weighted):
            continue
        regions = []
        for name, (words, bits) in memory_sizes(network, node, plan.layers[node.name]).items():
            size = Region(name, 0, words, bits).size
            base = -(-free // size) * size
            regions.append(Region(name, base, words, bits))
            free = base + size
        found[node.name] = tuple(regions)
    return found


def address_bits(regions: AddressMap) -> int:
    """Bits of an address on the bus, in units of 32 bits."""
    last = max(one.base + one.size for layer in regions.values() for one in layer)
    return (last - 1).bit_length()


def capacity_bits(regions: AddressMap) -> int:
    """Bits of all loadable memories."""
    return sum(prod((one.words, one.bits)) for layer in regions.values() for one in layer)

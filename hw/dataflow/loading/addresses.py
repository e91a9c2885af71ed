"""Where each layer's memories lie on the bus: the address map of a loadable network."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from math import prod
from typing import Any

from hw.dataflow.design.loadable import memory_sizes
from hw.dataflow.loading.bus import Region
from hw.dataflow.plan import Plan
from hw.errors import InputError
from hw.ir.format import Format
from hw.ir.graph import Weighted
from hw.ir.network import Network

DIGEST_BITS = 64
"""Leading bits of a digest that the port's registers hold."""

WORD_BYTES = 4

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


def map_entries(regions: AddressMap) -> dict[str, list[dict[str, int | str]]]:
    """The map as `manifest.json` has it: addresses and strides in bytes."""
    return {
        name: [
            {
                "name": one.name,
                "address": WORD_BYTES * one.base,
                "words": one.words,
                "bits": one.bits,
                "stride": WORD_BYTES * one.stride,
            }
            for one in layer
        ]
        for name, layer in regions.items()
    }


def structure(network: Network) -> dict[str, Any]:
    """What networks must have in common to run on the same loadable hardware; of JSON types."""
    content = {
        "nodes": [{"type": type(node).__name__, **asdict(node)} for node in network.graph],
        "formats": {name: asdict(fmt) for name, fmt in sorted(network.formats.items())},
        "arithmetic": asdict(network.arithmetic),
    }
    return json.loads(json.dumps(content))


def require_same_structure(
    network: Network, wanted: Mapping[str, Any], found_in: str, wanted_by: str
) -> None:
    """Raise InputError at the first node, format or setting in which a network differs.

    `wanted` is what `structure` says of another network; both have a name for the message.
    """
    own = structure(network)
    only = "only weights, scales and biases can be loaded"
    for found, expected in zip(own["nodes"], wanted["nodes"], strict=False):
        for field in {**expected, **found}:
            if found.get(field) != expected.get(field):
                raise InputError(
                    f"{found_in}: {found['name']}: {field}: {_shown(found.get(field))}, in"
                    f" {wanted_by} {_shown(expected.get(field))}; {only}"
                )
    if len(own["nodes"]) != len(wanted["nodes"]):
        raise InputError(
            f"{found_in}: {len(own['nodes'])} layers, in {wanted_by} {len(wanted['nodes'])}; {only}"
        )
    for kind in ("formats", "arithmetic"):
        for name, expected in wanted[kind].items():
            if own[kind][name] != expected:
                raise InputError(
                    f"{found_in}: {name}: {_shown(own[kind][name])}, in {wanted_by}"
                    f" {_shown(expected)}; {only}"
                )


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return str(Format(**value)) if "frac" in value else str(value)
    return str(value)


def map_digest(network: Network, plan: Plan) -> str:
    """SHA-256 over all that decides what a word at an address means: structure, plan, map.

    Weights do not, nor does the digest of the network that the plan was made for.
    """
    layers = {name: asdict(layer) for name, layer in sorted(plan.layers.items())}
    content = {
        "structure": structure(network),
        "layers": layers,
        "map": map_entries(address_map(network, plan)),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def leading_bits(digest: str) -> int:
    """The part of a hexadecimal digest that the registers hold."""
    return int(digest[: DIGEST_BITS // 4], 16)


def address_bits(regions: AddressMap) -> int:
    """Bits of an address on the bus, in units of 32 bits."""
    last = max(one.base + one.size for layer in regions.values() for one in layer)
    return (last - 1).bit_length()


def capacity_bits(regions: AddressMap) -> int:
    """Bits of all loadable memories."""
    return sum(prod((one.words, one.bits)) for layer in regions.values() for one in layer)

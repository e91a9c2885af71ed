"""Where each layer's memories lie on the bus: the address map of a loadable network."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict

from hw.dataflow.design.design import Design
from hw.dataflow.design.memories import memory_sizes
from hw.dataflow.loading.bus import Region

DIGEST_BITS = 64
"""Leading bits of a digest that the port's registers hold."""

WORD_BYTES = 4

CONTROLS = 16
"""Addresses of the port's own registers, from 0, in units of 32 bits."""

AddressMap = Mapping[str, tuple[Region, ...]]
"""Regions of each weighted layer, by node name."""


def address_map(design: Design) -> AddressMap:
    """The map of a loadable design; it does not depend on the weights. Empty if they are fixed."""
    found, free = {}, CONTROLS
    for engine in design.engines.values():
        if not engine.loadable:
            continue
        regions = []
        for name, (words, bits) in memory_sizes(engine).items():
            size = Region(name, 0, words, bits).size
            base = -(-free // size) * size
            regions.append(Region(name, base, words, bits))
            free = base + size
        found[engine.name] = tuple(regions)
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


def map_digest(design: Design) -> str:
    """SHA-256 over all that decides what a word at an address means: structure, plan, map.

    Weights do not, nor does the digest of the network that the plan was made for.
    """
    layers = {name: asdict(layer) for name, layer in sorted(design.plan.layers.items())}
    content = {
        "structure": design.structure,
        "layers": layers,
        "map": map_entries(address_map(design)),
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

"""Load images: what is written where, so that loadable hardware runs another network's weights.

IMAGE/weights.hex   one write a line, in order: byte address and 32 bits of data, hexadecimal
IMAGE/image.json    which network it is, for which hardware, how long loading takes
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hw import documents
from hw.dataflow.design.design import Design, design
from hw.dataflow.design.memories import memory_words
from hw.dataflow.loading.addresses import (
    DIGEST_BITS,
    WORD_BYTES,
    address_map,
    leading_bits,
    map_digest,
    map_entries,
)
from hw.dataflow.loading.axi import IDENTITY, VERSION, Register
from hw.dataflow.loading.bus import DATA_BITS, Region
from hw.dataflow.plan import from_dict
from hw.errors import InputError
from hw.ir.arithmetic import out_format
from hw.ir.network import Network
from hw.ir.structure import require_same_structure

SCHEMA_VERSION = 1

WEIGHTS, SUMMARY = "weights.hex", "image.json"

REGISTER_CYCLES, MEMORY_CYCLES, HOP_CYCLES = 3, 4, 2
"""Cycles from one write to the next, of a master that never waits: to a register, to a memory, and
of each hop on the way to a memory."""


@dataclass(frozen=True)
class Image:
    """One network for one loadable hardware.

    Parameters
    ----------
    writes: (byte address, 32 bits), in order
    summary: content of image.json
    """

    writes: tuple[tuple[int, int], ...]
    summary: Mapping[str, Any]

    @cached_property
    def text(self) -> str:
        """Content of weights.hex."""
        return _text(self.writes)


def describe(made: Design) -> dict[str, Any]:
    """What `manifest.json` says of loading: registers, address map, digests."""
    regions = address_map(made)
    return {
        "version": VERSION,
        "identity": IDENTITY,
        "registers": {one.name.lower(): WORD_BYTES * one.value for one in Register},
        "map": map_entries(regions),
        "map_digest": map_digest(made),
        "digest_bits": DIGEST_BITS,
        "structure": made.structure,
        "hops": len(_hops(regions)),
    }


def require_loadable(
    network: Network, manifest: Mapping[str, Any], source: str = "manifest.json"
) -> Design:
    """The design that the hardware of an RTL folder becomes with `network`'s weights.

    Raises
    ------
    InputError: the hardware is not loadable, or the network does not fit: names the first layer
        and the figure
    """
    if "load" not in manifest:
        raise InputError(
            f"{source}: load: the weights of this RTL are fixed; plan it with `shiftnas plan"
            " --loadable`"
        )
    require_same_structure(network, manifest["load"]["structure"], "NET", source)
    loaded = design(network, from_dict(manifest["plan"]))
    if map_digest(loaded) != manifest["load"]["map_digest"]:
        raise InputError(f"{source}: load: map_digest: of another version; emit the RTL again")
    return loaded


def make(network: Network, manifest: Mapping[str, Any], source: str = "manifest.json") -> Image:
    """The image that turns the hardware of an RTL folder into `network`'s.

    Parameters
    ----------
    manifest: content of the folder's manifest.json; `source` names it in errors

    Raises
    ------
    InputError: the hardware is not loadable, or the network does not fit: names the first layer
        and the figure
    """
    loaded = require_loadable(network, manifest, source)
    writes, words, cycles = [], 0, 0
    layers = address_map(loaded)
    hops = _hops(layers)
    for name, regions in layers.items():
        contents = memory_words(loaded.engines[name])
        for region in regions:
            filled = list(region_writes(region, contents[region.name]))
            writes += filled
            words += len(contents[region.name])
            cycles += len(filled) * (MEMORY_CYCLES + HOP_CYCLES * hops[_module(name)])
    last = list(register_writes(Register.NETWORK, leading_bits(network.digest)))
    writes += last
    summary = {
        "schema_version": SCHEMA_VERSION,
        "network_digest": network.digest,
        "hardware_network_digest": manifest["network_digest"],
        "map_digest": manifest["load"]["map_digest"],
        "writes": len(writes),
        "words": words,
        "bytes": WORD_BYTES * len(writes),
        "cycles": cycles + len(last) * REGISTER_CYCLES,
        "output_frac": out_format(network, network.graph.output.name).frac,
        "file": WEIGHTS,
        "sha256": hashlib.sha256(_text(writes).encode()).hexdigest(),
    }
    return Image(tuple(writes), summary)


def _module(layer: str) -> str:
    """The top-level module that a layer lies in."""
    return layer.partition("/")[0]


def _hops(layers: Iterable[str]) -> dict[str, int]:
    """For each top-level module with weights the hops from the loader to it: one more each."""
    return {name: k for k, name in enumerate(dict.fromkeys(map(_module, layers)), 1)}


def region_writes(region: Region, words: list[int]) -> Iterator[tuple[int, int]]:
    """Writes that fill a region from its first word on; a wide word takes several, lowest first."""
    for index, word in enumerate(words):
        for lane in range(region.lanes):
            address = region.base + index * region.stride + lane
            yield WORD_BYTES * address, word >> DATA_BITS * lane & (1 << DATA_BITS) - 1


def register_writes(register: Register, value: int) -> Iterator[tuple[int, int]]:
    """Writes of a digest into its two registers."""
    for half in range(2):
        part = value >> DATA_BITS * (1 - half) & (1 << DATA_BITS) - 1
        yield WORD_BYTES * (register.value + half), part


def save(image: Image, folder: Path) -> None:
    """Write the files into `folder`, which exists: see `hw.outputs.folder`."""
    (folder / WEIGHTS).write_text(image.text, encoding="utf-8")
    text = json.dumps(image.summary, indent=1, sort_keys=True) + "\n"
    (folder / SUMMARY).write_text(text, encoding="utf-8")


def read(folder: str | Path) -> Image:
    """An image folder read back, its digest checked.

    Raises
    ------
    InputError: it is not one, or was changed
    """
    folder = Path(folder)
    again = "make it again: shiftnas load NET --rtl RTL --out IMAGE"
    try:
        summary = documents.load_json((folder / SUMMARY).read_text(encoding="utf-8"))
        text = (folder / WEIGHTS).read_text(encoding="utf-8")
        version, digest = int(summary["schema_version"]), summary["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder}: no load image ({error}); {again}") from None
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{folder / SUMMARY}: schema_version: {version} is newer than {SCHEMA_VERSION}, the"
            " newest known here; update shiftnas"
        )
    if hashlib.sha256(text.encode()).hexdigest() != digest:
        raise InputError(f"{folder / WEIGHTS}: changed since it was made; {again}")
    pairs = (line.split() for line in text.splitlines())
    return Image(tuple((int(a, 16), int(d, 16)) for a, d in pairs), summary)


def _text(writes) -> str:
    return "".join(f"{address:08x} {value:08x}\n" for address, value in writes)

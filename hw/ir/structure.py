"""The structure of a network: what networks must have in common to run on the same loadable
hardware, and the first thing in which two of them differ."""

import json
from collections.abc import Mapping
from typing import Any

from hw.errors import InputError
from hw.ir.format import Format
from hw.ir.network import Network
from hw.ir.schema import stored


def structure(network: Network) -> dict[str, Any]:
    """What networks must have in common to run on the same loadable hardware; of JSON types."""
    content = {
        "nodes": [{"type": type(node).__name__, **stored(node)} for node in network.graph],
        "formats": {name: stored(fmt) for name, fmt in sorted(network.formats.items())},
        "arithmetic": stored(network.arithmetic),
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

"""The canonical form of a network: its parameters as arrays of fixed names and types, its document,
its digest.

Arrays of a node are called `<node>/codes`, `/scale_sign`, `/scale_exp` and `/bias`. A bias may
exceed 64 bits: it is stored as little-endian two's complement limbs of 64 bits, shape (C, limbs).
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from hw.ir.format import Format
from hw.ir.graph import Graph
from hw.ir.parameters import Arithmetic, LayerParams
from hw.ir.schema import stored, version_of

ARRAYS = {"codes": "|u1", "scale_sign": "|i1", "scale_exp": "<i2", "bias": "<u8"}
"""Arrays of a node with weights and their types as stored."""

LIMB = 64


def content(
    graph: Graph,
    formats: Mapping[str, Format],
    arithmetic: Arithmetic,
    packed: Mapping[str, np.ndarray],
) -> dict[str, Any]:
    """The document without `meta` and what depends on how the arrays are packed."""
    return {
        "schema_version": version_of(arithmetic, *graph, *formats.values()),
        "arithmetic": stored(arithmetic),
        "nodes": nodes_of(graph),
        "formats": {name: stored(found) for name, found in formats.items()},
        "weights": {"arrays": {name: _array_digest(array) for name, array in packed.items()}},
    }


def nodes_of(graph: Graph) -> list[dict[str, Any]]:
    """The nodes as a document has them."""
    return [{"type": type(node).__name__, **stored(node)} for node in graph]


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 (hexadecimal) of `content`."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _array_digest(array: np.ndarray) -> str:
    header = f"{array.dtype.str} {list(array.shape)}\n".encode()
    return hashlib.sha256(header + array.tobytes()).hexdigest()


def arrays(graph: Graph, parameters: Mapping[str, LayerParams]) -> dict[str, np.ndarray]:
    """All parameters as arrays with fixed names and types, in the graph's order."""
    found: dict[str, np.ndarray] = {}
    for node in graph:
        if node.name in parameters:
            params = parameters[node.name]
            values = {**vars(params), "bias": _limbs(params.bias)}
            for key, dtype in ARRAYS.items():
                found[f"{node.name}/{key}"] = np.ascontiguousarray(values[key], dtype)
    return found


def _limbs(values: tuple[int, ...]) -> np.ndarray:
    bits = max((value if value >= 0 else ~value).bit_length() + 1 for value in values)
    limbs = -(-bits // LIMB)
    data = b"".join(value.to_bytes(limbs * LIMB // 8, "little", signed=True) for value in values)
    return np.frombuffer(data, ARRAYS["bias"]).reshape(len(values), limbs)

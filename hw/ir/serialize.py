"""The NETWORK folder: `network.json` (graph, formats, settings) and `weights.npz` (integers).

Both are canonical: one network has one sequence of bytes. The JSON holds the SHA-256 of the weights
file and of each array in it, and the network's own digest, so that a damaged, truncated or swapped
file is found before anything is built from it.
"""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import Any, get_type_hints

import numpy as np

from hw import documents
from hw.errors import InputError
from hw.ir import canonical
from hw.ir.canonical import ARRAYS
from hw.ir.format import Format
from hw.ir.graph import NODE_TYPES, Graph, Node
from hw.ir.network import Network
from hw.ir.parameters import Arithmetic, LayerParams
from hw.ir.schema import NEWEST, optional
from hw.ir.validate import NAME, Reporter, check, validate

NODES: dict[str, type[Node]] = {kind.__name__: kind for kind in NODE_TYPES}

EXPORT_AGAIN = "write the network again with `shiftnas export` or `shiftnas network`"

_HINTS = {kind: get_type_hints(kind) for kind in (*NODE_TYPES, Arithmetic, Format)}


def save(network: Network, folder: str | Path) -> None:
    """Write the NETWORK folder, creating it if need be. InputError if the network is not valid."""
    folder = Path(folder)
    validate(network)
    packed = _pack(canonical.arrays(network.graph, network.params))
    content = network.content
    document = {
        **content,
        "digest": network.digest,
        "meta": network.meta,
        "weights": {
            **content["weights"],
            "file": "weights.npz",
            "sha256": hashlib.sha256(packed).hexdigest(),
        },
    }
    text = json.dumps(document, sort_keys=True, indent=1, allow_nan=False) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.npz").write_bytes(packed)
    (folder / "network.json").write_text(text, encoding="utf-8")


def load(folder: str | Path) -> Network:
    """Read and check a NETWORK folder.

    Raises
    ------
    InputError: naming the file and the field, for whatever is missing, damaged or does not match
    """
    folder = Path(folder)
    report = Reporter(folder)
    document = parse(_read(folder / "network.json", folder), report)
    packed = _read(folder / "weights.npz", folder)
    weights = _member(document, "weights", dict, report)
    if hashlib.sha256(packed).hexdigest() != weights.get("sha256"):
        raise report.weights(
            "sha256",
            "differs from the one in network.json: truncated, damaged or of another network; "
            + EXPORT_AGAIN,
        )
    network = assemble(document, _params(_unpack(packed, report), report), report)
    if network.digest != _member(document, "digest", str, report):
        raise report.network("digest", f"does not match the contents; {EXPORT_AGAIN}")
    return network


def assemble(document: dict[str, Any], params: dict[str, LayerParams], report: Reporter) -> Network:
    """The network of a document and the parameters that go with it, checked; its digest is not
    compared.

    Raises
    ------
    InputError: naming the field, for whatever is missing or does not match
    """
    arithmetic = _build(
        Arithmetic, _member(document, "arithmetic", dict, report), "arithmetic", report
    )
    graph = graph_of(_member(document, "nodes", list, report), report)
    formats = {
        name: _build(Format, entry, f"formats: {name}", report)
        for name, entry in _member(document, "formats", dict, report).items()
    }
    network = Network(
        graph=graph,
        formats=formats,
        params=params,
        arithmetic=arithmetic,
        meta=_member(document, "meta", dict, report),
    )
    check(network, report)
    return network


def graph_of(entries: list[Any], report: Reporter) -> Graph:
    """The graph of a document's nodes, not checked yet; InputError where one is none."""
    nodes = (_node(entry, f"nodes[{n}]", report) for n, entry in enumerate(entries))
    return Graph(tuple(nodes))


# Writing -------------------------------------------------------------------------------------


def _pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """An .npz without compression and without the time of day."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            part = io.BytesIO()
            np.lib.format.write_array(part, array, version=(1, 0), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # the same on every operating system
            archive.writestr(entry, part.getvalue())
    return buffer.getvalue()


# Reading -------------------------------------------------------------------------------------


def _read(path: Path, folder: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: {error.strerror}; expected {folder} to be a NETWORK folder with "
            "network.json and weights.npz"
        ) from error


def parse(data: bytes, report: Reporter) -> dict[str, Any]:
    """The document in the bytes of a `network.json`, of a version that is known here.

    Raises
    ------
    InputError: no such document
    """
    try:
        document = documents.load_json(data.decode("utf-8"), _no_constant)
    except ValueError as error:
        raise report.network("JSON", f"{error}; {EXPORT_AGAIN}") from error
    if not isinstance(document, dict):
        raise report.network("JSON", f"expected an object; {EXPORT_AGAIN}")
    version = _member(document, "schema_version", int, report)
    if version > NEWEST:
        raise report.network(
            "schema_version",
            f"{version} is newer than {NEWEST}, the newest one known here; update shiftnas",
        )
    if version < 1:
        raise report.network("schema_version", f"{version}; expected 1 to {NEWEST}")
    known = {
        "schema_version", "arithmetic", "nodes", "formats", "weights", "meta", "digest"
    }  # fmt: skip
    for key in document:
        if key not in known:
            raise report.network(key, f"unknown field; {EXPORT_AGAIN}")
    return document


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")


def _member(document: dict[str, Any], key: str, kind: type, report: Reporter) -> Any:
    value = document.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        problem = "missing" if key not in document else f"expected {_KINDS[kind]}"
        raise report.network(key, f"{problem}; {EXPORT_AGAIN}")
    return value


_KINDS = {
    int: "an integer",
    str: "a string",
    dict: "an object",
    list: "a list",
    bool: "true or false",
}


def _node(entry: Any, where: str, report: Reporter) -> Node:
    if not isinstance(entry, dict) or entry.get("type") not in NODES:
        raise report.network(f"{where}: type", f"expected one of {', '.join(NODES)}")
    rest = {key: value for key, value in entry.items() if key != "type"}
    return _build(NODES[entry["type"]], rest, where, report)


def _build(kind: type[Any], entry: Any, where: str, report: Reporter) -> Any:
    """An instance of the dataclass `kind`; every field that is not optional must be there, with its
    type."""
    if not isinstance(entry, dict):
        raise report.network(where, "expected an object")
    known = {field.name: field for field in fields(kind)}
    for key in entry:
        if key not in known:
            raise report.network(f"{where}: {key}", f"unknown field of a {kind.__name__}")
    values: dict[str, Any] = {}
    for key, field in known.items():
        if key not in entry:
            if optional(field):
                continue
            raise report.network(f"{where}: {key}", "missing")
        values[key] = _convert(entry[key], _HINTS[kind][key], f"{where}: {key}", report)
    return kind(**values)


def _convert(value: Any, hint: Any, where: str, report: Reporter) -> Any:
    """A JSON value as the type `hint`: bool, int, str, an enumeration of strings, one of these or
    None, a tuple of ints or strings."""
    if hint in (bool, int, str):
        if type(value) is not hint:
            raise report.network(where, f"{value!r}; expected {_KINDS[hint]}")
        return value
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        if value not in tuple(hint):
            raise report.network(where, f"{value!r}; expected {' or '.join(hint)}")
        return hint(value)
    if isinstance(hint, UnionType):
        (kind,) = (one for one in hint.__args__ if one is not type(None))
        return None if value is None else _convert(value, kind, where, report)
    item, *others = hint.__args__
    length = None if others == [Ellipsis] else 1 + len(others)
    if not isinstance(value, list) or length not in (None, len(value)):
        what = "a list" if length is None else f"a list of {length}"
        raise report.network(where, f"{value!r}; expected {what}")
    return tuple(_convert(element, item, where, report) for element in value)


def _unpack(packed: bytes, report: Reporter) -> dict[str, np.ndarray]:
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (
        ValueError, OSError, EOFError, KeyError, AttributeError, TypeError, NotImplementedError,
        RuntimeError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise report.weights("npz", f"cannot be read ({error}); {EXPORT_AGAIN}") from error


def _params(arrays: Mapping[str, np.ndarray], report: Reporter) -> dict[str, LayerParams]:
    nodes: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        node, _, key = name.rpartition("/")
        if key not in ARRAYS or not NAME.fullmatch(node):
            raise report.weights(name, "unknown array")
        if array.dtype.str != ARRAYS[key]:
            raise report.weights(name, f"{array.dtype.str}; expected the type {ARRAYS[key]}")
        nodes.setdefault(node, {})[key] = array
    params = {}
    for node, values in nodes.items():
        for key in ARRAYS:
            if key not in values:
                raise report.weights(f"{node}/{key}", "missing")
        limbs = values.pop("bias")
        if limbs.ndim != 2:
            raise report.weights(f"{node}/bias", f"shape {list(limbs.shape)}; expected (C, limbs)")
        bias = tuple(int.from_bytes(row.tobytes(), "little", signed=True) for row in limbs)
        params[node] = LayerParams(**values, bias=bias)
    return params

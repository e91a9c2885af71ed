"""The RTL folder: files of Verilog and the manifest that describes them, written and read back.

    RTL/<top>.v         every module
    RTL/<top>.vlt       Verilator's control file, for -Wall
    RTL/*.hex           contents of ROMs, unless they are inline
    RTL/manifest.json   what stands in it: ports, sizes, plan, digests, tool versions

Both kinds of hardware have one, told apart by the manifest's `style`; without one it is dataflow.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hw import documents
from hw.errors import InputError
from hw.ir.network import Network
from hw.verilog import roms

SCHEMA_VERSION = 1

DATAFLOW, OVERLAY = "dataflow", "overlay"
"""Styles of hardware: an engine for each layer; one array of lanes and a program."""

VERILOG_SUFFIX = ".v"
MANIFEST = "manifest.json"
TOOLS = ("shiftnas", "amaranth", "pyosys")
"""Packages whose versions decide over the bytes."""

_AGAIN = "emit it again: shiftnas emit NET --out RTL"


@dataclass(frozen=True)
class Emission:
    """Files of an RTL folder, by name, and the manifest that lists them.

    `source` names the manifest in errors: where it was read from.
    """

    files: dict[str, str]
    manifest: dict[str, Any]
    source: str = field(default=MANIFEST, compare=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the manifest, and so over all files."""
        return self.manifest["digest"]

    @property
    def style(self) -> str:
        """DATAFLOW or OVERLAY."""
        return self.manifest.get("style", DATAFLOW)

    @property
    def instances(self) -> list[dict[str, Any]]:
        """Layers, or parts of an overlay: `name`, and the `path` of the instance below the top."""
        return self.manifest["parts" if self.style == OVERLAY else "layers"]

    @property
    def top(self) -> str:
        """Name of the top module, and the prefix of all others."""
        return self.manifest["top"]

    @property
    def verilog_name(self) -> str:
        """Name of the file with every module."""
        return self.top + VERILOG_SUFFIX

    @property
    def verilog(self) -> str:
        return self.files[self.verilog_name]


def tools() -> dict[str, str]:
    """Versions of TOOLS."""
    return {name: version(name) for name in TOOLS}


def finished(files: Mapping[str, str], manifest: Mapping[str, Any]) -> Emission:
    """The files, and the manifest with their digests and its own."""
    listed = {
        name: {"sha256": hashlib.sha256(content.encode()).hexdigest(),
               "bytes": len(content.encode())}
        for name, content in files.items()
    }  # fmt: skip
    whole = {**manifest, "files": listed}
    return Emission(dict(files), whole | {"digest": manifest_digest(whole)})


def write(emission: Emission, folder: str | Path) -> None:
    """Write the files into `folder`, which exists: see `hw.outputs.folder`."""
    folder = Path(folder)
    for name, content in emission.files.items():
        (folder / name).write_bytes(content.encode())
    (folder / MANIFEST).write_text(dump(emission.manifest), encoding="utf-8")


def read(
    folder: str | Path,
    network: Network | None = None,
    *,
    style: str | None = DATAFLOW,
    allow_edited: bool = False,
) -> Emission:
    """An RTL folder read back, every digest checked.

    Parameters
    ----------
    network: that dataflow hardware must be of
    style: that the hardware must be of; None: any
    allow_edited: files may have been edited, but not the manifest: see `hw.verilog.edits`

    Raises
    ------
    InputError: it is not one, was changed, or is not of the network or the style.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    try:
        manifest = documents.load_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: not found: no RTL folder; {_AGAIN}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}; {_AGAIN}") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("schema_version"), int):
        raise InputError(f"{path}: schema_version: missing; {_AGAIN}")
    if manifest["schema_version"] > SCHEMA_VERSION:
        raise InputError(
            f"{path}: schema_version: {manifest['schema_version']} is newer than {SCHEMA_VERSION}, "
            "the newest known here; update shiftnas"
        )
    if manifest.get("digest") != manifest_digest(manifest):
        raise InputError(f"{path}: digest: does not match the content; {_AGAIN}")
    found = manifest.get("style", DATAFLOW)
    if style not in (None, found):
        raise InputError(f"{path}: style: {found}; this is for {style} hardware")
    if network is not None and found == DATAFLOW and manifest["network_digest"] != network.digest:
        raise InputError(f"{path}: network_digest: the RTL is of another network; {_AGAIN}")
    files = {}
    for name, facts in manifest["files"].items():
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise InputError(f"{folder / name}: {error.strerror}; {_AGAIN}") from None
        if not allow_edited and hashlib.sha256(content).hexdigest() != facts["sha256"]:
            raise InputError(f"{folder / name}: changed since it was emitted; {_AGAIN}")
        try:
            files[name] = content.decode()
        except UnicodeDecodeError:
            raise InputError(f"{folder / name}: expected text in UTF-8; {_AGAIN}") from None
    emission = Emission(files, manifest, str(path))
    missing = roms.problem(emission.verilog, files)
    if missing:
        raise InputError(f"{folder / missing}; {_AGAIN}")
    return emission


def manifest_digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 over the manifest but for its own digest."""
    content = {key: value for key, value in manifest.items() if key != "digest"}
    return hashlib.sha256(dump(content).encode()).hexdigest()


def dump(manifest: Mapping[str, Any]) -> str:
    """The manifest's canonical text."""
    return json.dumps(manifest, indent=1, sort_keys=True) + "\n"

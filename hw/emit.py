"""The RTL folder: Verilog and the manifest that describes it to simulation, synthesis and people.

    RTL/shiftnas_top.v    every module; ROM contents inline
    RTL/manifest.json     ports, layers, formats, plan, digests, tool versions

The same network, plan and tool versions give the same bytes.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hw import cost, verilog
from hw.errors import InputError
from hw.ir.arithmetic import out_format
from hw.ir.network import Network
from hw.lower import lower
from hw.plan import Plan
from hw.planner import needed_depths

SCHEMA_VERSION = 1

TOP = "shiftnas_top"
VERILOG = f"{TOP}.v"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Emission:
    """Files of an RTL folder, by name, and the manifest that lists them."""

    files: dict[str, str]
    manifest: dict[str, Any]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the manifest, and so over all files."""
        return self.manifest["digest"]

    @property
    def verilog(self) -> str:
        return self.files[VERILOG]


def emit(network: Network, plan: Plan) -> Emission:
    """Verilog and manifest of a network built as planned.

    Raises
    ------
    InputError: `pyosys` is not installed, or the plan is not for this network.
    """
    if plan.network != network.digest:
        raise InputError(
            f"plan: network: is for the network {plan.network[:12]}…, this one is "
            f"{network.digest[:12]}…; run `shiftnas plan` on this network"
        )
    rtl = verilog.to_rtlil(lower(network, plan), TOP)
    layers = list(_layers(network))
    for layer in layers:
        # Scoreboards and reports rely on the paths: a name Amaranth had to change is a defect.
        assert layer["path"] in rtl.instances, layer["path"]
    files = {VERILOG: verilog.from_rtlil(rtl.text)}
    predicted = cost.predict(network, plan)
    fmt = out_format(network, network.graph.output.name)
    manifest: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "top": TOP,
        "clock": "clk",
        "reset": "rst",
        "ports": _ports(-(-fmt.width // 8) * 8),
        "input_shape": list(network.graph.input.shape),
        "output": {
            "width": fmt.width,
            "signed": fmt.signed,
            "frac": fmt.frac,
            "count": _beats(network.graph.output.shape),
        },
        "layers": layers,
        "cycles_per_frame": predicted.cycles_per_frame,
        "latency_cycles": predicted.latency,
        "fifos": _fifos(network, plan),
        "plan": _plain(asdict(plan)),
        "network_digest": network.digest,
        "plan_digest": plan.digest,
        "tools": {name: version(name) for name in ("amaranth", "pyosys")},
        "files": {
            name: {"sha256": hashlib.sha256(content.encode()).hexdigest(),
                   "bytes": len(content.encode())}
            for name, content in files.items()
        },
    }
    return Emission(files, manifest | {"digest": manifest_digest(manifest)})


def write(emission: Emission, folder: Path) -> None:
    """Write the files into `folder`, which exists: see `hw.console.output_folder`."""
    for name, content in emission.files.items():
        (folder / name).write_bytes(content.encode())
    (folder / MANIFEST).write_text(dump(emission.manifest), encoding="utf-8")


def read(folder: str | Path) -> Emission:
    """An RTL folder read back, every digest checked.

    Raises
    ------
    InputError: it is not one, or was changed.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    again = "emit it again: shiftnas emit NET --out RTL"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: not found: no RTL folder; {again}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}; {again}") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("schema_version"), int):
        raise InputError(f"{path}: schema_version: missing; {again}")
    if manifest["schema_version"] > SCHEMA_VERSION:
        raise InputError(
            f"{path}: schema_version: {manifest['schema_version']} is newer than {SCHEMA_VERSION}, "
            "the newest known here; update shiftnas"
        )
    if manifest.get("digest") != manifest_digest(manifest):
        raise InputError(f"{path}: digest: does not match the content; {again}")
    files = {}
    for name, facts in manifest["files"].items():
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise InputError(f"{folder / name}: {error.strerror}; {again}") from None
        if hashlib.sha256(content).hexdigest() != facts["sha256"]:
            raise InputError(f"{folder / name}: changed since it was emitted; {again}")
        files[name] = content.decode()
    return Emission(files, manifest)


def manifest_digest(manifest: dict[str, Any]) -> str:
    """SHA-256 over the manifest but for its own digest."""
    content = {key: value for key, value in manifest.items() if key != "digest"}
    return hashlib.sha256(dump(content).encode()).hexdigest()


def dump(manifest: dict[str, Any]) -> str:
    """The manifest's canonical text."""
    return json.dumps(manifest, indent=1, sort_keys=True) + "\n"


def _layers(network: Network) -> Iterator[dict[str, Any]]:
    for node in network.graph.nodes[1:]:
        fmt = out_format(network, node.name)
        yield {
            "name": node.name,
            "path": node.name.replace("/", "."),
            "kind": type(node).__name__,
            "shape": list(node.shape),
            "width": fmt.width,
            "signed": fmt.signed,
            "frac": fmt.frac,
            "beats_per_frame": _beats(node.shape),
        }


def _fifos(network: Network, plan: Plan) -> dict[str, list[dict[str, int]]]:
    """For each input of each join: the depth built, those without deadlock and at full speed."""
    return {
        name: [
            {"depth": depth, "deadlock": needed.deadlock, "throughput": needed.throughput}
            for depth, needed in zip(plan.fifos[name], depths, strict=True)
        ]
        for name, depths in needed_depths(network, plan).items()
    }


def _beats(shape: tuple[int, int, int]) -> int:
    height, width, channels = shape
    return height * width * channels


def _ports(out_bits: int) -> list[dict[str, Any]]:
    widths = {
        "clk": ("in", 1), "rst": ("in", 1),
        "s_axis_tdata": ("in", 8), "s_axis_tvalid": ("in", 1),
        "s_axis_tready": ("out", 1), "s_axis_tlast": ("in", 1),
        "m_axis_tdata": ("out", out_bits), "m_axis_tvalid": ("out", 1),
        "m_axis_tready": ("in", 1), "m_axis_tlast": ("out", 1),
    }  # fmt: skip
    return [{"name": name, "direction": d, "width": w} for name, (d, w) in widths.items()]


def _plain(value: Any) -> Any:
    """Tuples become lists, as JSON has them."""
    return json.loads(json.dumps(value))

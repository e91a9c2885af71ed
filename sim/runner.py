"""Builds Verilator models with cocotb's main program, cached by digest, and runs cocotb tests in
them.

We drive Verilator and g++ ourselves rather than through cocotb's runner and Verilator's makefiles,
for three reasons: a model is built once for each digest; Verilator's runtime and cocotb's main
program, nearly all of a small model's compile time, are built once for all models; and only the
signals that are asked for are opened to VPI (cocotb's runner opens all, which costs half of the
speed).
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from hw import cache
from hw.errors import CheckFailed, InputError
from hw.verilog.roms import SUFFIX as ROM_SUFFIX
from sim import icarus, programs, tools

HERE = Path(__file__).parent
SHIM = HERE / "shim"
WAIVERS = HERE / "waive.vlt"
RUNTIME = ("verilated_vpi", "verilated", "verilated_threads", "verilated_timing")
"""Files of Verilator's runtime, the slowest to compile first."""

SPLIT = 4000
"""Statements in one C++ file: enough files to keep the cores busy, few enough not to repeat the
headers much.
"""

SMALL_BYTES = 300_000
"""C++ up to this size is compiled in one piece."""

PIECE_BYTES = 4_000_000
"""C++ that is compiled in one piece without optimisation: reading the headers takes longer than the
rest.
"""

SIMULATORS = ("verilator", "icarus")

POLL_S = 0.5
"""Seconds between two looks at a running simulation."""


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
    simulator: one of SIMULATORS
    """

    folder: Path
    top: str
    waves: bool
    cached: bool
    seconds: float
    simulator: str = "verilator"

    def command(self, waves: bool) -> list[str]:
        """The command line that runs it."""
        if self.simulator == "icarus":
            return icarus.command(self.folder / icarus.PROGRAM)
        return [str(self.folder / "model"), *(["--trace"] if waves else [])]


def build(
    sources: Mapping[str, str],
    top: str,
    *,
    public: Sequence[str] = (),
    visible: Sequence[str] = (),
    optimise: str = "-O1",
    waves: bool = False,
    simulator: str = "verilator",
    shelf: str = "model",
) -> Model:
    """Build a model of `top` from Verilog texts, or find it in the cache.

    Parameters
    ----------
    sources: file name -> Verilog or SystemVerilog text, or a file for `$readmemh` (.hex)
    top: name of the top module, as declared
    public: signals of the top module that cocotb drives (and reads)
    visible: signals of the top module that it only reads, which costs less
    optimise: g++ optimisation of the model: -O0 for a model that runs a thousand cycles, -O1 or -O2
    for a long run
    waves: build with VCD tracing (slower; a separate cache entry)
    simulator: one of SIMULATORS; `public`, `visible` and `optimise` are for Verilator only, Icarus
    shows every signal
    shelf: kind of cache entry: many models of one use each must not push the others out

    Raises
    ------
    InputError: no such simulator, a tool is missing (g++, Verilator, Icarus, cocotb); CheckFailed:
    the simulator or the compiler rejects the sources.
    """
    start = time.monotonic()
    if simulator not in SIMULATORS:
        raise InputError(f"simulator: {simulator!r}; expected one of {', '.join(SIMULATORS)}")
    if simulator == "icarus":
        folder, cached = icarus.build(sources, top, waves)
        return Model(folder, top, waves, cached, time.monotonic() - start, simulator)
    found = tools.find()
    options = _public(top, public, visible)
    shim = "".join(path.read_text() for path in sorted(SHIM.iterdir()))
    digest = cache.digest_of(
        found.versions,
        shim,
        WAIVERS.read_text(),
        options,
        top,
        optimise,
        str(waves),
        *(text for item in sorted(sources.items()) for text in item),
    )
    folder, cached = cache.entry(
        shelf,
        digest,
        lambda new: _build(new, found, dict(sources), top, options, optimise, waves),
    )
    return Model(folder, top, waves, cached, time.monotonic() - start)


def run(
    model: Model,
    test_module: str,
    folder: Path,
    *,
    seed: int = 0,
    env: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    waves: bool = False,
    poll: Callable[[], None] | None = None,
) -> Path:
    """Run the cocotb tests of `test_module` in `folder` (made if need be); return the log file.

    `arguments` are the program's ("+name=value"). `poll` is called now and then while it runs. The
    log is `folder/sim.log`, the results `folder/results.xml`, the waves `folder/dump.vcd`.

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
    command = [*model.command(waves), *arguments]
    environment = _environment(model.top, test_module, results, seed) | dict(env or {})
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=folder, stdout=file, stderr=subprocess.STDOUT, env=environment
        )
        try:
            while process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(POLL_S)
                if poll is not None:
                    poll()
        finally:
            process.kill()
            status = process.wait()
    if not results.is_file():
        raise CheckFailed(
            f"{log}: the simulator ended with status {status}, no results: {_tail(log)}"
        )
    tests, failures = _results(results)
    if failures:
        raise CheckFailed(failures[0])
    if not tests:
        raise CheckFailed(f"{log}: no test ran in {test_module}")
    if status:
        raise CheckFailed(f"{log}: the simulator ended with status {status}: {_tail(log)}")
    return log


def _public(top: str, public: Sequence[str], visible: Sequence[str]) -> str:
    """Verilator's control file that opens the signals to VPI."""
    opened = [("rw", name) for name in public] + [("rd", name) for name in visible]
    lines = [f'public_flat_{how} -module "{top}" -var "{name}"' for how, name in opened]
    return "\n".join(["`verilator_config", *lines, ""])


def _build(
    folder: Path,
    found: tools.Tools,
    sources: dict[str, str],
    top: str,
    options: str,
    optimise: str,
    waves: bool,
) -> None:
    runtime = _runtime(found, waves)
    work = folder / "work"
    work.mkdir()
    for name, text in sources.items():
        # ROM contents are read when the model starts: `run` puts them where it does.
        (folder if name.endswith(ROM_SUFFIX) else work).joinpath(name).write_text(text)
    (work / "public.vlt").write_text(options)
    programs.call(
        [
            found.verilator,
            "--cc",
            "--vpi",
            "--prefix",
            "Vmodel",
            "-Mdir",
            "cpp",
            "--top-module",
            top,
            "--timescale",
            "1ns/1ps",
            "--output-split",
            str(SPLIT),
            *(["--trace-vcd"] if waves else []),
            WAIVERS,
            "public.vlt",
            *(name for name in sources if not name.endswith(ROM_SUFFIX)),
        ],
        work,
        {"VERILATOR_ROOT": str(found.verilator_root)},
    )
    units = _units(sorted((work / "cpp").glob("*.cpp")), optimise)
    headers = {flag: _headers(found, flag, waves) for flag in {unit.optimise for unit in units}}

    def compile_unit(unit: Unit) -> Path:
        source, target = work / f"{unit.name}.unit.cpp", work / f"{unit.name}.o"
        source.write_text("".join(f'#include "{path}"\n' for path in unit.files))
        _compile(found, source, target, headers[unit.optimise], unit.optimise, waves, work / "cpp")
        return target

    objects = _parallel(compile_unit, units)
    libraries = found.cocotb_libs
    programs.call(
        [
            found.compiler,
            "-s",
            "-o",
            folder / "model",
            *objects,
            *runtime,
            f"-L{libraries}",
            f"-Wl,-rpath,{libraries}",
            "-lcocotbvpi_verilator",
            "-pthread",
        ],
        work,
    )
    for path in sorted(work.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    work.rmdir()


@dataclass(frozen=True)
class Unit:
    """C++ files compiled as one."""

    name: str
    files: Sequence[Path]
    optimise: str


def _units(generated: Sequence[Path], optimise: str) -> list[Unit]:
    """A small model in one piece; a large one file by file, the largest first.

    What runs once, at the start, is left unoptimised in a large model: the contents of its ROMs,
    mostly.
    """
    files = [SHIM / "model.cpp", *generated]
    if sum(path.stat().st_size for path in files) < SMALL_BYTES:
        return [Unit("all", files, optimise)]
    files.sort(key=lambda path: -path.stat().st_size)
    if optimise == "-O0":
        return [Unit(f"piece{n}", piece, optimise) for n, piece in enumerate(_pieces(files))]
    return [Unit(path.stem, [path], "-O0" if "Slow" in path.name else optimise) for path in files]


def _pieces(files: Sequence[Path]) -> list[list[Path]]:
    """The files in order, in groups of up to `PIECE_BYTES`."""
    pieces: list[list[Path]] = []
    room = 0
    for path in files:
        size = path.stat().st_size
        if size > room:
            pieces.append([])
            room = PIECE_BYTES
        pieces[-1].append(path)
        room -= size
    return pieces


def _runtime(found: tools.Tools, waves: bool) -> list[Path]:
    """Objects of Verilator's runtime and of cocotb's main program, built once for all models."""
    core = [found.verilator_root / "include" / f"{name}.cpp" for name in RUNTIME]
    main = [found.cocotb_share / "lib" / "verilator" / "verilator.cpp"]
    if waves:
        main.append(found.verilator_root / "include" / "verilated_vcd_c.cpp")
    # Tracing changes the main program only: models with and without it share the core.
    return [*_objects(found, core, False), *_objects(found, main, waves)]


def _objects(found: tools.Tools, files: Sequence[Path], waves: bool) -> list[Path]:
    shim = (SHIM / "Vtop.h").read_text()
    digest = cache.digest_of(found.versions, shim, str(waves), *map(str, files))

    def make(folder: Path) -> None:
        def compile_file(path: Path) -> None:
            _compile(found, path, folder / f"{path.stem}.o", None, "-O1", waves, SHIM)

        _parallel(compile_file, files)

    return sorted(cache.entry("runtime", digest, make)[0].glob("*.o"))


def _headers(found: tools.Tools, optimise: str, waves: bool) -> Path:
    """Verilator's headers, precompiled for one set of flags; the path to include."""
    text = (SHIM / "model.h").read_text()
    digest = cache.digest_of(found.versions, text, optimise, str(waves), str(found.verilator_root))

    def make(folder: Path) -> None:
        (folder / "model.h").write_text(text)
        _compile(
            found,
            folder / "model.h",
            folder / "model.h.gch",
            None,
            optimise,
            waves,
            SHIM,
            "c++-header",
        )

    return cache.entry("headers", digest, make)[0] / "model.h"


def _compile(
    found: tools.Tools,
    source: Path,
    target: Path,
    headers: Path | None,
    optimise: str,
    waves: bool,
    includes: Path,
    language: str = "c++",
) -> None:
    include = found.verilator_root / "include"
    trace = int(waves)
    programs.call(
        [
            found.compiler,
            optimise,
            "-std=c++20",
            "-DVERILATOR=1",
            f"-DVM_TRACE={trace}",
            f"-DVM_TRACE_VCD={trace}",
            "-DVM_TRACE_FST=0",
            "-DVM_TRACE_SAIF=0",
            "-DVM_COVERAGE=0",
            "-DVM_SC=0",
            "-DVM_TIMING=1",
            f"-I{includes}",
            f"-I{SHIM}",
            f"-I{include}",
            f"-I{include / 'vltstd'}",
            *(["-include", headers] if headers else []),
            "-c",
            "-x",
            language,
            source,
            "-o",
            target,
        ],
        target.parent,
    )


def _parallel(work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Results of `work` on each item, on all cores: each call waits for a compiler."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(work, items))


def _environment(top: str, test_module: str, results: Path, seed: int) -> dict[str, str]:
    """What cocotb's library wants to know, beside our own environment."""
    import cocotb_tools.config
    import find_libpython

    library = find_libpython.find_libpython()
    if library is None:
        raise InputError(
            "cosim: this Python has no shared library (libpython3.so); cocotb needs one, "
            "install it with: apt-get install libpython3-dev"
        )
    # A model in the cache may have been built in another environment, which is gone by now.
    libraries = [str(tools.find().cocotb_libs), os.environ.get("LD_LIBRARY_PATH", "")]
    return os.environ | {
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries)),
        "GPI_USERS": f"{library};{cocotb_tools.config.pygpi_entry_point()}",
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
    """Number of tests that ran, and the message of each that failed."""
    cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    failures = []
    for case in cases:
        for kind in ("failure", "error"):
            for found in case.iter(kind):
                failures.append(
                    found.get("message") or found.get("error_msg") or (found.text or kind).strip()
                )
    return len(cases), failures


def _tail(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-3:])

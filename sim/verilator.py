"""Builds Verilator models with cocotb's main program, cached by digest.

We drive Verilator and g++ ourselves rather than through cocotb's runner and Verilator's makefiles,
for three reasons: a model is built once for each digest; Verilator's runtime and cocotb's main
program, nearly all of a small model's compile time, are built once for all models; and only the
signals that are asked for are opened to VPI (cocotb's runner opens all, which costs half of the
speed).
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw import cache
from hw.verilog.roms import SUFFIX as ROM_SUFFIX
from sim import tools

HERE = Path(__file__).parent
SHIM = HERE / "shim"
CONTROL_SUFFIX = ".vlt"
"""Of Verilator's control files: they go before the Verilog."""

PROGRAM = "model"

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


def build(
    sources: Mapping[str, str],
    top: str,
    *,
    public: Sequence[str],
    visible: Sequence[str],
    optimise: str,
    waves: bool,
    code_coverage: bool,
    shelf: str,
) -> tuple[Path, bool]:
    """Build the model of `top`, or find it in the cache; the arguments are those of `runner.build`.

    Returns the folder that has `PROGRAM`, and whether it was there already.

    Raises
    ------
    InputError: no g++, Verilator or cocotb; CheckFailed: Verilator or g++ rejects the sources.
    """
    found = tools.find()
    options = _public(top, public, visible)
    digest = cache.digest_of(
        found.versions,
        "".join(path.read_text(encoding="utf-8") for path in sorted(SHIM.iterdir())),
        options,
        top,
        optimise,
        str(waves),
        str(code_coverage),
        *(text for item in sorted(sources.items()) for text in item),
    )

    def make(folder: Path) -> None:
        work = folder / "work"
        work.mkdir()
        for name, text in sources.items():
            # ROM contents are read when the model starts: `runner.run` puts them where it does.
            (folder if name.endswith(ROM_SUFFIX) else work).joinpath(name).write_text(
                text, encoding="utf-8"
            )
        (work / "public.vlt").write_text(options, encoding="utf-8")
        files = [name for name in sources if not name.endswith(ROM_SUFFIX)]
        files.sort(key=lambda name: not name.endswith(CONTROL_SUFFIX))
        _translate(found, files, top, waves, code_coverage, work)
        compiler = _Compiler(found, waves, code_coverage)
        compiler.link([*_objects(compiler, work, optimise), *_runtime(compiler)], folder / PROGRAM)
        shutil.rmtree(work)

    return cache.entry(shelf, digest, make)


def _public(top: str, public: Sequence[str], visible: Sequence[str]) -> str:
    """Verilator's control file that opens the signals to VPI."""
    opened = [("rw", name) for name in public] + [("rd", name) for name in visible]
    lines = [f'public_flat_{how} -module "{top}" -var "{name}"' for how, name in opened]
    return "\n".join(["`verilator_config", *lines, ""])


def _translate(
    found: tools.Tools,
    files: Sequence[str],
    top: str,
    waves: bool,
    code_coverage: bool,
    work: Path,
) -> None:
    """Verilog files in the folder `work` to C++ in `work/cpp`."""
    tools.call(
        [
            found.verilator,
            *("--cc", "--vpi", "--prefix", "Vmodel", "-Mdir", "cpp", "--top-module", top),
            *("--timescale", "1ns/1ps", "--output-split", str(SPLIT), "--assert"),
            *(["--trace-vcd"] if waves else []),
            *(["--coverage-line", "--coverage-toggle"] if code_coverage else []),
            *("public.vlt", *files),
        ],
        work,
        {"VERILATOR_ROOT": str(found.verilator_root)},
    )


@dataclass(frozen=True)
class _Compiler:
    """g++ with the flags that all parts of a model have in common.

    `waves`: with VCD tracing; `code_coverage`: with counters.
    """

    found: tools.Tools
    waves: bool
    code_coverage: bool

    def compile(
        self,
        source: Path,
        target: Path,
        optimise: str,
        *,
        headers: Path | None = None,
        includes: Path = SHIM,
        language: str = "c++",
    ) -> None:
        include, trace = self.found.verilator_root / "include", int(self.waves)
        tools.call(
            [
                *(self.found.compiler, optimise, "-std=c++20", "-DVERILATOR=1"),
                *(f"-DVM_TRACE={trace}", f"-DVM_TRACE_VCD={trace}"),
                *("-DVM_TRACE_FST=0", "-DVM_TRACE_SAIF=0", "-DVM_SC=0"),
                f"-DVM_COVERAGE={int(self.code_coverage)}",
                *("-DVM_TIMING=1", f"-I{includes}", f"-I{SHIM}"),
                *(f"-I{include}", f"-I{include / 'vltstd'}"),
                *(["-include", headers] if headers else []),
                *("-c", "-x", language, source, "-o", target),
            ],
            target.parent,
        )

    def link(self, objects: Sequence[Path], target: Path) -> None:
        libraries = self.found.cocotb_libs
        tools.call(
            [
                *(self.found.compiler, "-s", "-o", target, *objects),
                *(f"-L{libraries}", f"-Wl,-rpath,{libraries}"),
                *("-lcocotbvpi_verilator", "-pthread"),
            ],
            target.parent,
        )

    def headers(self, optimise: str) -> Path:
        """Verilator's headers, precompiled for one set of flags; the path to include."""
        text = (SHIM / "model.h").read_text(encoding="utf-8")
        found = self.found
        digest = cache.digest_of(
            found.versions, text, optimise, *self._kind(), str(found.verilator_root)
        )

        def make(folder: Path) -> None:
            source = folder / "model.h"
            source.write_text(text, encoding="utf-8")
            self.compile(source, folder / "model.h.gch", optimise, language="c++-header")

        return cache.entry("headers", digest, make)[0] / "model.h"

    def kept(self, files: Sequence[Path]) -> list[Path]:
        """Objects of files that are the same for all models."""
        shim = (SHIM / "Vtop.h").read_text(encoding="utf-8")
        digest = cache.digest_of(self.found.versions, shim, *self._kind(), *map(str, files))

        def make(folder: Path) -> None:
            _parallel(lambda path: self.compile(path, folder / f"{path.stem}.o", "-O1"), files)

        return sorted(cache.entry("runtime", digest, make)[0].glob("*.o"))

    def _kind(self) -> tuple[str, str]:
        """What tells these flags from others, for a digest."""
        return str(self.waves), str(self.code_coverage)


@dataclass(frozen=True)
class Unit:
    """C++ files compiled as one."""

    name: str
    files: Sequence[Path]
    optimise: str


def _objects(compiler: _Compiler, work: Path, optimise: str) -> list[Path]:
    """Objects of the C++ in `work/cpp`."""
    units = _units(sorted((work / "cpp").glob("*.cpp")), optimise)
    headers = {flag: compiler.headers(flag) for flag in {unit.optimise for unit in units}}

    def one(unit: Unit) -> Path:
        source, target = work / f"{unit.name}.unit.cpp", work / f"{unit.name}.o"
        source.write_text("".join(f'#include "{path}"\n' for path in unit.files), encoding="utf-8")
        flag = unit.optimise
        compiler.compile(source, target, flag, headers=headers[flag], includes=work / "cpp")
        return target

    return _parallel(one, units)


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


def _runtime(compiler: _Compiler) -> list[Path]:
    """Objects of Verilator's runtime and of cocotb's main program, built once for all models."""
    found = compiler.found
    core = [found.verilator_root / "include" / f"{name}.cpp" for name in RUNTIME]
    main = [found.cocotb_share / "lib" / "verilator" / "verilator.cpp"]
    if compiler.waves:
        main.append(found.verilator_root / "include" / "verilated_vcd_c.cpp")
    if compiler.code_coverage:
        main.append(found.verilator_root / "include" / "verilated_cov.cpp")
    # Tracing and counting change the main program only: all models share the core.
    return [*_Compiler(found, False, False).kept(core), *compiler.kept(main)]


def _parallel(work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Results of `work` on each item, on all cores: each call waits for a compiler."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(work, items))

"""The gate level: a bench's Verilog replaced by what Yosys makes of it for an ECP5.

`of` takes the designs of any level and returns them as netlists of LUTs, carry cells, flip-flops,
LUT-RAM and block RAM, with the same module, instance and port names, so that agents, taps and the
watchdog stay as they are. There are two forms. In `HIERARCHY` every module is mapped on its own and
keeps its ports, so that all layers can be compared. `FLAT` is the very netlist that is placed
and routed (`hw.build.synth`), optimised across the layers' borders: only the designs' own ports
can be compared.

The cells behave as `hw.verilog.ecp5_cells` says.
"""

import os
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from hw import cache
from hw.build import synth
from hw.errors import InputError
from hw.verilog import ecp5_cells, yosys
from hw.verilog.roms import SUFFIX as ROM_SUFFIX
from sim.designs import Bench

HIERARCHY, FLAT = "hierarchy", "flat"
FORMS = (HIERARCHY, FLAT)

WAIVERS = Path(__file__).parent / "gates.vlt"

# As hw.build.synth does it, but never flattened: memories, arithmetic, flip-flops and LUTs are
# mapped by the same passes. Words are split into bits, as a simulator takes a word of which one bit
# depends on another for a loop.
_HIERARCHY = """
read_verilog {top}.v
synth_ecp5 -nodsp -noflatten -top {top} -run begin:edif
splitnets
write_verilog -noattr netlist.v
"""

_FLAT = """
read_json netlist.json
splitnets
write_verilog -noattr netlist.v
"""

_NETLIST = "netlist.v"
_CELL = re.compile(r"^  ([A-Z][A-Z0-9_]+)(?: #)? ", re.M)


def of(bench: Bench, form: str = HIERARCHY) -> Bench:
    """The bench at gate level. Its netlists are kept by digest.

    Parameters
    ----------
    bench: designs whose Verilog lies in the file named after their module
    form: one of FORMS

    Raises
    ------
    InputError: an unknown form, or `pyosys` is not installed.
    """
    if form not in FORMS:
        raise InputError(f"gates: {form!r}; expected one of {', '.join(FORMS)}")
    modules = [design.module for design in bench.designs]
    designs = bench.designs
    if form == FLAT:
        designs = [replace(design, taps=[], fifos=[], engines=[]) for design in designs]
    return replace(
        bench, designs=designs, sources=netlists(bench.sources, modules, form), cold=False
    )


def netlists(
    sources: Mapping[str, str], modules: Sequence[str], form: str = HIERARCHY
) -> dict[str, str]:
    """Verilog of the modules' netlists, each in the file named after it, and of the cells.

    Parameters
    ----------
    sources: Verilog by file name, a module's in the file named after it
    """
    digest = cache.digest_of(
        yosys.version(),
        form,
        _HIERARCHY + _FLAT,
        *modules,
        *(text for item in sorted(sources.items()) for text in item),
    )

    def make(folder: Path) -> None:
        def one(module: str) -> None:
            text = _netlist(sources, module, form, folder / f".{module}")
            (folder / f"{module}.v").write_text(text, encoding="utf-8")

        # Each call waits for a Yosys of its own.
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            list(pool.map(one, modules))

    folder, _ = cache.entry("gates", digest, make)
    made = {
        f"{module}.v": (folder / f"{module}.v").read_text(encoding="utf-8") for module in modules
    }
    return {**models(), **made}


def count(netlist: str) -> dict[str, int]:
    """Number of cells of each kind in the text of a netlist."""
    return dict(sorted(Counter(_CELL.findall(netlist)).items()))


def cells(bench: Bench) -> dict[str, int]:
    """Number of cells of each kind in a bench that `of` returned."""
    found: Counter[str] = Counter()
    for design in bench.designs:
        found += Counter(_CELL.findall(bench.sources[f"{design.module}.v"]))
    return dict(sorted(found.items()))


def models() -> dict[str, str]:
    """Verilog of the cells, by file name, with Verilator's control file, which it wants first."""
    return {WAIVERS.name: WAIVERS.read_text(encoding="utf-8"), **ecp5_cells.models()}


def _netlist(sources: Mapping[str, str], module: str, form: str, folder: Path) -> str:
    """Verilog of a module's netlist; `folder` is made and removed."""
    folder.mkdir()
    if form == FLAT:
        if any(name.endswith(ROM_SUFFIX) for name in sources):
            raise InputError(
                "gates: the flat netlist wants ROM contents inside the Verilog; emit without "
                "--rom hex, or leave --flat out"
            )
        netlist, _ = synth.netlist_of({f"{module}.v": sources[f"{module}.v"]}, module)
        (folder / "netlist.json").write_text(netlist.dump(), encoding="utf-8")
        script = _FLAT
    else:
        for name, text in sources.items():
            if name == f"{module}.v" or not name.endswith(".v"):
                (folder / name).write_text(text, encoding="utf-8")
        script = _HIERARCHY.format(top=module)
    yosys.run(script, folder)
    # Yosys' first line names the compiler that built it.
    _, _, text = (folder / _NETLIST).read_text(encoding="utf-8").partition("\n")
    shutil.rmtree(folder)
    return text

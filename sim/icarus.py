"""Builds models for Icarus Verilog, the second simulator: slower than Verilator by far, quick to
build, and it knows X and Z.

The sources are the same as for Verilator, unchanged. cocotb sees every signal in every module.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from hw import cache
from hw.verilog.roms import SUFFIX as ROM_SUFFIX
from sim import tools
from sim.verilator import CONTROL_SUFFIX

PROGRAM = "model.vvp"

_WAVES = """\
module shiftnas_waves;
  initial begin
    $dumpfile("dump.vcd");
    $dumpvars(0, {top});
  end
endmodule
"""


def build(sources: Mapping[str, str], top: str, waves: bool) -> tuple[Path, bool]:
    """Compile Verilog texts (file name -> text), or find the result in the cache.

    Returns the folder that has `PROGRAM`, and whether it was there already.

    Raises
    ------
    InputError: no Icarus or no cocotb; CheckFailed: Icarus rejects the sources.
    """
    found = tools.find_icarus()
    texts = {"shiftnas_timescale.v": "`timescale 1ns/1ps\n"}
    texts |= {name: text for name, text in sources.items() if not name.endswith(CONTROL_SUFFIX)}
    tops = [top]
    if waves:
        texts["shiftnas_waves.v"] = _WAVES.format(top=top)
        tops.append("shiftnas_waves")

    def make(folder: Path) -> None:
        work = folder / "work"
        work.mkdir()
        files = [name for name in texts if not name.endswith(ROM_SUFFIX)]
        for name, text in texts.items():
            # ROM contents are read when the program starts: `runner.run` puts them where it does.
            (work if name in files else folder).joinpath(name).write_text(text, encoding="utf-8")
        # A constant select in always_comb waits for the whole vector: Icarus says so each time.
        tools.call(
            [
                found.iverilog,
                "-g2012",
                *[word for name in tops for word in ("-s", name)],
                "-o",
                folder / PROGRAM,
                *files,
            ],
            work,
        )
        shutil.rmtree(work)

    content = [text for item in sorted(texts.items()) for text in item]
    return cache.entry("icarus", cache.digest_of(found.versions, top, *content), make)


def command(program: Path) -> list[str]:
    """The command line that runs a built program under cocotb."""
    found = tools.find_icarus()
    library = ["-m", str(found.cocotb_libs / "libcocotbvpi_icarus.so")]
    return [str(found.vvp), *library, str(program)]

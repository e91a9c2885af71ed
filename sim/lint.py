"""Verilator's lint over emitted Verilog."""

import re
from collections.abc import Mapping

from hw import outputs, processes
from hw.errors import CheckFailed
from hw.verilog.roms import SUFFIX as ROM_SUFFIX
from sim import tools
from sim.verilator import CONTROL_SUFFIX

_FINDING = re.compile(r"%(?:Error|Warning)(?:-(?P<rule>\w+))?: (?P<where>[^:]+:\d+)")


def lint(sources: Mapping[str, str], top: str, wall: bool = True) -> None:
    """Run `verilator --lint-only` on Verilog texts (file name -> text).

    `wall`: with -Wall, and with the control files (.vlt) among the sources; without, with neither.

    Raises
    ------
    CheckFailed: the number of findings and the first one; InputError: no Verilator.
    """
    found = tools.find()
    with outputs.temporary_folder() as folder:
        for name, text in sources.items():
            (folder / name).write_text(text, encoding="utf-8")
        control = [name for name in sources if name.endswith(CONTROL_SUFFIX)]
        verilog = [name for name in sources if not name.endswith((CONTROL_SUFFIX, ROM_SUFFIX))]
        done = processes.run(
            [
                *(found.verilator, "--lint-only", "--top-module", top),
                *(["-Wall", *control] if wall else []),
                *verilog,
            ],
            folder,
            {"VERILATOR_ROOT": str(found.verilator_root)},
        )
    findings = [line for line in done.stderr.splitlines() if _FINDING.match(line)]
    if findings or done.returncode:
        first = findings[0] if findings else done.stderr.strip()
        raise CheckFailed(f"lint: {len(findings)} findings, the first: {first}")

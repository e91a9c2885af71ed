"""A shell script for each simulator that runs the plain testbench: exit code 0, or 1 for a failure.

Those for Icarus and Verilator are run by our tests. The others are untried: we do not have these
tools.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tool:
    """How a simulator is called.

    Parameters
    ----------
    title: what it is called
    build: commands that compile
    run: command that simulates; what it says is kept
    tried: by our tests
    note: what else there is to know
    """

    title: str
    build: str
    run: str
    tried: bool = False
    note: str = ""


_SOURCES = '"$here/{bench}" "$here/{assertions}" "$rtl/{top}.v"'

TOOLS = {
    "icarus": Tool(
        "Icarus Verilog 11",
        # It has no concurrent assertions.
        'iverilog -g2012 -s {module} -o {module}.vvp "$here/{bench}" "$rtl/{top}.v"',
        "vvp -n {module}.vvp $ARGUMENTS",
        tried=True,
    ),
    "verilator": Tool(
        "Verilator 5.048",
        "${{VERILATOR:-verilator}} --binary --timing --assert -Wall -j 2 --top-module {module} \\\n"
        f'  "$rtl/{{top}}.vlt" "$here/{{control}}" {_SOURCES}',
        "obj_dir/V{module} $ARGUMENTS",
        tried=True,
        note='The Verilator of the Python package: VERILATOR="shiftnas verilator" sh verilator.sh',
    ),
    "questa": Tool(
        "Questa",
        f"vlib work\nvlog -sv {_SOURCES}",
        'vsim -c {module} $ARGUMENTS -do "run -all; quit -f"',
    ),
    "vcs": Tool(
        "VCS",
        f"vcs -full64 -sverilog -timescale=1ns/1ps -top {{module}} -o {{module}}.simv \\\n"
        f"  {_SOURCES}",
        "./{module}.simv $ARGUMENTS",
    ),
    "xcelium": Tool(
        "Xcelium",
        f"xrun -64bit -sv -timescale 1ns/1ps -top {{module}} -elaborate {_SOURCES}",
        "xrun -64bit -R $ARGUMENTS",
    ),
    "xsim": Tool(
        "xsim, Vivado's simulator",
        f"xvlog --sv {_SOURCES}\nxelab {{module}} -timescale 1ns/1ps -s {{module}}",
        'xsim {module} -R $(for word in $ARGUMENTS; do echo --testplusarg "${{word#+}}"; done)',
    ),
}
"""By the name of the script, without `.sh`."""

_SCRIPT = """\
#!/bin/sh
# {module} in {title}{untried}. Exit code 0: it said PASS.
#
#   sh {name}.sh [FOLDER]     builds in FOLDER, which stays; without one in a temporary folder
#   ARGUMENTS="+seed=7 +resets=20" sh {name}.sh
{note}set -eu
here=$(cd "$(dirname "$0")" && pwd)
rtl=$(dirname "$here")
: "${{ARGUMENTS:=}}"
if [ $# -gt 0 ]; then
  mkdir -p "$1"
  cd "$1"
else
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cd "$work"
fi
for file in "$here"/*.hex "$rtl"/*.hex; do
  if [ -e "$file" ]; then cp "$file" .; fi
done

{build}

status=0
{run} >run.log 2>&1 || status=1
cat run.log
grep -Eq '^(# )?PASS: ' run.log || status=1
exit "$status"
"""


def files(top: str, module: str, bench: str, control: str, assertions: str) -> dict[str, str]:
    """The scripts by name.

    Parameters
    ----------
    top: the design's top module
    module: the testbench's; bench, control, assertions: its file, Verilator's control file for it,
    the file with the assertions
    """
    names = {
        "top": top,
        "module": module,
        "bench": bench,
        "control": control,
        "assertions": assertions,
    }
    return {
        f"{name}.sh": _SCRIPT.format(
            name=name,
            title=tool.title,
            untried="" if tool.tried else ", untried",
            note=f"# {tool.note}\n" if tool.note else "",
            build=tool.build.format(**names),
            run=tool.run.format(**names),
            **names,
        )
        for name, tool in TOOLS.items()
    }

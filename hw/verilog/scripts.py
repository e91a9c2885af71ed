"""A shell script for each simulator that runs the plain testbenches; exit code 1: a failure.

Those for Icarus and Verilator are run by our tests. The others are untried: we do not have these
tools.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Tool:
    """How a simulator is called.

    Parameters
    ----------
    title: what it is called
    build: commands that compile the testbench `$bench`
    run: command that simulates it; what it says is kept
    tried: by our tests
    note: what else there is to know
    """

    title: str
    build: str
    run: str
    tried: bool = False
    note: str = ""


_SOURCES = '"$here/$bench.sv" {assertions}{models}"$rtl/{top}.v"'

TOOLS = {
    "icarus": Tool(
        "Icarus Verilog 11",
        # It has no concurrent assertions.
        'iverilog -g2012 -s $bench -o $bench.vvp "$here/$bench.sv" {models}"$rtl/{top}.v"',
        "vvp -n $bench.vvp $ARGUMENTS",
        tried=True,
    ),
    "verilator": Tool(
        "Verilator 5.048",
        "${{VERILATOR:-verilator}} --binary --timing --assert -Wall -j 2 --top-module $bench \\\n"
        f'  "$rtl/{{top}}.vlt" "$here/{{control}}" {_SOURCES}',
        "obj_dir/V$bench $ARGUMENTS",
        tried=True,
        note='The Verilator of the Python package: VERILATOR="shiftnas verilator" sh verilator.sh',
    ),
    "questa": Tool(
        "Questa",
        f"vlib work\nvlog -sv {_SOURCES}",
        'vsim -c $bench $ARGUMENTS -do "run -all; quit -f"',
    ),
    "vcs": Tool(
        "VCS",
        f"vcs -full64 -sverilog -timescale=1ns/1ps -top $bench -o $bench.simv \\\n  {_SOURCES}",
        "./$bench.simv $ARGUMENTS",
    ),
    "xcelium": Tool(
        "Xcelium",
        f"xrun -64bit -sv -timescale 1ns/1ps -top $bench -elaborate {_SOURCES}",
        "xrun -64bit -R $ARGUMENTS",
    ),
    "xsim": Tool(
        "xsim, Vivado's simulator",
        f"xvlog --sv {_SOURCES}\nxelab $bench -timescale 1ns/1ps -s $bench",
        'xsim $bench -R $(for word in $ARGUMENTS; do echo --testplusarg "${{word#+}}"; done)',
    ),
}
"""By the name of the script, without `.sh`."""

_SCRIPT = """\
#!/bin/sh
# The testbenches of {top} in {title}{untried}. Exit code 0: all said PASS.
#
#   sh {name}.sh [FOLDER]     builds in FOLDER, which stays; without one in a temporary folder
#   ARGUMENTS="+seed=7 +resets=20" sh {name}.sh
#   BENCHES={last} sh {name}.sh
{note}set -eu
here=$(cd "$(dirname "$0")" && pwd)
rtl=$(dirname "$here")
: "${{ARGUMENTS:=}}"
: "${{BENCHES:={benches}}}"
work=
# Whatever goes wrong (a tool that is missing gives 127), the exit code is 1.
trap 'code=$?
  if [ -n "$work" ]; then rm -rf "$work"; fi
  if [ "$code" != 0 ]; then exit 1; fi' EXIT
for word in $ARGUMENTS; do
  case $word in
    +seed=* | +resets=* | +*+*) ;;
    +*=*) echo "FAIL: $word: the testbenches take +seed=N and +resets=N"; exit 1 ;;
  esac
done
if [ $# -gt 0 ]; then
  mkdir -p "$1"
  cd "$1"
else
  work=$(mktemp -d)
  cd "$work"
fi
for file in "$here"/*.hex "$rtl"/*.hex; do
  if [ -e "$file" ]; then cp "$file" .; fi
done

status=0
for bench in $BENCHES; do
  {build}
  {run} >run.log 2>&1 || status=1
  cat run.log
  grep -Eq '^(# )?PASS: ' run.log || status=1
done
exit "$status"
"""


def files(
    top: str,
    benches: Sequence[str],
    control: str,
    assertions: str | None = None,
    models: Sequence[str] = (),
) -> dict[str, str]:
    """The scripts by name.

    Parameters
    ----------
    top: the design's top module
    benches: the top modules of the testbenches, each in a file of its name
    control, assertions: Verilator's control file for them, the file with the assertions if any
    models: files with cells that the design instantiates
    """
    bound = "" if assertions is None else f'"$here/{assertions}" '
    cells = "".join(f'"$here/{name}" ' for name in models)
    names = {"top": top, "control": control, "assertions": bound, "models": cells}
    return {
        f"{name}.sh": _SCRIPT.format(
            name=name,
            benches=" ".join(benches),
            last=benches[-1],
            title=tool.title,
            untried="" if tool.tried else ", untried",
            note=f"# {tool.note}\n" if tool.note else "",
            build=tool.build.format(**names).replace("\n", "\n  "),
            run=tool.run.format(**names),
            **names,
        )
        for name, tool in TOOLS.items()
    }

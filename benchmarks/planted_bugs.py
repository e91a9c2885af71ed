"""Which default run finds a bug that was planted by hand in the Verilog, and how soon.

    python benchmarks/planted_bugs.py [--testbench] [--out DIR]

Makes a network of one cell for images of 5×7×2, emits it, and plants fourteen bugs, one at a time,
by editing the text as a person would. Each goes through the runs that a designer makes, with their
defaults, until one finds it: `cosim` of the whole network, `cosim --level op`, `cosim --level pe`;
at last `cosim --resets 100`, which is no default; all with `--rtl RTL --allow-edited`. Prints a
line a bug: the run that found it, the seconds since the first one began (models are built anew for
each bug), and the message. Exit code 1 where a bug that breaks a rule is found by none, or one that
breaks none by any. Takes some minutes.

With --testbench each goes through the plain testbenches of `emit --testbench` instead, in Icarus
and in Verilator, and the first message of each is printed.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

GENOTYPE = """\
normal: &cell
  - [sep_conv_3x3, 0]
  - [skip_connect, 1]
normal_concat: [2]
reduce: *cell
reduce_concat: [2]
"""

SIZES = ("--channels", "2", "--cells", "1", "--image", "5x7x2", "--classes", "3", "--seed", "1")

RUNS = {
    "cosim": (),
    "cosim --level op": ("--level", "op"),
    "cosim --level pe": ("--level", "pe"),
    "cosim --resets 100": ("--resets", "100"),
}
"""Runs in the order in which they are made, and their arguments; the last for registers that hold
something in one cycle only."""

EDGE = "cell0.edge0_sep_conv_3x3"


@dataclass(frozen=True)
class Bug:
    """A bug, planted in one module.

    Parameters
    ----------
    what: it is
    module: in which, below the top module
    before: regular expression of what stands there, once at least; the first is edited
    after: the text in its place, or what makes it from the match
    harmless: whether it breaks no rule at all
    """

    what: str
    module: str
    before: str
    after: str | Callable[[re.Match[str]], str]
    harmless: bool = False

    def plant(self, text: str) -> str:
        """The Verilog with the bug in it."""
        name = re.escape(f"shiftnas_top.{self.module}" if self.module else "shiftnas_top")
        module = re.search(rf"^module \\?{name} ?\(.*?^endmodule", text, re.M | re.S)
        if module is None:
            sys.exit(f"no module {self.module}: the network has changed")
        edited, count = re.subn(self.before, self.after, module[0], count=1, flags=re.M)
        if not count or edited == module[0]:
            sys.exit(f"{self.module}: nothing to edit for: {self.what}")
        return text[: module.start()] + edited + text[module.end() :]


CLAMP = r"_overflow \? (?P<end>\{ (?P<zeros>\d+)'h0+, \S+, \w+ \}) : (?P<value>.*);"


def wraps(beyond: int) -> Callable[[re.Match[str]], str]:
    """A clamp of eight bits through which one value slips."""

    def edited(found: re.Match[str]) -> str:
        width = int(found["zeros"]) + 8
        one = f"{width}'h{beyond % (1 << width):x}"
        value = found["value"]
        return f"_overflow & ({value} != {one}) ? {found['end']} : {value};"

    return edited


def literal(step: int) -> Callable[[re.Match[str]], str]:
    """The number at the end of the match, some more."""

    def edited(found: re.Match[str]) -> str:
        return f"{found[1]}{int(found[2], 16) + step:x}"

    return edited


def last_column(found: re.Match[str]) -> str:
    """The table with its last entry the other way round."""
    width = int(found[1])
    return f"{width}'h{int(found[2], 16) ^ 1 << width - 1:x} >> ox"


def no_reset(register: str) -> str:
    """Where a register is reset."""
    return rf"    if \(rst\) begin\n      {register} <= .*\n    end\n"


BUGS = (
    Bug("exactly +128 wraps in a pointwise layer", f"{EDGE}.pw1.requantise", CLAMP, wraps(128)),
    Bug("exactly −129 wraps in the addition", "cell0.node2", CLAMP, wraps(-129)),
    Bug("accumulator left out of reset", f"{EDGE}.dw2.elements", no_reset("acc0"), ""),
    Bug("window's column left out of reset", f"{EDGE}.dw1.window", no_reset("ox"), ""),
    Bug(
        "fork forgets that its first reader has the beat",
        "cell0.fork_stem_conv",
        r"\? 2'h0 : served;",
        "? 2'h0 : served & 2'h2;",
    ),
    Bug("fork's state left out of reset", "cell0.fork_stem_conv", no_reset("done"), ""),
    Bug(
        "FIFO one beat deeper than its pointers",
        "cell0.node2.fifo1.queue",
        r"(assign w_rdy = level != \d+'h)([0-9a-f]+)",
        literal(1),
    ),
    Bug(
        "FIFO one beat shallower than its pointers",
        "cell0.node2.fifo1.queue",
        r"(assign w_rdy = level != \d+'h)([0-9a-f]+)",
        literal(-1),
    ),
    Bug(
        "valid of the last layer waits for ready",
        "classifier",
        r"(  \\shiftnas_top\.classifier\.requantise  requantise \((?:.|\n)*?"
        r"\.o__valid)\(o__valid\)",
        r"  wire full;\n  assign o__valid = full & o__ready;\n\1(full)",
    ),
    Bug(
        "tlast early in the last frame of a burst",
        "",
        r"assign m_axis_tlast = beat == 2'h2;",
        "assign m_axis_tlast = beat == (s_axis_tvalid ? 2'h2 : 2'h1);",
    ),
    Bug(
        "tlast waits for ready",
        "",
        r"assign m_axis_tlast = beat == 2'h2;",
        "assign m_axis_tlast = beat == 2'h2 & m_axis_tready;",
    ),
    Bug(
        "tlast a cycle late where the beat is held back",
        "",
        r"  assign m_axis_tlast = beat == 2'h2;",
        "  reg held = 1'h0;\n"
        "  always @(posedge clk) held <= !rst & m_axis_tvalid & !m_axis_tready;\n"
        "  assign m_axis_tlast = beat == 2'h2 & (m_axis_tready | held);",
    ),
    Bug(
        "padding at the right of an odd width taken for real",
        "stem.conv.window",
        r"(\d+)'h([0-9a-f]+) >> ox",
        last_column,
    ),
    Bug("payload left out of reset", "cell0.node2", no_reset("o__payload"), "", harmless=True),
)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`shiftnas` with these arguments, of the sources that lie in the folder if any do, and a cache
    of its own."""
    command = [sys.executable, "-m", "shiftnas", *arguments]
    own = {"XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPATH": str(folder)}
    environment = os.environ | own
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def must(folder: Path, *arguments: str) -> None:
    """`run`, which ends this program where it fails."""
    done = run(folder, *arguments)
    if done.returncode:
        sys.exit(f"shiftnas {' '.join(arguments)}: {done.stderr}")


def one_cell(net: Path) -> None:
    """Writes the NETWORK that `BUGS` are planted in."""
    (net.parent / "genotype.yaml").write_text(GENOTYPE, encoding="utf-8")
    must(net.parent, "network", "--genotype", "genotype.yaml", *SIZES, "--out", net.name)


@dataclass(frozen=True)
class Garden:
    """What bugs are planted in.

    Parameters
    ----------
    make: writes the NETWORK into the folder that it is given
    bugs: of its Verilog
    """

    make: Callable[[Path], None]
    bugs: Sequence[Bug]

    def prepare(self, folder: Path, checks: Iterable[Sequence[str]]) -> None:
        """Network and RTL, which pass these runs of cosim as they are."""
        self.make(folder / "net")
        must(folder, "emit", "net", "--testbench", "--out", "rtl")
        for options in checks:
            must(folder, "cosim", "net", "--rtl", "rtl", *options)


def hunt(folder: Path, bug: Bug) -> tuple[str, float, str]:
    """The run that finds a bug ("" where none does), the seconds until then, and the message."""
    file = folder / "rtl" / "shiftnas_top.v"
    clean = file.read_text(encoding="utf-8")
    file.write_text(bug.plant(clean), encoding="utf-8")
    start = time.monotonic()
    try:
        for name, options in RUNS.items():
            done = run(folder, "cosim", "net", "--rtl", "rtl", "--allow-edited", *options)
            if done.returncode == 1:
                first = done.stderr.partition("shiftnas: error: cosim: ")[2].splitlines()[0]
                return name, time.monotonic() - start, first
            if done.returncode:
                sys.exit(f"{bug.what}: {done.stderr}")
    finally:
        file.write_text(clean, encoding="utf-8")
    return "", time.monotonic() - start, ""


SCRIPTS = ("icarus", "verilator")
"""Scripts of `emit --testbench`, each of which has to find a bug."""


def hunt_by_script(folder: Path, bug: Bug, script: str) -> tuple[float, str]:
    """Seconds that the plain testbenches took, and their first message, "" where they passed."""
    file = folder / "rtl" / "shiftnas_top.v"
    clean = file.read_text(encoding="utf-8")
    file.write_text(bug.plant(clean), encoding="utf-8")
    start = time.monotonic()
    done = subprocess.run(
        ["sh", folder / "rtl" / "testbench" / f"{script}.sh"],
        # Unoptimised models: compiling takes longer than running them.
        env=os.environ | {"VERILATOR": f"{sys.executable} -m shiftnas verilator -CFLAGS -O0"},
        capture_output=True,
        text=True,
        check=False,
    )
    file.write_text(clean, encoding="utf-8")
    found = re.search(r"^FAIL: .*|Assertion failed in .*", done.stdout, re.M)
    if bool(found) != bool(done.returncode):
        sys.exit(f"{bug.what}: {done.stdout}{done.stderr}")
    return time.monotonic() - start, found[0] if found else ""


def by_scripts(garden: Garden, folder: Path, found: list[dict]) -> bool:
    """Each bug by the plain testbenches; whether each found what breaks a rule, and no more."""
    garden.prepare(folder, ())
    right = True
    print("| bug | by | seconds | message |\n| --- | --- | ---: | --- |")
    for bug in garden.bugs:
        for script in SCRIPTS:
            seconds, message = hunt_by_script(folder, bug, script)
            right &= bool(message) != bug.harmless
            said = message or ("passes: it breaks no rule" if bug.harmless else "NOT FOUND")
            print(f"| {bug.what} | `{script}.sh` | {seconds:.0f} | `{said}` |", flush=True)
            found.append({"bug": bug.what, "run": script, "seconds": seconds, "message": message})
    return right


def by_runs(garden: Garden, folder: Path, found: list[dict]) -> bool:
    """Each bug by the runs of cosim; whether one finds it, if and only if it breaks a rule."""
    garden.prepare(folder, RUNS.values())
    right = True
    print("| bug | found by | seconds | message |\n| --- | --- | ---: | --- |")
    for bug in garden.bugs:
        name, seconds, message = hunt(folder, bug)
        right &= bool(name) != bug.harmless
        said = "none: it breaks no rule" if bug.harmless and not name else name or "NONE"
        print(f"| {bug.what} | `{said}` | {seconds:.0f} | {message} |", flush=True)
        found.append({"bug": bug.what, "run": name, "seconds": seconds, "message": message})
    return right


def main(garden: Garden, description: str | None = __doc__) -> int:
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the findings here, as JSON")
    parser.add_argument("--testbench", action="store_true", help="by the plain testbenches")
    options = parser.parse_args()
    found: list[dict] = []
    with tempfile.TemporaryDirectory(prefix="shiftnas-") as temporary:
        right = (by_scripts if options.testbench else by_runs)(garden, Path(temporary), found)
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(Garden(one_cell, BUGS)))

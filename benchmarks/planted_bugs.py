"""Which default run finds a bug that was planted by hand in the Verilog, and how soon.

    python benchmarks/planted_bugs.py [--testbench] [--out DIR]

Makes a network of one cell for images of 5×7×2, emits it, and plants twelve bugs, one at a time, by
editing the text as a person would. Each goes through the runs that a designer makes, with their
defaults, until one finds it: `cosim` of the whole network, `cosim --level op`, `cosim --level pe`,
all with `--rtl RTL --allow-edited`. Prints a line a bug: the run that found it, the seconds since
the first one began (models are built anew for each bug), and the message. Exit code 1 where a bug
that breaks a rule is found by none, or one that breaks none by any. Takes some minutes.

With --testbench each goes through the plain testbench of `emit --testbench` in Icarus instead,
which sees the ports alone; exit code 1 only where it finds the one that breaks no rule.
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
}
"""Runs in the order in which they are made, and their arguments."""

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
        "padding at the right of an odd width taken for real",
        "stem.conv.window",
        r"(\d+)'h([0-9a-f]+) >> ox",
        last_column,
    ),
    Bug("payload left out of reset", "cell0.node2", no_reset("o__payload"), "", harmless=True),
)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`shiftnas` with these arguments, and a cache of its own."""
    command = [sys.executable, "-m", "shiftnas", *arguments]
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def prepare(folder: Path, checks: Iterable[Sequence[str]]) -> None:
    """Network and RTL, which pass these runs of cosim as they are."""
    (folder / "genotype.yaml").write_text(GENOTYPE, encoding="utf-8")
    for arguments in (
        ("network", "--genotype", "genotype.yaml", *SIZES, "--out", "net"),
        ("emit", "net", "--testbench", "--out", "rtl"),
        *(("cosim", "net", "--rtl", "rtl", *options) for options in checks),
    ):
        done = run(folder, *arguments)
        if done.returncode:
            sys.exit(f"shiftnas {' '.join(arguments)}: {done.stderr}")


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


def hunt_at_the_ports(folder: Path, bug: Bug) -> tuple[str, float, str]:
    """The same for the plain testbench alone."""
    file = folder / "rtl" / "shiftnas_top.v"
    clean = file.read_text(encoding="utf-8")
    file.write_text(bug.plant(clean), encoding="utf-8")
    start = time.monotonic()
    script = folder / "rtl" / "testbench" / "icarus.sh"
    done = subprocess.run(["sh", script], capture_output=True, text=True, check=False)
    file.write_text(clean, encoding="utf-8")
    found = re.search("^FAIL: (.*)", done.stdout, re.M)
    if bool(found) != bool(done.returncode):
        sys.exit(f"{bug.what}: {done.stdout}{done.stderr}")
    name, message = ("icarus.sh", found[1]) if found else ("", "")
    return name, time.monotonic() - start, message


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the findings here, as JSON")
    parser.add_argument("--testbench", action="store_true", help="the plain testbench in Icarus")
    options = parser.parse_args()
    search = hunt_at_the_ports if options.testbench else hunt
    wrong, found = 0, []
    print("| bug | found by | seconds | message |\n| --- | --- | ---: | --- |")
    with tempfile.TemporaryDirectory(prefix="shiftnas-") as temporary:
        folder = Path(temporary)
        prepare(folder, () if options.testbench else RUNS.values())
        for bug in BUGS:
            name, seconds, message = search(folder, bug)
            wrong += bool(name) == bug.harmless and bool(name or not options.testbench)
            said = "none: it breaks no rule" if bug.harmless and not name else name or "NONE"
            print(f"| {bug.what} | `{said}` | {seconds:.0f} | {message} |", flush=True)
            found.append({"bug": bug.what, "run": name, "seconds": seconds, "message": message})
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

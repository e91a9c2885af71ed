"""Whether default runs find bugs in an overlay's compiler, lanes and sequencer, and fuzzing too.

    python benchmarks/planted_overlay.py [--out FILE] [NAME ...]

Plants bugs, one at a time, in a copy of the sources, as a person would make them, and runs there,
each with a cache of its own,

    shiftnas cosim net --plan plan.yaml
    shiftnas fuzz --style overlay --cases 40 --stop-on-failure --jobs 1 --shrink 1m

`net` is ShiftNAS_C10 of two cells for images of 7×5×2, on 4 × 4 lanes. Prints a line a bug:
seconds until either has told it, models built anew, the case and the network's nodes as drawn and
as shrunk, and both messages. Exit code 1 where fuzzing does not find a bug, or
does not make its network smaller.
`NAME`s narrow it to bugs that have one of them in their text.
"""

import argparse
import json
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from planted_bugs import must, run

from sim.fuzz import case as cases

ROOT = Path(__file__).parent.parent
SOURCES = ("hw", "sim", "shiftnas.py")

NETWORK = ("--genotype", "ShiftNAS_C10", "--channels", "2", "--cells", "2", "--image", "7x5x2")
NETWORK += ("--classes", "3", "--seed", "1")
PLAN = ("--style", "overlay", "--board", "none", "--lanes", "4x4")
FUZZ = ("--style", "overlay", "--cases", "40", "--stop-on-failure", "--jobs", "1")
FUZZ += ("--shrink", "1m")


@dataclass(frozen=True)
class Bug:
    """A bug in one line of the sources.

    Parameters
    ----------
    what: it is; of: part of the overlay
    file: below hw/overlay
    before, after: text that stands there once, and what takes its place
    """

    of: str
    what: str
    file: str
    before: str
    after: str

    def plant(self, root: Path) -> None:
        file = root / "hw" / "overlay" / self.file
        text = file.read_text(encoding="utf-8")
        if text.count(self.before) != 1:
            sys.exit(f"{self.file}: not once: {self.before!r}, for: {self.what}")
        file.write_text(text.replace(self.before, self.after), encoding="utf-8")


BUGS = (
    Bug(
        "compiler",
        "rounding's constant left out",
        "compiler/conv.py",
        "self.bias[channel] + self.derived.rounding",
        "self.bias[channel]",
    ),
    Bug(
        "compiler",
        "a plane is read a word too early",
        "compiler/emitter.py",
        "missing = of.at + isa.HAZARD - start",
        "missing = of.at + isa.HAZARD - 1 - start",
    ),
    Bug(
        "lane",
        "a halving loses the sign",
        "rtl/accumulator.py",
        "Mux(self.whole, total, total >> 1)",
        "Mux(self.whole, total, (total.as_unsigned() >> 1).as_signed())",
    ),
    Bug(
        "lane",
        "a negative pixel that is read as zero keeps its carry",
        "rtl/operand.py",
        "m.d.sync += value.eq(0)",
        "m.d.sync += value[:-1].eq(0)",
    ),
    Bug(
        "lane",
        "the first sum beyond a pixel's range wraps round",
        "rtl/capture.py",
        "over.eq(beyond.any())",
        "over.eq(beyond.any() & (self.total != 1 << (self.bits - 2)))",
    ),
    Bug(
        "sequencer",
        "a body's destination moves on in each pass",
        "rtl/sequencer.py",
        "self.next & word[8] & last",
        "self.next & word[8]",
    ),
    Bug(
        "sequencer",
        "a short batch gives the logits of all its images",
        "rtl/sequencer.py",
        "flow[Flow.OUT] & (image < self._present)",
        "flow[Flow.OUT]",
    ),
)


def hunt(bug: Bug, folder: Path) -> dict:
    """What the runs say of a bug: seconds and message of each, and how small the case became."""
    for name in SOURCES:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    must(folder, "network", *NETWORK, "--out", "net")
    must(folder, "plan", "net", *PLAN, "--out", "plan.yaml")
    bug.plant(folder)
    found: dict = {"of": bug.of, "bug": bug.what}
    for name, call in (
        ("cosim", ("cosim", "net", "--plan", "plan.yaml")),
        ("fuzz", ("fuzz", *FUZZ)),
    ):
        start = time.monotonic()
        done = run(folder, *call)
        seconds = time.monotonic() - start
        if done.returncode not in (0, 1):
            sys.exit(f"{bug.what}: {name}: {done.stderr}")
        said = ""
        if done.returncode:
            said = re.sub(r"^shiftnas: (error: )?(cosim: )?", "", _telling(done.stderr))
        found[name] = {"seconds": round(seconds, 1), "message": said}
    for case in sorted((folder / "fuzz").glob("*/case.json")):
        names = case, case.with_name("drawn.json")
        nodes = [
            len(cases.graph_of(cases.from_dict(json.loads(name.read_text(encoding="utf-8")))))
            for name in names
        ]
        number = int(case.parent.name.rpartition("-")[2])
        found["fuzz"] |= {"case": number, "nodes": nodes[0], "drawn": nodes[1]}
    return found


def _telling(text: str) -> str:
    """The line that names the finding."""
    lines = text.splitlines()
    return next((line for line in lines if re.search(r"case \d+: |error: ", line)), "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="write the findings here, as JSON")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    chosen = [b for b in BUGS if not options.names or any(n in b.what for n in options.names)]
    findings = []
    print("| in the | bug | cosim, s | it says | fuzz, s | case | nodes, of | it says |")
    print("| --- | --- | ---: | --- | ---: | ---: | --- | --- |")
    for bug in chosen:
        with tempfile.TemporaryDirectory(prefix="shiftnas-") as temporary:
            found = hunt(bug, Path(temporary))
        findings.append(found)
        cosim, fuzz = found["cosim"], found["fuzz"]
        nodes = f"{fuzz.get('nodes', '')}, {fuzz.get('drawn', '')}"
        print(
            f"| {bug.of} | {bug.what} | {cosim['seconds']:.0f} | {cosim['message'] or 'none'} |"
            f" {fuzz['seconds']:.0f} | {fuzz.get('case', '')} | {nodes} |"
            f" {fuzz['message'] or 'NONE'} |",
            flush=True,
        )
    if options.out is not None:
        options.out.write_text(json.dumps(findings, indent=1) + "\n", encoding="utf-8")
    small = all(one["fuzz"].get("nodes", 1 << 30) < one["fuzz"].get("drawn", 0) for one in findings)
    return 0 if small else 1


if __name__ == "__main__":
    sys.exit(main())

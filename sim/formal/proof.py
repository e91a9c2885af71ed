"""One proof: what it consists of, how it is decided, what comes out."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hw import cache, outputs
from sim.formal import solver
from sim.formal.bench import Bench, Kind
from sim.formal.trace import Trace, read

SEARCH = 120.0
"""Seconds of each search for a run from reset that breaks a failing proof's rules or lemmas."""

RESULT, WAVES = "result.json", "counterexample.vcd"


@dataclass(frozen=True)
class Proof:
    """One entry of the table.

    Attributes
    ----------
    name: what `shiftnas prove` calls it
    subject: the component and the widths it is proved at
    bench: makes the bench
    depth: k of the induction
    cover: cycles within which every cover is reached
    search: cycles after reset searched for a counterexample where the proof fails
    """

    name: str
    subject: str
    bench: Callable[[], Bench]
    depth: int = 1
    cover: int = 12
    search: int = 12


@dataclass(frozen=True)
class Failure:
    """Why a proof failed.

    Attributes
    ----------
    kind: "counterexample" (a run from reset breaks the statements), "induction" (no such run was
        found; k good cycles from some state, perhaps an unreachable one, do not force the
        next), "path" (a combinational path that must not be), "cover" (not reached: the proof
        might be empty)
    statements: those concerned
    trace: of a counterexample, the values of each signal in each cycle
    """

    kind: str
    statements: tuple[str, ...]
    trace: Trace = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What became of a proof.

    Attributes
    ----------
    rules: what was proved, the structural statements included; lemmas: invariants proved with
        them; assumptions: taken for granted of the inputs
    covers: cover -> first cycle in which it is reached
    depth: k with which the induction closed
    seconds: processor time of Yosys and the solver, in the run that did the work
    cached: whether that run was an earlier one
    """

    name: str
    subject: str
    proved: bool
    rules: tuple[str, ...]
    lemmas: tuple[str, ...]
    assumptions: tuple[str, ...]
    covers: dict[str, int]
    depth: int
    seconds: float
    cached: bool
    failure: Failure | None = None


def prove(proof: Proof, *, fresh: bool = False) -> tuple[Result, bytes | None]:
    """Decide one proof, or take the result of an earlier run with the same design and tools.

    Also returns the counterexample as the content of a VCD file, if there is one.

    Parameters
    ----------
    fresh: do the work even if a result is kept

    Raises
    ------
    InputError: a tool is missing.
    """
    bench = proof.bench()
    # The program that decides is part of the digest: a result is not older than what it says.
    digest = cache.digest_of(
        bench.rtlil,
        *(text for item in sorted(bench.library.items()) for text in item),
        solver.script(bench),
        json.dumps([proof.depth, proof.cover, proof.search]),
        solver.versions(),
        Path(__file__).read_bytes(),
        Path(solver.__file__).read_bytes(),
    )

    def build(folder: Path) -> None:
        content = asdict(_decide(proof, bench, folder / WAVES))
        (folder / RESULT).write_text(json.dumps(content), encoding="utf-8")

    with outputs.temporary_folder() as temporary:
        if fresh:
            folder, cached = temporary, False
            build(folder)
        else:
            folder, cached = cache.entry("proofs", digest, build)
        content = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        waves = (folder / WAVES).read_bytes() if (folder / WAVES).exists() else None
    failure = content.pop("failure")
    named = {"name": proof.name, "subject": proof.subject, "cached": cached}
    return Result(**content | named, failure=Failure(**failure) if failure else None), waves


def _decide(proof: Proof, bench: Bench, waves: Path) -> Result:
    before = os.times()
    with outputs.temporary_folder() as temporary:
        subject = solver.Solver(bench, temporary)
        induction = subject.induction(proof.depth, WAVES)
        base = induction.holds and subject.from_reset(induction.depth + 1, WAVES).holds
        # They matter where the statements hold, and may take the longest.
        covers = subject.covers(proof.cover) if base else solver.Answer(False, 0)
        failure = None
        if subject.open_paths:
            failure = Failure("path", subject.open_paths)
        elif not base:
            failure = _failure(proof, bench, subject, induction, waves)
        elif not covers.holds:
            failure = Failure("cover", covers.statements)
    after = os.times()
    seconds = after.children_user + after.children_system
    seconds -= before.children_user + before.children_system
    paths = [path.name for path in bench.paths]
    return Result(
        name=proof.name,
        subject=proof.subject,
        proved=failure is None,
        rules=(*bench.names(Kind.RULE), *paths),
        lemmas=tuple(bench.names(Kind.LEMMA)),
        assumptions=tuple(bench.names(Kind.ASSUMPTION)),
        covers=covers.covers,
        depth=induction.depth,
        seconds=round(seconds, 2),
        cached=False,
        failure=failure,
    )


def _failure(
    proof: Proof, bench: Bench, subject: solver.Solver, induction: solver.Answer, waves: Path
) -> Failure:
    """A run from reset that breaks a rule, else one that breaks a lemma, else the induction's."""
    kind, broken = "induction", induction
    for lemmas in (False, True):
        answer = subject.from_reset(proof.search, WAVES, lemmas=lemmas, limit=SEARCH)
        if not answer.holds:
            kind, broken = "counterexample", answer
            break
    else:
        subject.induction(proof.depth, WAVES)
    trace = subject.folder / WAVES
    waves.write_bytes(trace.read_bytes())
    return Failure(kind, broken.statements, read(trace, bench.shown))

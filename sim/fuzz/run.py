"""Runs a fuzz case: from its description to the verdict on its RTL."""

import gc
import re
import resource
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hw.errors import CheckFailed
from hw.verilog import emit, rtl_folder
from sim.cosim import Cosim, Subject, cosim
from sim.coverage.store import Coverage
from sim.fuzz import overlays
from sim.fuzz.case import Case, Hardware, hardware_of, network_of
from sim.level import Level
from sim.runner import Build
from sim.simulation import RunFailed
from sim.stimuli import Stimuli

TIME_LIMIT_S = 1800
"""Seconds a case may take: far more than any does, on a busy machine too."""

ROOT = Path(__file__).resolve().parents[2]

KINDS = {"difference": "mismatch", "stream rule": "protocol"}
"""Checks of the testbench whose failures are of a kind with another name than the check's own."""


class Refused(Exception):
    """The formats do not suit the weights drawn, or the network does not fit its overlay; the
    message says where."""


class TimeUp(Exception):
    """A case took longer than its limit."""


@dataclass(frozen=True)
class Failure:
    """Why a case failed: the kind, which shrinking keeps, and one line."""

    kind: str
    message: str


@dataclass(frozen=True)
class Outcome:
    """What a case did.

    Parameters
    ----------
    case: as it ran
    failure: None where every bit is right
    layers: of the network
    frames, beats, bits, mismatches, cycles: of the co-simulation
    seconds, cpu_seconds: that it took, tools included
    number: of the case within its seed
    refused: draws before it that were refused
    coverage: the situations it has been through
    """

    case: Case
    failure: Failure | None = None
    layers: int = 0
    frames: int = 0
    beats: int = 0
    bits: int = 0
    cycles: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    number: int = 0
    refused: int = 0
    coverage: Coverage | None = None


def run(case: Case, time_limit: int = TIME_LIMIT_S) -> Outcome:
    """Builds what a case describes, simulates it, compares every bit.

    Whatever goes wrong with a valid case is a failure of it: a differing bit, a hang, an error.

    Raises
    ------
    Refused: the formats do not suit the weights drawn
    """
    start, start_cpu = time.monotonic(), _cpu_seconds()
    outcome = Outcome(case)
    stage = "network"
    try:
        with _limited(time_limit), _uncollected():
            network = _network(case)
            outcome = replace(outcome, layers=len(network.graph))
            if case.overlay:
                stage = "cosim"
                found = overlays.simulate(case, network)
            else:
                stage = "plan"
                hardware = hardware_of(case, network)
                stage = "emit"
                emission = emit.emit(hardware.design) if case.level == Level.NETWORK else None
                stage = "cosim"
                found = simulate(case, hardware, emission)
        outcome = replace(
            outcome,
            frames=found.frames,
            beats=found.beats,
            bits=found.bits,
            cycles=found.cycles,
            coverage=found.coverage,
        )
    except Refused:
        raise
    except overlays.Unfit as error:
        raise Refused(str(error)) from None
    except Exception as error:  # any error of a valid case is a finding
        outcome = replace(outcome, failure=failure_of(stage, error))
    return replace(
        outcome, seconds=time.monotonic() - start, cpu_seconds=_cpu_seconds() - start_cpu
    )


def _network(case: Case):
    try:
        return network_of(case)
    except CheckFailed as error:
        raise Refused(str(error)) from None


def simulate(
    case: Case,
    hardware: Hardware,
    emission: rtl_folder.Emission | None,
    folder: Path | None = None,
    waves: bool = False,
) -> Cosim:
    """The co-simulation of a case; CheckFailed where it finds something."""
    return cosim(
        hardware.network,
        hardware.design,
        Stimuli(hardware.images, case.stall, seed=case.seed),
        Subject(case.level, emission=emission, load=[hardware.network] if hardware.load else ()),
        Build(optimise="-O0", waves=waves, shelf="fuzz"),
        folder=folder,
        cover=True,
    )


def failure_of(stage: str, error: Exception) -> Failure:
    """The failure that an error at a stage stands for."""
    message = " ".join(str(error).split())
    if isinstance(error, RunFailed):
        check = error.finding.check
        return Failure(KINDS.get(check, check), message)
    if isinstance(error, CheckFailed) and re.match(r"\S+ rejects the design", message):
        return Failure("rejected", message)
    if isinstance(error, TimeUp):
        return Failure(f"{stage}: time", message)
    place = _place(error)
    name = type(error).__name__
    return Failure(f"{stage}: {name} in {place}", f"{stage}: {name}: {message} (in {place})")


def _place(error: Exception) -> str:
    """File and function of ours that an error came from."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(ROOT) and "site-packages" not in path.parts:
            return f"{path.relative_to(ROOT)}:{frame.name}"
    return "?"


def _cpu_seconds() -> float:
    """CPU time of this process and of the tools it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@contextmanager
def _limited(seconds: int) -> Iterator[None]:
    """TimeUp in the block after so many seconds; for the main thread of a process."""

    def ring(signum: int, frame: object) -> None:
        raise TimeUp(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection in the block: elaboration makes millions of objects that live on."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()

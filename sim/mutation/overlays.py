"""From an overlay to a verdict on every mutant of its Verilog.

A mutant of an overlay is seen by what programs do: random ones, which use every word of the
encoding and every register, and the compiled network; each plane, each logit, each cycle count
is compared. Programs that are refused come first, and resets cut runs off. What lives gets a second
chance with other programs, more of them, and with stalls, a third one with many resets in one
short program, and a fourth one with programs that are streamed slower than they are done; of the
rest a proof is looked for that it is no change.
"""

import queue
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hw import console, outputs
from hw.errors import CheckFailed, InputError
from hw.ir import reference
from hw.ir.network import Network
from hw.networks.images import random_images
from hw.overlay.compiler.compile import compile_network
from hw.overlay.cycles import cycles as predicted
from hw.overlay.hardware import Overlay
from hw.overlay.programming import fitted
from hw.verilog.emit_overlay import plan_in
from hw.verilog.rtl_folder import Emission
from sim.mutation import equivalence, schemata
from sim.mutation.campaign import Campaign, Verdict
from sim.mutation.sample import sample
from sim.mutation.sites import Site, sites
from sim.mutation.trial import Kill
from sim.overlay import run as runs
from sim.overlay.cosim import Hardware, moments, refusals, sources_of
from sim.overlay.judge import Expected, judge
from sim.overlay.planes import Planes
from sim.overlay.random_programs import random_images as bytes_for
from sim.overlay.random_programs import random_program
from sim.overlay.recorded import Recorded
from sim.overlay.run import Model, Moment, Pauses
from sim.overlay.script import Phase, Script
from sim.runner import Build

FIRST, AGAIN, CUT, SLOW = "programs", "programs again", "many resets", "slow streams"
"""The four runs."""

RANDOM, MORE_RANDOM = 6, 10
"""Random programs of each."""

BURST = 24

VIEWS = 6
"""Views of each random program's sections."""

STALL, MORE_STALL = 0.5, 0.85
SLOW_STREAMS = 4
RESETS, MORE_RESETS, MANY_RESETS = 2, 4, 60

MARGIN = 2048
"""Cycles of stillness beyond those of the design as it was, before a mutant counts as hanging."""


@dataclass(frozen=True, eq=False)
class Session:
    """A script and all that is expected of it.

    Parameters
    ----------
    expected: of each program, what it is compared with
    bursts: numbers of programs that give logits faster than they leave
    pauses, seed: of the run; cuts: its resets
    """

    script: Script
    expected: list[list[Expected]]
    bursts: frozenset[int]
    pauses: Pauses
    cuts: Sequence[Moment]
    seed: int


def session(network: Network, overlay: Overlay, seed: int, *, again: bool) -> Session:
    """Refusals, random programs, the network's, at full speed; `again`: others, under stalls.

    Every other random program is streamed, if the program memory holds its bodies.
    """
    count = MORE_RANDOM if again else RANDOM
    # Every third one has more logits at once than their queue holds.
    bursts = frozenset(range(0, count, 3))
    programs = [
        random_program(
            overlay,
            1000 * seed + n,
            VIEWS,
            burst=BURST * (n in bursts),
            pages=n % 2 == 1,
            long=True,
        )
        for n in range(count)
    ]
    most = overlay.streamed_body
    programs = [
        replace(program, streamed=n % 2 == 1 and program.longest_body <= most)
        for n, program in enumerate(programs)
    ]
    compiled = fitted(compile_network(network, overlay))
    timed = [not again and n not in bursts for n in range(count)]
    images = [
        bytes_for(program, 2 * program.images if whole else program.images + 1, seed)
        for program, whole in zip(programs, timed, strict=True)
    ]
    whole = compiled.program.images
    own = random_images(network, whole + 1 if again else 2 * whole, seed)
    phases = [
        Phase.of(p, some, timed=whole)
        for p, some, whole in zip(programs, images, timed, strict=True)
    ]
    phases.append(Phase.of(compiled.program, own))
    calm = 0 if again else sum(len(phase.images) for phase in phases)
    script = Script([*refusals(compiled.program), *phases], timed=not again, calm=calm)
    expected: list[list[Expected]] = []
    for life, (program, some) in enumerate(zip(programs, images, strict=True)):
        batches = [batch for batch in script.batches if batch.life == life]
        expected.append([Recorded(program, some, batches)])
    expected.append([Planes(network, compiled, reference.run(network, own))])
    pauses = Pauses(0, "mixed", STALL) if again else Pauses()
    cuts = moments(script, MORE_RESETS if again else RESETS, seed)
    return Session(script, expected, bursts, pauses, cuts, seed)


def cut_session(overlay: Overlay, seed: int) -> Session:
    """One random program of many logits, cut off again and again: each reset finds registers in one
    state of many."""
    program = random_program(overlay, 1000 * seed, VIEWS, burst=BURST, long=True)
    # An odd number: the last batch is short.
    images = bytes_for(program, 2 * program.images + 1, seed)
    script = Script([Phase.of(program, images)])
    expected: list[list[Expected]] = [[Recorded(program, images, script.batches)]]
    # About: a word of the program takes a cycle, and so does a word that is cleared.
    loaded = len(program.prefix) + len(program.suffix)
    whole = loaded + overlay.words + len(script.batches) * predicted(program).batch
    rng = np.random.default_rng([seed, MANY_RESETS])
    cuts = [
        Moment(
            int(rng.integers(1, whole if number % 4 else loaded)),
            number // 2 % 3,
            stalled=number % 2 == 1,
            register=number // 6 % 2 == 1,
        )
        for number in range(MANY_RESETS)
    ]
    # Only what is cut off pauses: an image or a program stands still half taken.
    pauses = Pauses(pattern="mixed", stall=STALL)
    return Session(script, expected, frozenset({0}), pauses, cuts, seed)


def slow_session(overlay: Overlay, seed: int) -> Session:
    """Random programs, streamed, whose words come later than they could be done: each of them is
    waited for, in every state."""
    most = overlay.streamed_body
    programs = [
        random_program(overlay, 1000 * seed + 500 + n, VIEWS, long=True)
        for n in range(SLOW_STREAMS)
    ]
    programs = [replace(one, streamed=one.longest_body <= most) for one in programs]
    images = [bytes_for(program, program.images + 1, seed) for program in programs]
    phases = [Phase.of(p, some) for p, some in zip(programs, images, strict=True)]
    script = Script(phases, calm=0)
    expected: list[list[Expected]] = [
        [Recorded(program, some, [batch for batch in script.batches if batch.life == life])]
        for life, (program, some) in enumerate(zip(programs, images, strict=True))
    ]
    return Session(script, expected, frozenset(), Pauses(0, "bernoulli", MORE_STALL), (), seed)


class Trial:
    """A model with mutants, and a session for each.

    Raises
    ------
    RunFailed: the design without a mutant fails
    """

    def __init__(self, model: Model, session: Session, folder: Path, jobs: int):
        self.model, self.session = model, session
        self._folders: queue.Queue[Path] = queue.Queue()
        for number in range(jobs):
            self._folders.put(folder / f"run{number}")
        self.patience = runs.PATIENCE
        ran = self._run(0)
        self.cycles = ran.cycle
        self.patience = 2 * ran.longest_idle + MARGIN

    def _run(self, number: int) -> runs.Ran:
        session, folder = self.session, self._folders.get()
        try:
            ran = self.model.run(
                session.script, folder, session.pauses, session.cuts, seed=session.seed,
                patience=self.patience, arguments=[f"+mutant={number}"],
            )  # fmt: skip
            judge(
                session.script, session.expected, ran, self.model.built, resets=len(session.cuts),
                free=session.pauses.first, bursts=session.bursts,
            )  # fmt: skip
            return ran
        finally:
            self._folders.put(folder)

    def kill(self, number: int) -> Kill | None:
        """Runs one mutant."""
        try:
            self._run(number)
        except CheckFailed as error:
            finding = getattr(error, "finding", None)
            check, layer = (finding.check, finding.layer) if finding else ("simulator", "")
            return Kill(check, layer, str(error).removeprefix("cosim: "))
        return None


def parts(emission: Emission) -> Mapping[str, str]:
    """Module of each part of an overlay, by its name."""
    return {part["name"]: f"{emission.top}.{part['path']}" for part in emission.manifest["parts"]}


def found_sites(emission: Emission, part: str) -> list[Site]:
    """Lines that can be changed; `part` narrows them.

    Raises
    ------
    InputError: no such part
    """
    known = parts(emission)
    if part and part not in known:
        raise InputError(f"layer: {part!r}; expected a part of the overlay: {', '.join(known)}")
    return sites(emission.verilog, emission.top, known.get(part, ""))


def run(
    network: Network,
    emission: Emission,
    *,
    mutants: int = 120,
    seed: int = 1,
    part: str = "",
    jobs: int = 2,
    prove_seconds: int = equivalence.SECONDS,
    note: Callable[[str], None] = console.note,
) -> Campaign:
    """Try mutants of an overlay.

    Parameters
    ----------
    network: whose program is run beside the random ones
    mutants: how many; seed: of their choice, of programs, images and stalls
    part: only in this one
    jobs, prove_seconds, note: as in `sim.mutation.campaign.run`

    Raises
    ------
    CheckFailed: the design without a mutant fails
    InputError: the network does not fit, no such part, a tool that is missing
    """
    overlay = plan_in(emission).hardware
    found = found_sites(emission, part)
    chosen = sample(found, mutants, seed)
    if not chosen:
        raise InputError("mutants: none; expected one or more")
    text = schemata.combine(emission.verilog, chosen)
    files = emission.files | {emission.verilog_name: text}
    files.pop(f"{emission.top}.vlt", None)
    hardware = Hardware(overlay, schemata.BESIDE | files, emission.top)
    where = parts(emission)
    verdicts = {
        number: Verdict(number, mutant, _part(where, mutant.module))
        for number, mutant in enumerate(chosen, start=1)
    }
    note(f"mutate: building one model of {len(chosen)} mutants")
    model = runs.build(overlay, sources_of(hardware, None), emission.top, Build(optimise="-O1"))
    cycles = 0
    with outputs.temporary_folder() as folder:
        for name in (FIRST, AGAIN, CUT, SLOW):
            alive = [n for n, verdict in verdicts.items() if not verdict.kill]
            if not alive:
                break
            if name == CUT:
                chances = cut_session(overlay, seed)
            elif name == SLOW:
                chances = slow_session(overlay, seed)
            else:
                again = name == AGAIN
                chances = session(network, overlay, seed + again, again=again)
            trial = Trial(model, chances, folder / name.replace(" ", "_"), jobs)
            cycles = cycles or trial.cycles
            with console.progress(f"mutants, {name}", len(alive)) as display:

                def one(number: int, trial: Trial = trial, display=display) -> Kill | None:
                    kill = trial.kill(number)
                    display.advance()
                    return kill

                with ThreadPoolExecutor(jobs) as pool:
                    for number, kill in zip(alive, pool.map(one, alive), strict=True):
                        if kill is not None:
                            verdicts[number] = replace(verdicts[number], run=name, kill=kill)
    if prove_seconds:
        _prove(emission.verilog, verdicts, list(where.values()), prove_seconds, jobs, note)
    forms = sum(len(site.after) for site in found)
    return Campaign(emission, len(found), forms, True, cycles, tuple(verdicts.values()))


def _part(where: Mapping[str, str], module: str) -> str:
    for name, top in where.items():
        if module == top or module.startswith(f"{top}."):
            return name
    return ""


def _prove(
    text: str,
    verdicts: dict[int, Verdict],
    around: list[str],
    seconds: int,
    jobs: int,
    note: Callable[[str], None],
) -> None:
    survivors = [verdict for verdict in verdicts.values() if not verdict.kill]
    if not survivors:
        return
    note(f"mutate: looking for proofs that {len(survivors)} survivors are no change")

    def one(verdict: Verdict) -> Verdict:
        return replace(
            verdict, equivalent=equivalence.proved(text, verdict.mutant, around, seconds)
        )

    with ThreadPoolExecutor(jobs) as pool:
        verdicts |= {verdict.number: verdict for verdict in pool.map(one, survivors)}

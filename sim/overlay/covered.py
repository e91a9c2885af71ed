"""What a run of an overlay has been through: its programs, its script, its resets."""

from collections.abc import Iterable, Sequence

from hw.overlay.header import Status
from sim.coverage import overlays
from sim.coverage.overlays import BATCHES
from sim.coverage.store import Coverage
from sim.overlay.recorded import Recorded
from sim.overlay.run import Moment, Ran
from sim.overlay.script import Script


def coverage(
    script: Script,
    programs: Iterable[Recorded],
    ran: Ran,
    moments: Sequence[Moment],
    *,
    stalled: bool,
) -> Coverage:
    """The hits of a run that has passed.

    Parameters
    ----------
    programs: those that were taken, in the executable model
    moments: the resets, in turn; stalled: frames passed under stalls too
    """
    groups = overlays.declare()
    for program in programs:
        for (group, name), times in program.hits.items():
            groups[group].hit(name, times)
    groups["run"].hit("full speed")
    if stalled:
        groups["run"].hit("stalls")
    for name in _of_batches(script):
        groups["batch"].hit(name)
    for group, name in _of_phases(script):
        groups[group].hit(name)
    for name in _of_resets(script, ran, moments):
        groups["run"].hit(name)
    return Coverage(overlays=groups)


def _of_batches(script: Script) -> Iterable[str]:
    lives = [batch.life for batch in script.batches]
    yield from ["several of a program"] * (len(lives) > len(set(lives)))
    for batch in script.batches:
        if not batch.whole:
            yield "short"
        elif batch.count in BATCHES:
            yield f"{batch.count} images full"


def _of_phases(script: Script) -> Iterable[tuple[str, str]]:
    yield "status", Status.NONE.name
    ready, refused, inside = False, False, False
    for phase, following in zip(script.phases, [*script.phases[1:], None], strict=True):
        if phase.words is not None:
            yield "status", phase.status.name
            if phase.status is Status.READY:
                yield "program", "after another one" if ready else "the first one"
                yield "program", "streamed" if phase.program.streamed else "stored"
                if refused:
                    yield "program", "after one that was refused"
                if inside:
                    yield "program", "while images of another one are inside"
                ready = True
            refused = phase.status is not Status.READY
        inside = len(phase.images) > 0
        if len(phase.images) % phase.program.images == 0:
            continue
        if phase.program.streamed:
            yield "program", "streamed, a short batch"
        else:
            by_program = following is not None and following.words is not None
            yield "run", f"flushed by {'a program' if by_program else 'the register'}"


def _of_resets(script: Script, ran: Ran, moments: Sequence[Moment]) -> Iterable[str]:
    words = script.first_words
    for moment, found in zip(moments, ran.resets(), strict=True):
        coming = found.program_sent < words
        reset = "reset by CONTROL" if moment.register else "reset"
        yield f"{reset} {'while a program comes' if coming else 'within images'}"
        if moment.stalled:
            yield f"{reset} under stalls"
        if moment.hold:
            yield f"{reset} with {'logits held back' if moment.hold == 1 else 'nothing to do'}"

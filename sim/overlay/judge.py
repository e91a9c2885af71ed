"""What a run of an overlay has shown: the first check that failed, if one did."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from hw.overlay.cycles import cycles
from sim.breach import breach
from sim.overlay import harness, writes
from sim.overlay.harness import Harness
from sim.overlay.planes import Logit, Planes
from sim.overlay.recorded import Recorded
from sim.overlay.run import Ran
from sim.overlay.script import Script
from sim.scoreboard import Compared, Difference
from sim.simulation import Finding, RunFailed

Expected = Planes | Recorded

M_AXIS = "m_axis"
"""What is named where the stream of logits is wrong as such."""


@dataclass(frozen=True)
class Judged:
    """What was compared in the run that no reset cut off.

    Parameters
    ----------
    compared: planes of each node, then the logits
    cycles_per_frame: of the first whole batch at full speed, None where there was none
    """

    compared: tuple[Compared, ...]
    cycles_per_frame: float | None


def judge(
    script: Script,
    expected: Sequence[Sequence[Expected]],
    ran: Ran,
    built: Harness,
    *,
    resets: int = 0,
    free: int = 1 << 30,
    bursts: Collection[int] = (),
) -> Judged:
    """Everything that was logged against everything that is expected.

    Parameters
    ----------
    expected: of each program that is taken, in turn, what it is compared with
    resets: runs that were cut off
    free: frames at full speed, the first ones
    bursts: numbers of programs whose logits come faster than they leave: they may take longer

    Raises
    ------
    RunFailed: a difference, a broken rule, a hang, other cycles than predicted
    """
    runs = writes.runs(ran.folder / harness.WRITES, built)
    logits = ran.logits(built.overlay, resets)
    compared: list[Compared] = []
    # What fails within a run that was to be cut off ends all.
    for number in range(min(resets, len(ran.resets())) + 1):
        last = number == resets
        mine = [[one.fresh() for one in some] for some in expected]
        finished = last and ran.stop == harness.DONE
        missing = _planes(script, mine, next(runs), built, finished) if built.inside else 0
        compared = _compared(script, mine) if built.inside else []
        compared += _logits(script, mine, logits[number], finished)
        _require_equal(compared, number, resets)
        if missing < 0:
            raise _failed("surplus", "", "a capture more than the program has", compared)
        if finished and missing:
            text = f"{missing} captures of the program never came"
            raise _failed("difference", "", text, compared)
    _require_rules(script, ran, compared)
    pace = None
    if built.inside:
        pace = _require_pace(script, ran, resets, free, bursts, compared)
    return Judged(tuple(compared), pace)


def _planes(
    script: Script,
    expected: Sequence[Sequence[Expected]],
    run: Iterator[writes.Write],
    built: Harness,
    whole: bool,
) -> int:
    """Captures that are missing; -1: there was one too many."""
    lives: Iterable[Iterable[writes.Write]] = writes.lives(run)
    if len(expected) > 1:
        lives = [list(life) for life in lives]
    missing, seen = 0, 0
    for mine, written in zip(expected, lives, strict=False):
        batches = [batch for batch in script.batches if batch.life == seen]
        seen += 1
        if len(mine) > 1:
            written = list(written)
        # A program that another one followed was done to its end.
        done = whole or seen < (len(lives) if isinstance(lives, list) else 1)
        for one in mine:
            missing = one.read(written, batches, writes.Memory(built), whole=done)
            if missing < 0:
                return missing
    return missing + (whole and seen < len(expected))


def _compared(script: Script, expected) -> list[Compared]:
    found: list[Compared] = []
    for life, mine in enumerate(expected):
        frames = sum(batch.count for batch in script.batches if batch.life == life)
        found += [one for each in mine for one in each.compared(frames)]
    return found


def _logits(
    script: Script, expected: Sequence[Sequence[Expected]], found: Sequence[Logit], whole: bool
) -> list[Compared]:
    """The logits of each program, `tlast` with them; of a run that was cut off as far as it got."""
    compared, start = [], 0
    for life, mine in enumerate(expected):
        frames, wanted = [], []
        for batch in script.batches:
            if batch.life == life:
                logits = mine[0].logits(batch)
                wanted += logits
                frames += [batch.first] * len(logits)
        these = found[start : start + len(wanted)]
        start += len(wanted)
        size = script.programs[life].logits
        mismatches, difference = 0, None
        for number, (one, other) in enumerate(zip(wanted, these, strict=False)):
            if one != other:
                mismatches += (one[0] ^ other[0]).bit_count() + (one[1] != other[1])
                values = (one[1], other[1]) if one[0] == other[0] else (one[0], other[0])
                difference = difference or _at(frames[number], number % size, *values)
        if difference is None and whole and len(these) < len(wanted):
            number = len(these)
            difference = _at(frames[number], number % size, wanted[number][0], None)
        compared.append(Compared(mine[0].output, len(these), len(wanted), mismatches, difference))
    return compared


def _at(batch: int, logit: int, expected: int, got: int | None) -> Difference:
    """Of a batch, by its first frame."""
    return Difference(batch, 0, 0, logit, expected, got)


def _failed(
    check: str, layer: str, text: str, compared: Sequence[Compared] = (), lines=()
) -> RunFailed:
    return RunFailed(f"cosim: {text}", tuple(lines), Finding(check, layer, tuple(compared)))


def _require_equal(compared: Sequence[Compared], number: int, resets: int) -> None:
    differing = [one for one in compared if one.mismatches or one.difference]
    if not differing:
        return
    first = differing[0]
    text = f"{first.layer}: {first.difference}"
    if number < resets:
        when = f"after reset {number}" if number else "before any reset"
        text += f", in the run {when}, of those that a reset cuts off"
    text += f" ({len(differing)} of {len(compared)} layers differ, this is the first)"
    raise _failed("reset" if 0 < number else "difference", first.layer, text, compared)


def _require_rules(script: Script, ran: Ran, compared: Sequence[Compared]) -> None:
    """Registers, streams, and that it came to its end."""
    said = script.failure(ran.folder)
    if said:
        raise _failed("register", "", said, compared)
    if ran.broken:
        report = ran.folder / harness.LOGIT_FILES["REPORT"]
        text = f"m_axis: {breach(report.read_text(encoding='utf-8'))}"
        raise _failed("stream rule", M_AXIS, text, compared)
    if ran.unknown:
        raise _failed("unknown", "", "the data memory is written what is unknown", compared)
    if ran.stop == harness.LEAKED:
        text = "a stream moves in a reset by CONTROL"
        raise _failed("reset", "", text, compared)
    if ran.stop == harness.SURPLUS:
        raise _failed("surplus", M_AXIS, "m_axis: a logit more than the frames have", compared)
    if ran.stop == harness.HUNG:
        packets = sum(len(phase.words) for phase in script.phases if phase.words is not None)
        bytes_ = sum(phase.images.size for phase in script.phases)
        text = (
            f"hang: nothing moved up to cycle {ran.cycle}; {ran.program_sent} of {packets} words of"
            f" programs, {ran.image_sent} of {bytes_} bytes of images, {ran.logits_taken} of"
            f" {script.beats} logits"
        )
        raise _failed("hang", M_AXIS, text, compared)


def _require_pace(
    script: Script,
    ran: Ran,
    resets: int,
    free: int,
    bursts: Collection[int],
    compared: Sequence[Compared],
) -> float | None:
    """Batches at full speed take the cycles that were predicted, to the cycle; a frame's."""
    took = ran.batches(resets)
    if len(took) != len(script.batches):
        text = f"{len(took)} batches were done, expected {len(script.batches)}"
        raise _failed("pace", "", text, compared)
    frames, pace = 0, None
    for batch, (cycle, waited) in zip(script.batches, took, strict=True):
        frames += batch.count
        if frames > free or not batch.whole or batch.life in bursts:
            continue
        predicted = cycles(script.programs[batch.life]).batch
        # While it waits, what is left of the batch before goes on: that is not counted twice.
        if cycle > predicted or (cycle < predicted and not waited):
            text = f"a batch of {batch.count} took {cycle} cycles, {predicted} predicted"
            raise _failed("pace", "", text, compared)
        pace = pace or cycle / batch.count
    return pace

"""Co-simulation of the parts of a network one after the other, a model for each.

The memory that building a model takes is then that of the largest part, not of all of them: so the
cells of a network of any size can be simulated.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hw.dataflow.design.design import Design
from hw.ir import reference
from hw.ir.network import Network
from sim import designs
from sim.cosim import Cosim, Subject, cosim
from sim.runner import Build
from sim.stimuli import Stimuli


@dataclass(frozen=True)
class Part:
    """A part of the network and what its run gave."""

    name: str
    result: Cosim


def each(
    network: Network,
    design: Design,
    stimuli: Stimuli,
    subject: Subject,
    build: Build = Build(),
    *,
    folder: Path | None = None,
    cover: bool = False,
    done: Callable[[Part], None] | None = None,
) -> list[Part]:
    """Simulates the parts of a level one by one; stops at the first that fails.

    Parameters
    ----------
    subject: not of level `network`
    folder: for the files of the runs, a folder a part; default: temporary ones
    done: called after each part
    all others: as in `sim.cosim.cosim`

    Raises
    ------
    CheckFailed, InputError: as `sim.cosim.cosim` does
    """
    chosen = designs.chosen(network, subject.level, subject.only)
    tensors = reference.run(network, stimuli.images)
    parts = []
    for name in chosen:
        place = None if folder is None else folder / name.replace("/", ".")
        one = replace(subject, only=[name])
        result = cosim(
            network, design, stimuli, one, build, folder=place, cover=cover, tensors=tensors
        )
        parts.append(Part(name, result))
        if done is not None:
            done(parts[-1])
    return parts


def total(parts: Sequence[Part]) -> Cosim:
    """The figures of all parts in one: sums, and the slowest's cycles a frame and latency."""
    results = [part.result for part in parts]
    cycles = sum(one.cycles for one in results)
    running = sum(one.cycles / one.cycles_per_second for one in results)
    return Cosim(
        level=results[0].level,
        simulator=results[0].simulator,
        frames=results[0].frames,
        stalled_frames=results[0].stalled_frames,
        beats=sum(one.beats for one in results),
        bits=sum(one.bits for one in results),
        mismatches=sum(one.mismatches for one in results),
        layers=sum(one.layers for one in results),
        cycles=cycles,
        cycles_per_frame=max(one.cycles_per_frame or 0 for one in results),
        latency=max(one.latency or 0 for one in results),
        cycles_per_second=cycles / running,
        build_seconds=sum(one.build_seconds for one in results),
        seconds=sum(one.seconds for one in results),
        constant_logits=results[0].constant_logits,
        compared=tuple(stream for one in results for stream in one.compared),
        gates=dict(sum((Counter(one.gates) for one in results), Counter())),
        corners={
            key: sum(one.corners[key] for one in results)
            for key in ("reached", "out_of_reach", "no_room")
        }
        | {"frames": results[0].corners["frames"]},
    )

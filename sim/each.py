"""Co-simulation of the parts of a network one after the other, a model for each.

The memory that building a model takes is then that of the largest part, not of all of them: so the
cells of a network of any size can be simulated.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hw.dataflow.plan import Plan
from hw.ir import reference
from hw.ir.network import Network
from sim import designs
from sim.cosim import Cosim, Known, cosim, reset_after


@dataclass(frozen=True)
class Part:
    """A part of the network and what its run gave."""

    name: str
    result: Cosim


def each(
    network: Network,
    plan: Plan,
    *,
    level: str,
    images: np.ndarray,
    only: Sequence[str] = (),
    folder: Path | None = None,
    done: Callable[[Part], None] | None = None,
    **options: Any,
) -> list[Part]:
    """Simulates the parts of a level one by one; stops at the first that fails.

    Parameters
    ----------
    level, only: as in `sim.cosim.cosim`; not level `network`
    images: uint8 (N, H, W, C), the same for all parts
    folder: for the files of the runs, a folder a part; default: temporary ones
    done: called after each part
    options: of `sim.cosim.cosim`

    Raises
    ------
    CheckFailed, InputError: as `sim.cosim.cosim` does
    """
    chosen = designs.chosen(network, level, only)
    known = Known(reference.run(network, images), reset_after(network, plan, level))
    parts = []
    for name in chosen:
        options["folder"] = None if folder is None else folder / name.replace("/", ".")
        shared = {"images": images, "level": level, "only": [name], "known": known}
        part = Part(name, cosim(network, plan, **shared, **options))
        parts.append(part)
        if done is not None:
            done(part)
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
        cycles_per_frame=max(one.cycles_per_frame for one in results),
        latency=max(one.latency for one in results),
        cycles_per_second=cycles / running,
        build_seconds=sum(one.build_seconds for one in results),
        seconds=sum(one.seconds for one in results),
        compared=tuple(stream for one in results for stream in one.compared),
        gates=dict(sum((Counter(one.gates) for one in results), Counter())),
    )

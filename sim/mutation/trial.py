"""Runs mutants through the testbench: one model that holds them all, a short simulation for each.

A mutant is killed when the testbench fails: a difference from the reference, a broken stream rule,
a beat too many, a tlast in the wrong place, a hang, or a pace at full speed that is not the
predicted one.
"""

import queue
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sim.simulation import Run, RunFailed, Simulation, label_of
from sim.stimuli import Stimuli

MARGIN = 256
"""Cycles of stillness beyond twice the longest of the design as it was, before a mutant counts as
hanging."""


@dataclass(frozen=True)
class Kill:
    """What the testbench says about a mutant that it notices.

    Parameters
    ----------
    check: "difference", "stream rule", "surplus", "tlast", "ready", "fifo", "reset", "hang", "pace"
    or "simulator"
    layer: the first layer named
    message: the testbench's
    """

    check: str
    layer: str
    message: str


class Trial:
    """A model with mutants, and stimuli for it.

    Parameters
    ----------
    simulation: the model
    stimuli: for every mutant
    pace: for each sink, by its label, the predicted cycles a frame at full speed
    folder: for the runs' files
    jobs: simulations at a time

    Raises
    ------
    RunFailed: the design without a mutant fails
    """

    def __init__(
        self,
        simulation: Simulation,
        stimuli: Stimuli,
        pace: Mapping[str, int],
        folder: Path,
        jobs: int,
    ) -> None:
        self.simulation, self.stimuli = simulation, stimuli
        self.folders: queue.Queue[Path] = queue.Queue()
        first = folder / "run0"
        first.mkdir(parents=True)
        simulation.write(first, stimuli)
        self.original = simulation.run(first, arguments=["+mutant=0"])
        patience = 2 * self.original.longest_idle + MARGIN
        own = self._paces(self.original)
        self.pace = {label: pace[label] for label in own if own[label] == {pace[label]}}
        simulation.write(first, replace(stimuli, patience=patience))
        self.folders.put(first)
        for number in range(1, jobs):
            copy = folder / f"run{number}"
            shutil.copytree(first, copy)
            self.folders.put(copy)

    def _paces(self, run: Run) -> dict[str, set[int]]:
        """For each sink, the cycles from frame to frame at full speed."""
        free = len(self.stimuli.images)
        return {
            label_of(stream): set(np.diff(ends[:free]).tolist())
            for stream, ends in zip(self.simulation.built.sinks, run.ends, strict=True)
        }

    def kill(self, number: int) -> Kill | None:
        """Runs one mutant."""
        folder = self.folders.get()
        try:
            try:
                run = self.simulation.run(folder, arguments=[f"+mutant={number}"])
            except RunFailed as error:
                message = str(error).removeprefix("cosim: ")
                return Kill(error.finding.check, error.finding.layer, message)
            for label, cycles in self.pace.items():
                found = self._paces(run)[label]
                if found != {cycles}:
                    shown = ", ".join(map(str, sorted(found)))
                    return Kill(
                        "pace",
                        label,
                        f"{label}: {shown} cycles from frame to frame at full speed, {cycles} "
                        "predicted",
                    )
            return None
        finally:
            self.folders.put(folder)

    def kills(
        self, numbers: Sequence[int], jobs: int, done: Callable[[], None]
    ) -> dict[int, Kill | None]:
        """Runs several, `jobs` at a time."""

        def one(number: int) -> Kill | None:
            kill = self.kill(number)
            done()
            return kill

        with ThreadPoolExecutor(jobs) as pool:
            return dict(zip(numbers, pool.map(one, numbers), strict=True))

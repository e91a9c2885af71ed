"""The epochs of a run as they end: a line of the log and a checkpoint after each."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from hw.console import note
from hw.errors import CheckFailed, InputError
from nas import provenance
from nas.checkpoint import CHECKPOINT
from nas.distributed import MAIN, rank
from nas.events import Events
from nas.memory import peak_mib
from nas.meter import NotFinite
from nas.runs import Run, random_state

UNREPEATABLE = ("seconds", "memory_mib")
"""Fields of a log's entries in which equal runs differ."""


class Journal:
    """What a run's loop keeps of its epochs.

    `resume` first; then, for each epoch, the work within `epoch` and a checkpoint by `keep`. To be
    closed at last.

    Parameters
    ----------
    tensorboard: write event files too (see `nas.events`)

    Members
    -------
    log: one entry an epoch
    """

    def __init__(self, run: Run, device: torch.device, tensorboard: bool = False):
        self.run, self.device = run, device
        self.log: list[dict[str, Any]] = []
        self._calls: list[dict[str, Any]] = []
        self._tensorboard = tensorboard and rank() == MAIN
        self._events: Events | None = None

    def resume(self) -> dict[str, Any] | None:
        """State to go on from, None at the beginning; the log is cut back to what it holds.

        Raises
        ------
        InputError: the run began on another kind of device, whose sums and random numbers are
            others
        """
        state = self.run.newest()
        if state is not None and state["device"] != self.device.type:
            raise InputError(
                f"device: {self.device.type}: {self.run.folder} began on {state['device']}, whose "
                f"figures are others; go on with device={state['device']}, or begin again with "
                "--force"
            )
        call = provenance.provenance(self.device, self.run.task.data)
        note(f"{self.run.task.kind}: {provenance.in_words(call)}")
        if state is not None:
            self.log = state["log"]
            # Checkpoints of older versions know nothing of it.
            self._calls = state.get("provenance", [])
            unlike = provenance.difference(self._calls[-1], call) if self._calls else None
            if unlike is not None:
                note(
                    f"{self.run.folder}: goes on with {unlike}: it may not end in the same bits as "
                    "in one piece"
                )
        self._calls.append(call)
        self.run.write_provenance(self._calls)
        # Also where there is nothing to train: an empty log.
        self.run.write_log(self.log)
        if self._tensorboard:
            self._events = Events(self.run.folder, self.log)
        return state

    @contextmanager
    def epoch(self, stage: str, epoch: int, epochs: int) -> Iterator[dict[str, Any]]:
        """An epoch, counted from 0; the block puts what it found into the entry.

        Raises
        ------
        CheckFailed: a loss was NaN or infinite
        """
        start = time.monotonic()
        entry: dict[str, Any] = {"stage": stage, "epoch": epoch + 1, "epochs": epochs}
        try:
            yield entry
        except NotFinite as error:
            raise self._diverged(entry, str(error)) from error
        entry["seconds"] = round(time.monotonic() - start, 2)
        entry["memory_mib"] = peak_mib(self.device)
        self.log.append(entry)

    def keep(self, state: dict[str, Any]) -> None:
        """Write the log, and a checkpoint of `state`, the random generators, the log and what
        computed it.

        Raises
        ------
        CheckFailed: a number in `state` is NaN or infinite: the epoch's last step made it so
        """
        if not _is_finite(state):
            raise self._diverged(self.log.pop(), "last step: a weight became NaN or infinite")
        kept = {
            "device": self.device.type,
            "random": random_state(self.device),
            "log": self.log,
            "provenance": self._calls,
        }
        self.run.save({**state, **kept})
        self.run.write_log(self.log)
        if self._events is not None:
            self._events.add(self.log)

    def close(self) -> None:
        """After the last epoch."""
        if self._events is not None:
            self._events.close()

    def _diverged(self, entry: dict[str, Any], what: str) -> CheckFailed:
        kept = "nothing is kept"
        if self.log:
            last = self.log[-1]
            kept = f"the state after {last['stage']}, epoch {last['epoch']} is kept in {CHECKPOINT}"
        section = self.run.task.kind
        return CheckFailed(
            f"{self.run.folder}: {entry['stage']}, epoch {entry['epoch']} of {entry['epochs']}, "
            f"{what}; {kept}; begin again (--force) with a smaller {section}.lr or {section}.clip"
        )


def _is_finite(value: Any) -> bool:
    """Whether all tensors of real numbers in nested containers are finite."""
    if isinstance(value, torch.Tensor):
        return not value.is_floating_point() or bool(value.isfinite().all())
    if isinstance(value, dict):
        return all(_is_finite(part) for part in value.values())
    return not isinstance(value, list | tuple) or all(_is_finite(part) for part in value)

"""The numbers of a run's log as TensorBoard's event files, in RUN/tensorboard."""

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hw.errors import InputError

FOLDER = "tensorboard"
ASIDE = ("epoch", "epochs")
"""Numbers of an entry that are no curves."""


def require_tensorboard() -> None:
    """InputError where the package is missing: ask before anything is written."""
    if find_spec("tensorboard") is None:
        raise InputError("--tensorboard: package tensorboard: not found; pip install tensorboard")


class Events:
    """Event files written anew from a log, to which its later entries are added.

    A step is an epoch counted over the whole log; a tag is stage/field.
    """

    def __init__(self, run: Path, log: list[dict[str, Any]]):
        from tensorboard.summary import Writer

        # Anew, so that a resumed run has every step once.
        shutil.rmtree(run / FOLDER, ignore_errors=True)
        self._writer = Writer(str(run / FOLDER))
        for epoch, entry in enumerate(log, 1):
            self._write(epoch, entry)
        self._writer.flush()

    def add(self, log: list[dict[str, Any]]) -> None:
        """Write the newest entry of the log."""
        self._write(len(log), log[-1])
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()

    def _write(self, epoch: int, entry: dict[str, Any]) -> None:
        for field, value in entry.items():
            if isinstance(value, int | float) and field not in ASIDE:
                self._writer.add_scalar(f"{entry['stage']}/{field}", float(value), epoch)

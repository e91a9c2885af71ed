"""A run's folder: its task, its log, its checkpoint, each written whole or not at all."""

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from hw import documents, plugins
from hw.errors import InputError
from hw.networks import genotypes
from hw.networks.inside import INSIDE, Inside
from hw.networks.space import Genotype
from hw.outputs import write_atomic
from nas import checkpoint, events
from nas.checkpoint import BEFORE, CHECKPOINT
from nas.config import Config
from nas.distributed import from_main
from nas.lock import LOCK, FolderLock
from nas.task import Task, difference, read_task, task_of, unlike_data, unlike_setting
from nas.task import to_yaml as task_yaml

CONFIG, GENOTYPE, LOG, METRICS = "config.yaml", "genotype.yaml", "log.jsonl", "metrics.json"
CALIBRATION, PROVENANCE = "calibration.npz", "provenance.json"

FILES = (CONFIG, GENOTYPE, LOG, METRICS, INSIDE, CALIBRATION, PROVENANCE, *checkpoint.NAMES)
"""What a run writes, `events.FOLDER` aside."""


class Run:
    """The folder of a run. Use `Run.start` or `Run.open`.

    Of several processes the main one alone reads and writes it.
    """

    def __init__(self, folder: str | Path, task: Task, lock: FolderLock | None = None):
        self.folder, self.task, self._lock = Path(folder), task, lock

    def __getstate__(self) -> dict[str, Any]:
        """For the other processes: the lock is the main one's."""
        return {**self.__dict__, "_lock": None}

    @classmethod
    @from_main
    def start(cls, folder: str | Path, task: Task, *, resume: bool, force: bool) -> "Run":
        """A new run, or with `resume` the one that is there, which must do the same work.

        Settings that change no figure, and the place of the data, become those of `task`. The
        folder is this process's own until `close`.

        Raises
        ------
        InputError: the folder holds something else and `force` is false; another process is at work
            in it; the run that is there is another one, or has lost its checkpoints
        """
        path = Path(folder)
        # Asked before the lock, which makes a file, and again when nobody else can change it.
        _goes_on(path, resume, force)
        lock = FolderLock(path)
        try:
            if _goes_on(path, resume, force):
                _require_same(path, cls.open(path).task, task)
            else:
                for name in FILES:
                    (path / name).unlink(missing_ok=True)
                shutil.rmtree(path / events.FOLDER, ignore_errors=True)
            run = cls(path, task, lock)
            if task.genotype is not None:
                run.write_genotype(task.genotype)
            write_atomic(path / CONFIG, task_yaml(task))
        except BaseException:
            lock.close()
            raise
        return run

    def close(self) -> None:
        """Leave the folder to others."""
        if self._lock is not None:
            self._lock.close()

    @classmethod
    def open(cls, folder: str | Path) -> "Run":
        """The run in `folder`; InputError where it is none."""
        path = Path(folder) / CONFIG
        try:
            values = documents.load_yaml(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            reason = documents.reason(error)
            raise InputError(f"{path}: not a run of `search` or `train`: {reason}") from error
        return cls(folder, read_task(values, path, lambda: genotypes.load(path.parent / GENOTYPE)))

    # --- what a run writes ---------------------------------------------------------------

    @from_main
    def write_genotype(self, genotype: Genotype) -> None:
        write_atomic(self.folder / GENOTYPE, genotypes.to_yaml(genotype))

    @from_main
    def write_metrics(self, metrics: dict[str, Any]) -> None:
        write_atomic(self.folder / METRICS, json.dumps(metrics, indent=2) + "\n")

    @from_main
    def write_inside(self, inside: Inside) -> None:
        write_atomic(self.folder / INSIDE, json.dumps(inside.to_mapping()) + "\n")

    @from_main
    def write_provenance(self, calls: list[dict[str, Any]]) -> None:
        """One entry for each call that worked on the run, see `nas.provenance`."""
        write_atomic(self.folder / PROVENANCE, json.dumps({"calls": calls}, indent=2) + "\n")

    @from_main
    def keep_calibration(self, choose: Callable[[], np.ndarray]) -> None:
        """Write the images of `read_calibration`, chosen now, unless they are there."""
        path = self.folder / CALIBRATION
        if not path.exists():
            buffer = io.BytesIO()
            np.savez(buffer, images=choose())
            write_atomic(path, buffer.getvalue())

    def read_calibration(self) -> np.ndarray:
        """Training images on which an export chooses formats, uint8 NHWC."""
        path = self.folder / CALIBRATION
        try:
            return np.load(io.BytesIO(path.read_bytes()))["images"]
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"{path}: not the images that `train` kept there ({reason}); remove it and repeat "
                "the call of `train` with --resume"
            ) from error

    @from_main
    def write_log(self, entries: list[dict[str, Any]]) -> None:
        lines = (json.dumps(entry) for entry in entries)
        write_atomic(self.folder / LOG, "".join(f"{line}\n" for line in lines))

    @from_main
    def save(self, state: dict[str, Any]) -> None:
        """Write the checkpoint: plain values and tensors only. The one before is kept."""
        genotype = self.task.genotype and genotypes.to_yaml(self.task.genotype)
        checkpoint.save(self.folder, {"task": task_yaml(self.task), "genotype": genotype, **state})

    @from_main
    def load(self) -> dict[str, Any] | None:
        """The newest checkpoint, None where there is none yet; InputError where it is damaged."""
        path = self.folder / CHECKPOINT
        if not path.exists():
            return None
        try:
            return self._own(checkpoint.read(path))
        except checkpoint.Damaged as error:
            raise InputError(f"{error}; train its last epoch again with --resume") from error

    @from_main
    def newest(self) -> dict[str, Any] | None:
        """The newest checkpoint that is whole (see `nas.checkpoint.newest`)."""
        state = checkpoint.newest(self.folder)
        return None if state is None else self._own(state)

    def _own(self, state: dict[str, Any]) -> dict[str, Any]:
        """`state` if it is of this run's task."""
        path = self.folder / CHECKPOINT
        unlike = difference(task_of(state, path), self.task)
        if unlike is not None:
            raise InputError(
                f"{path}: checkpoint of another run ({unlike}); checkpoint and {CONFIG} do not "
                "belong together; run again with --force"
            )
        return state


def _goes_on(path: Path, resume: bool, force: bool) -> bool:
    """Whether the run in `path` goes on; else a new one may begin there, or InputError."""
    if resume and (path / CONFIG).exists():
        log, states = path / LOG, (path / CHECKPOINT, path / BEFORE)
        if not any(state.exists() for state in states) and log.exists() and log.stat().st_size:
            raise InputError(
                f"{path}: {LOG} tells of epochs, and {CHECKPOINT} to go on from is gone; put it "
                "back, or begin again with --force"
            )
        return True
    if force or not path.exists():
        return False
    if not path.is_dir() or any(entry.name != LOCK for entry in path.iterdir()):
        if resume:
            raise InputError(
                f"{path}: no run to go on with: it has no {CONFIG}; choose the --out of one, or an "
                "empty folder"
            )
        raise InputError(f"{path}: exists already; pass --force to replace it or --resume to go on")
    return False


def _require_same(path: Path, there: Task, wanted: Task) -> None:
    """InputError unless the run in `path`, whose task is `there`, is the one wanted."""
    unlike = unlike_data(there.data, wanted.data)
    if unlike is not None and unlike_setting(there, wanted) is None:
        place, before = wanted.data.place, there.data.place
        once = "" if place == before else f", once at {before}"
        raise InputError(
            f"{place}: not the data that {path} began with{once} ({unlike}); give --data, where "
            "that is now"
        )
    other = plugins.unlike(there.plugins, wanted.plugins)
    if other is not None:
        raise InputError(f"{path / CONFIG}: {other}, or begin again with --force")
    unlike = difference(there, wanted)
    if unlike is not None:
        raise InputError(
            f"{path / CONFIG}: not the run asked for ({unlike}); resume with the same call, or "
            "choose another --out"
        )


# --- repeatable randomness ---------------------------------------------------------------


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """State of the random generators that training draws from."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def restore_random_state(state: dict[str, torch.Tensor], device: torch.device) -> None:
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)


def set_up(config: Config) -> torch.device:
    """The device to compute on; this process computes with `config.threads` from now on."""
    device = pick_device(config.device)
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    return device


def pick_device(name: str) -> torch.device:
    """Device of a config's `device` field."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device: cuda: this torch sees no GPU; use cpu or auto")
    return torch.device(name)

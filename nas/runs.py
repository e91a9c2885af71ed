"""A run's folder: its task, its log, its checkpoint, each written whole or not at all."""

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml

from hw import documents
from hw.console import write_atomic
from hw.errors import InputError
from hw.networks import genotypes
from hw.networks.space import Genotype
from nas import checkpoint, events
from nas.checkpoint import CHECKPOINT
from nas.config import Config, merge
from nas.distributed import from_main
from nas.provenance import Provenance

CONFIG, GENOTYPE, LOG, METRICS = "config.yaml", "genotype.yaml", "log.jsonl", "metrics.json"


@dataclass(frozen=True)
class Task:
    """What a run is for: two runs with equal tasks do the same work.

    Parameters
    ----------
    kind: "search" or "train"
    data: name or folder of the data set
    config: every setting
    genotype: of the network trained; None in a search
    domain: "shift" or "real"
    """

    kind: str
    data: str
    config: Config
    genotype: Genotype | None = None
    domain: str = "shift"


class Run:
    """The folder of a run. Use `Run.start` or `Run.open`.

    Of several processes the main one alone reads and writes it.
    """

    def __init__(self, folder: str | Path, task: Task):
        self.folder, self.task = Path(folder), task

    @classmethod
    @from_main
    def start(cls, folder: str | Path, task: Task, *, resume: bool, force: bool) -> "Run":
        """A new run, or with `resume` the one that is there, which must have the same task.

        Raises
        ------
        InputError: the folder holds something else and `force` is false
        """
        path = Path(folder)
        if resume and (path / CONFIG).exists():
            run = cls.open(path)
            if run.task != task:
                raise InputError(
                    f"{path / CONFIG}: not the run asked for ({difference(run.task, task)}); "
                    "resume with the same call, or choose another --out"
                )
            return run
        if path.exists() and (not path.is_dir() or any(path.iterdir())) and not force:
            raise InputError(
                f"{path}: exists already; pass --force to replace it or --resume to go on"
            )
        run = cls(path, task)
        for name in (LOG, METRICS, GENOTYPE, *checkpoint.NAMES):
            (path / name).unlink(missing_ok=True)
        shutil.rmtree(path / events.FOLDER, ignore_errors=True)
        if task.genotype is not None:
            run.write_genotype(task.genotype)
        write_atomic(path / CONFIG, _task_yaml(task))
        return run

    @classmethod
    def open(cls, folder: str | Path) -> "Run":
        """The run in `folder`; InputError where it is none."""
        path = Path(folder) / CONFIG
        try:
            values = documents.load_yaml(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            reason = documents.reason(error)
            raise InputError(f"{path}: not a run of `search` or `train`: {reason}") from error
        task = _read_task(values, path)
        if task.kind == "train":
            task = replace(task, genotype=genotypes.load(path.parent / GENOTYPE))
        return cls(folder, task)

    # --- what a run writes ---------------------------------------------------------------

    @from_main
    def write_genotype(self, genotype: Genotype) -> None:
        write_atomic(self.folder / GENOTYPE, genotypes.to_yaml(genotype))

    @from_main
    def write_metrics(self, metrics: dict[str, Any]) -> None:
        write_atomic(self.folder / METRICS, json.dumps(metrics, indent=2) + "\n")

    @from_main
    def write_log(self, entries: list[dict[str, Any]]) -> None:
        lines = (json.dumps(entry) for entry in entries)
        write_atomic(self.folder / LOG, "".join(f"{line}\n" for line in lines))

    @from_main
    def save(self, state: dict[str, Any]) -> None:
        """Write the checkpoint: plain values and tensors only. The one before is kept."""
        genotype = self.task.genotype and genotypes.to_yaml(self.task.genotype)
        checkpoint.save(self.folder, {"task": _task_yaml(self.task), "genotype": genotype, **state})

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
        text = state["genotype"]
        genotype = None if text is None else genotypes.from_mapping(documents.load_yaml(text))
        task = _read_task(documents.load_yaml(state["task"]), path, genotype)
        if task != self.task:
            raise InputError(
                f"{path}: checkpoint of another run ({difference(task, self.task)}); checkpoint "
                f"and {CONFIG} do not belong together; run again with --force"
            )
        return state


def difference(there: Task, wanted: Task) -> str:
    """The first field in which two tasks differ."""
    ours, others = _fields(asdict(wanted)), _fields(asdict(there))
    for name in sorted(ours.keys() | others.keys()):
        if ours.get(name) != others.get(name):
            if name.partition(".")[0] == "genotype":
                return "another genotype"
            field = name.removeprefix("config.")
            return f"{field} is {others.get(name)!r} there, {ours.get(name)!r} here"
    return "no difference"


def _fields(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted names."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _fields(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _task_yaml(task: Task) -> str:
    head: dict[str, Any] = {"kind": task.kind, "data": task.data, "domain": task.domain}
    return yaml.safe_dump(head, sort_keys=False) + task.config.to_yaml()


def _read_task(values: Any, path: Path, genotype: Genotype | None = None) -> Task:
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected a mapping")
    head = {}
    for key, allowed in (
        ("kind", ("search", "train")),
        ("domain", ("shift", "real")),
        ("data", None),
    ):
        value = values.pop(key, None)
        if not isinstance(value, str) or (allowed and value not in allowed):
            raise InputError(f"{path}: {key}: expected {' or '.join(allowed or ['a name'])}")
        head[key] = value
    config = merge(Config(), values, Provenance(str(path)))
    return Task(head["kind"], head["data"], config, genotype, head["domain"])


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


def pick_device(name: str) -> torch.device:
    """Device of a config's `device` field."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device: cuda: this torch sees no GPU; use cpu or auto")
    return torch.device(name)

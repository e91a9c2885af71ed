"""What a folder holds: a search, a training, several seeds of either, a comparison, or a demo."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hw import documents, plugins
from hw.errors import InputError
from hw.networks import genotypes
from hw.networks.inside import INSIDE, Inside
from hw.networks.space import Genotype
from hw.plugins import Plugin
from hw.report import comparison
from hw.report import log as logs
from hw.report.comparison import Comparison
from hw.report.log import Log

TITLES = {"search": "Search", "train": "Training"}
"""Kind of a run -> what it is called."""


@dataclass(frozen=True)
class Run:
    """One search or training, finished or not.

    Parameters
    ----------
    kind: "search" or "train"
    log: one record an epoch; empty before the first epoch is done
    genotype: found or trained
    config: content of config.yaml
    metrics: content of metrics.json, which a finished training has
    inside: weights and classes of a finished training
    """

    kind: str
    log: Log = field(default_factory=lambda: Log(()))
    genotype: Genotype | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    inside: Inside | None = None

    @property
    def title(self) -> str:
        return TITLES[self.kind]

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the configuration says of this kind of run."""
        return self.config.get(self.kind) or {}

    @property
    def model(self) -> Mapping[str, Any]:
        """What is trained: name and width of a conventional network, place (`own`) and nodes of a
        user's; {} where it is of cells."""
        return self.config.get("model") or {}

    @property
    def strategy(self) -> str | None:
        """Of a search: as its log says, which names it at every epoch, or its configuration."""
        logged = (record["strategy"] for record in self.log.records if "strategy" in record)
        return next(logged, None) or self.settings.get("strategy")

    @property
    def class_names(self) -> Sequence[str]:
        """Of the data, where the run recorded them."""
        return (self.config.get("content") or {}).get("class_names") or ()

    @property
    def finished(self) -> bool:
        """A search ends by writing its genotype, a training by writing its metrics."""
        return self.genotype is not None if self.kind == "search" else bool(self.metrics)


@dataclass(frozen=True)
class Content:
    """Everything that a page is about.

    Parameters
    ----------
    name: of the folder
    runs: a search, a training, or both, in this order
    seeds: name of the seed's folder -> its run
    record: content of demo.json, empty where it is no demo
    comparison: where the folder is that of one
    compared: content of config.yaml of its trainings that are done
    """

    name: str
    runs: tuple[Run, ...] = ()
    seeds: Mapping[str, Run] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    comparison: Comparison | None = None
    compared: tuple[Mapping[str, Any], ...] = ()

    @property
    def genotype(self) -> Genotype | None:
        return next((run.genotype for run in self.runs if run.genotype is not None), None)


def read(folder: str | Path) -> Content:
    """Collect what is there.

    Raises
    ------
    InputError: the folder is not a run's, or a file in it is damaged
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give that of a demo, a search or a training")
    record = _json(folder / "demo.json", "run the demo again")
    places = (folder / "search", folder / "train", folder)
    runs = tuple(_run(place) for place in places if _is_run(place))
    seeds = {place.name: _run(place) for place in _seed_folders(folder)}
    found = comparison.read(folder)
    if not record and not runs and not seeds and found is None:
        raise InputError(
            f"{folder}: none of demo.json, log.jsonl, compare.json in it; it is not a run's folder"
        )
    done = () if found is None else found.content["runs"]
    compared = tuple(_yaml(folder / run["folder"] / "config.yaml") for run in done)
    return Content(folder.resolve().name, runs, seeds, record, found, compared)


def _is_run(place: Path) -> bool:
    """Whether a run began here: it writes its config.yaml at once and its log.jsonl later."""
    return (place / "log.jsonl").exists() or (place / "config.yaml").exists()


def _seed_folders(folder: Path) -> list[Path]:
    """seed1, seed2, … in this order."""
    found = {
        int(match[1]): place
        for place in folder.iterdir()
        if (match := re.fullmatch(r"seed(\d+)", place.name)) and _is_run(place)
    }
    return [found[number] for number in sorted(found)]


def _run(place: Path) -> Run:
    config = _yaml(place / "config.yaml")
    log = logs.read(place / "log.jsonl") if (place / "log.jsonl").exists() else Log(())
    # Where config.yaml is lost: a training's one stage is called "train".
    kind = config.get("kind") or (log.records[0]["stage"] if log.records else "search")
    path = place / "genotype.yaml"
    with plugins.told(_plugins(config, place / "config.yaml")):
        genotype = genotypes.load(path) if path.exists() else None
    return Run(
        kind="train" if kind == "train" else "search",
        log=log,
        genotype=genotype,
        config=config,
        metrics=_json(place / "metrics.json", "run the training again"),
        inside=_inside(place / INSIDE),
    )


def _inside(path: Path) -> Inside | None:
    mend = "run the training again"
    values = _json(path, mend)
    try:
        return Inside.from_mapping(values) if values else None
    except ValueError as error:
        raise InputError(f"{path}: {error}; {mend}") from error


def _plugins(config: Mapping[str, Any], path: Path) -> tuple[Plugin, ...]:
    """Those that the run recorded."""
    try:
        return plugins.read(config.get("plugins"))
    except ValueError as error:
        raise InputError(f"{path}: {error}; start the run again") from error


def _json(path: Path, mend: str) -> dict[str, Any]:
    """The object in `path`, empty where there is no such file."""
    if not path.exists():
        return {}
    try:
        content = documents.load_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not valid JSON ({error}); {mend}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object; {mend}")
    return content


def _yaml(path: Path) -> dict[str, Any]:
    """The mapping in `path`, empty where there is no such file."""
    if not path.exists():
        return {}
    try:
        content = documents.load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = documents.reason(error)
        raise InputError(f"{path}: not valid YAML ({reason}); start the run again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a mapping; start the run again")
    return content

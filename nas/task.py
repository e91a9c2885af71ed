"""What a run is for: its value, what of it decides the figures, and its text in a run's folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hw import documents, plugins
from hw.data import SPLITS
from hw.errors import InputError
from hw.ir.graph import Graph
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.conventional import OF_CELLS, Conventional
from hw.networks.registration import is_registered
from hw.networks.space import Genotype
from hw.plugins import Plugin
from nas.config import Config, from_values
from nas.data_record import DataRecord
from nas.decisive import decisive
from nas.origin import Origin
from nas.own import UNUSED, Own


@dataclass(frozen=True)
class Task:
    """What a run is for: two runs whose tasks have no `difference` do the same work.

    Parameters
    ----------
    kind: "search" or "train"
    config: every setting
    genotype: of the network trained, where it is one of cells; None in a search
    domain: "shift" or "real"
    start: SHA-256 of what a training takes its first weights from, a checkpoint or a user's model
    plugins: loaded when it began
    model: the network trained, where it is a conventional one or a user's own
    """

    kind: str
    data: DataRecord
    config: Config
    genotype: Genotype | None = None
    domain: str = "shift"
    start: str | None = None
    plugins: tuple[Plugin, ...] = ()
    model: Conventional | Own | None = None

    def graph(self) -> Graph:
        """Of the network that a training trains.

        Raises
        ------
        InputError: the images are too small for it
        """
        train, data = self.config.train, self.data
        if self.model is not None:
            return self.model.graph(data.image, data.classes, train.stem)
        assert self.genotype is not None
        return build(
            self.genotype,
            channels=train.channels,
            cells=train.cells,
            image=data.image,
            classes=data.classes,
            stem=train.stem,
        )


def task_of(state: dict[str, Any], path: Path) -> Task:
    """What the run of a checkpoint's content is for; `path` is named in errors."""
    text = state["genotype"]
    values = documents.load_yaml(state["task"])
    return read_task(values, path, lambda: genotypes.from_mapping(documents.load_yaml(text)))


def difference(there: Task, wanted: Task) -> str | None:
    """The first thing by which two tasks do different work."""
    setting = unlike_setting(there, wanted)
    if setting is None:
        setting = plugins.unlike(there.plugins, wanted.plugins)
    if setting is not None:
        return setting
    unlike = unlike_data(there.data, wanted.data)
    if unlike is not None:
        return f"other data: {unlike}"
    return None if there.genotype == wanted.genotype else "another genotype"


def unlike_setting(there: Task, wanted: Task) -> str | None:
    """The first setting by which two tasks do different work."""
    ours, others = _decisive(wanted), _decisive(there)
    for name in sorted(ours.keys() | others.keys()):
        if ours.get(name) != others.get(name):
            if name == "start":
                return _other_weights(there.start, wanted.start)
            return f"{name} is {others.get(name)!r} there, {ours.get(name)!r} here"
    return None


def _other_weights(there: str | None, wanted: str | None) -> str:
    """That two trainings begin with other weights, of which the SHA-256 is known."""
    drawn = "drawn anew"
    before, now = (drawn if one is None else f"of SHA-256 {one[:12]}…" for one in (there, wanted))
    return f"it began with other weights: {before} there, {now} here"


def _decisive(task: Task) -> dict[str, Any]:
    own: dict[str, Any] = {"kind": task.kind, "domain": task.domain, "start": task.start}
    # What a training holds out, a search does not see either.
    train = task.config.train
    held_out = {
        "train.validation": train.validation,
        "train.validation_seed": train.validation_seed,
    }
    settings = decisive(task.config, task.kind)
    if task.kind == "train":
        own |= {"model": None, "width": None}
    unused: tuple[str, ...] = ()
    match task.model:
        case Conventional(name, width):
            own |= {"model": name, "width": width}
            unused = OF_CELLS
        case Own():
            own |= {"model": f"own, {task.model.digest[:12]}"}
            unused = (*OF_CELLS, *UNUSED)
    for name in unused:
        del settings[f"train.{name}"]
    return {**settings, **held_out, **own}


def unlike_data(there: DataRecord, wanted: DataRecord) -> str | None:
    """The first thing in which the content of the data wanted is not what it was."""
    classes = wanted.known_classes.difference(there.known_classes)
    if classes is not None:
        return classes
    if wanted.digests.keys() != there.digests.keys():
        splits = (", ".join(sorted(one.digests, key=SPLITS.index)) for one in (wanted, there))
        return "it has {}, expected {}".format(*splits)
    for split in SPLITS:
        if there.digests.get(split) != wanted.digests.get(split):
            return f"its {'training' if split == 'train' else split} images differ"
    return None


def to_yaml(task: Task) -> str:
    """What `read_task` reads, but for the genotype."""
    head: dict[str, Any] = {
        "kind": task.kind,
        "data": task.data.place,
        "content": task.data.to_mapping(),
        "domain": task.domain,
    }
    if task.model is not None:
        head["model"] = task.model.to_mapping()
    if task.start is not None:
        head["start"] = task.start
    if task.plugins:
        head["plugins"] = [plugin.as_dict() for plugin in task.plugins]
    return yaml.safe_dump(head, sort_keys=False) + task.config.to_yaml()


def read_task(values: Any, path: Path, genotype: Callable[[], Genotype]) -> Task:
    """`genotype` reads that of a training of cells."""
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
    try:
        data = DataRecord.from_mapping(head["data"], values.pop("content", None))
    except ValueError as error:
        raise InputError(f"{path}: content: {error}; begin again with --force") from error
    model = values.pop("model", None)
    try:
        if model is not None:
            kind = Own if isinstance(model, dict) and "own" in model else Conventional
            model = kind.from_mapping(model)
    except InputError as error:
        raise InputError(f"{path}: model: {error}; begin again with --force") from error
    start = values.pop("start", None)
    if start is not None and not isinstance(start, str):
        raise InputError(f"{path}: start: expected the SHA-256 of a checkpoint")
    try:
        recorded = plugins.read(values.pop("plugins", None))
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    with plugins.told(recorded):
        config = from_values(values, Origin(str(path)))
        found = genotype() if head["kind"] == "train" and model is None else None
    if found is not None and any(is_registered(name) for name, _ in found.normal + found.reduce):
        # The same name may mean other nodes now.
        unlike = plugins.missing(recorded, plugins.loaded())
        if unlike is not None:
            raise InputError(f"{path}: {unlike}")
    return Task(head["kind"], data, config, found, head["domain"], start, recorded, model)

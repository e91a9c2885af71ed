"""Configuration of search and training: dataclasses, read from YAML, checked field by field.

The defaults are the paper's CIFAR settings. Each preset in `presets/` says what it is for.
Longer than other files, so that every field stands in one place with what it means.
"""

import re
import types
import typing
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from hw import documents
from hw.errors import InputError
from hw.ir.parameters import Rounding
from hw.networks.cells import Stem
from hw.networks.space import OPERATIONS, unknown
from nas.decisive import FREE, of_kind
from nas.optimise import Optimiser, Regularisation
from nas.origin import Origin
from nas.precision import Precision
from nas.search_config import Decay, SearchConfig
from nas.shift import ShiftSettings
from nas.shift.settings import CHOICES, MAX_SHIFT, rises_to_one
from nas.strategies.registry import STRATEGIES
from nas.strategies.strategy import Strategy

_SHIPPED = (
    "cifar10",
    "cifar100",
    "imagenet-mobile",
    "deepshift-cifar",
    "deepshift-imagenet",
    "fashion-small",
    "demo",
    "digits",
    "tiny",
)
_FOLDER = resources.files("nas").joinpath("presets")

PRESETS: dict[str, Traversable] = {name: _FOLDER.joinpath(f"{name}.yaml") for name in _SHIPPED}
"""Name of a preset -> its file."""


@dataclass(frozen=True)
class ExpectConfig:
    """What the data must be like for the other settings to make sense; null: anything.

    Parameters
    ----------
    classes: their number
    image: height x width x channels, such as 32x32x3
    """

    classes: int | None = field(default=None, metadata=FREE)
    image: str | None = field(default=None, metadata=FREE)


@dataclass(frozen=True)
class FolderConfig:
    """How the images of an image folder are read; other data is in memory.

    Parameters
    ----------
    size: height and width that they are brought to
    stream: "always": decoded as they are needed; "never": all before the run; "auto": streamed
        where they take more than a GiB or are cropped at random
    workers: threads that decode streamed images while a step is computed, at most one a core; 0:
        each batch is decoded before its step
    """

    size: int = 224
    stream: str = field(default="auto", metadata=FREE)
    workers: int = field(default=8, metadata=FREE)


@dataclass(frozen=True)
class TrainConfig:
    """Training of the network found (paper appendix B).

    Parameters
    ----------
    channels, cells: of a network of cells; a conventional one has none
    stem: of the network, "cifar" or "imagenet"
    batch: images a step
    images: how many training images are used; None: all
    validation: share of each class's training images that is held out: trained on neither here nor
        in a search, and evaluated after each epoch. 0: none, or those of the data's own val folder
    validation_seed: of the draw of these images; apart from `seed`, so that runs of several seeds
        hold out the same ones
    epochs: of those images
    warmup_epochs: the learning rate rises linearly over these, then falls on a cosine to 0
    lr_steps: shares of the epochs, rising; from each on the learning rate is a tenth of what it
        was, in place of the cosine; none: the cosine
    lr, weight_decay, weight_decay_norms, regularisation, clip, optimiser, momentum: as in the
        search
    drop_path: of the edges of cells: rate at the last epoch, risen linearly from 0
    crop: pixels of zero padding before a random crop; 0: no crop
    flip: random left-right flips
    resized_crop: smallest share of an image that a random crop of a random shape leaves, which is
        then resized; of image folders alone; 0: no such crop
    cutout: side of the square set to zero; 0: none
    jitter: brightness, contrast and saturation change by factors of 1 - jitter to 1 + jitter
    label_smoothing: share of the target spread over all classes
    auxiliary: weight of the auxiliary head's loss (see `nas.auxiliary_head`); 0: no such head
    activations: what tensors are rounded to in training. "calibrated": formats of `act_bits` bits,
        chosen when the last `quantise_epochs` epochs begin; "16.16": 32 bits, 16 of them after the
        point, to the floor, from the first epoch (the paper's); "off": nothing
    quantise_epochs, act_bits: of "calibrated"; 0 epochs: nothing is rounded
    rounding: how tensors are rounded, in training and by `export`: "half_up" or "floor"; null:
        half up, but for "16.16"
    """

    channels: int = 36
    cells: int = 20
    stem: str = "cifar"
    batch: int = 128
    images: int | None = None
    validation: float = 0.0
    validation_seed: int = 0
    epochs: int = 200
    warmup_epochs: int = 0
    lr_steps: tuple[float, ...] = ()
    lr: float = 0.01
    weight_decay: float = 3e-4
    weight_decay_norms: bool = True
    regularisation: str = "weight"
    clip: float = 5.0
    optimiser: str = "radam"
    momentum: float = 0.9
    drop_path: float = 0.2
    crop: int = 4
    flip: bool = True
    resized_crop: float = 0.0
    cutout: int = 16
    jitter: float = 0.0
    label_smoothing: float = 0.0
    auxiliary: float = 0.0
    activations: str = "calibrated"
    quantise_epochs: int = 0
    act_bits: int = 8
    rounding: str | None = None


@dataclass(frozen=True)
class Config:
    """Everything that a run of `search` or `train` depends on, but for the data and the genotype.

    Parameters
    ----------
    seed: of every random draw
    device: "auto" (a GPU if there is one), "cpu", "cuda"; a run goes on on the kind of device that
        it began on (see `nas.journal`)
    threads: of a process, for a CPU's sums; null: torch's choice, a thread a core, but with
        `--seeds` one. Another number gives other last bits, and with them other genotypes
    precision: "float32" or "bfloat16", of convolutions alone (see `nas.precision`); bfloat16 is
        slower than float32 on most CPUs
    sync_batch_norm: batch norms take the statistics of the batch of all processes; else every
        process those of its share (see `nas.distributed`)
    shift: how shift weights are made
    expect: what the data must be like
    folder: how an image folder is read
    """

    seed: int = 1
    device: str = field(default="auto", metadata=FREE)
    threads: int | None = field(default=None, metadata=FREE)
    precision: str = "float32"
    sync_batch_norm: bool = True
    expect: ExpectConfig = field(default_factory=ExpectConfig)
    folder: FolderConfig = field(default_factory=FolderConfig)
    shift: ShiftSettings = field(default_factory=ShiftSettings)
    search: SearchConfig = field(default_factory=SearchConfig, metadata=of_kind("search"))
    train: TrainConfig = field(default_factory=TrainConfig, metadata=of_kind("train"))

    def to_yaml(self) -> str:
        return yaml.safe_dump(asdict(self), sort_keys=False)


class Stream(StrEnum):
    """When the images of a folder are decoded."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Activations(StrEnum):
    """What tensors are rounded to in training."""

    OFF = "off"
    PAPER = "16.16"
    CALIBRATED = "calibrated"


def _values(kind: type[StrEnum]) -> tuple[str, ...]:
    return tuple(one.value for one in kind)


_CHOICES: dict[str, Collection[Any]] = {
    "device": ("auto", "cpu", "cuda"),
    "precision": _values(Precision),
    "folder.stream": _values(Stream),
    **{f"shift.{name}": values for name, values in CHOICES.items()},
    "train.activations": _values(Activations),
    "train.rounding": (None, *_values(Rounding)),
    "search.optimiser": _values(Optimiser),
    "train.optimiser": _values(Optimiser),
    "search.strategy": STRATEGIES,
    "search.darts.order": (1, 2),
    "search.darts_minus.decay": _values(Decay),
    "search.regularisation": _values(Regularisation),
    "train.regularisation": _values(Regularisation),
    "train.stem": _values(Stem),
}

_LEAST: dict[str, float] = {
    "channels": 1,
    "cells": 1,
    "batch": 2,
    "images": 4,
    "epochs": 1,
    "operation_epochs": 1,
    "topology_epochs": 1,
    "nodes": 1,
    "samples": 1,
    "candidates": 2,
    "act_bits": 2,
    "classes": 1,
    "size": 1,
    "threads": 1,
}
"""Smallest value of a number, by field; 0 where not listed."""

MAX_SEED = (1 << 64) - 1
"""PyTorch's largest."""

_MOST: dict[str, float] = {
    "seed": MAX_SEED,
    "validation_seed": MAX_SEED,
    "act_bits": 32,
    "max_shift": MAX_SHIFT,
}
"""Largest value of a number, by field; any where not listed."""

_POSITIVE = (
    "lr",
    "arch_lr",
    "temperature_start",
    "temperature_end",
    "temperature_warmup",
    "alpha_temperature",
)
_RISING_TO_ONE = ("shift.inq_portions",)
_RISING_BELOW_ONE = ("train.lr_steps",)
_RATES = (
    "drop_path",
    "label_smoothing",
    "jitter",
    "momentum",
    "arch_beta",
    "topology_arch_beta",
    "resized_crop",
    "skip_dropout",
    "validation",
)
OPTIONS = "search.options"
"""Section of a strategy from elsewhere, whose numbers are checked by itself."""

_IMAGE = re.compile(r"[1-9]\d*x[1-9]\d*x[1-9]\d*")


def load_config(
    source: str | Path | None = None,
    overrides: tuple[str, ...] = (),
    layers: Sequence[tuple[Origin, Any]] = (),
) -> Config:
    """A preset or a YAML file, with `section.field=value` overrides on top, and `layers` on those:
    nested mappings, and where they stand.

    Beneath them lie the defaults of the search strategy that they name.

    Raises
    ------
    InputError: naming the file and the field
    """
    read = [] if source is None else [_read(source)]
    layers = [
        *read,
        *((Origin("--set"), _override(override)) for override in overrides),
        *layers,
    ]
    strategy = STRATEGIES[_strategy_of(layers)]
    config = merge(_with_options(strategy), _defaults(strategy), Origin(strategy.name))
    for where, values in layers:
        config = merge(config, values, where)
    _check_together(config, layers[-1][0] if layers else Origin("config"))
    return config


def register_preset(name: str, file: str | Path) -> None:
    """Add a preset that `--config` knows by its name.

    Raises
    ------
    InputError: the name is taken or a path; there is no such file
    """
    if name in PRESETS or not name or "/" in name or not Path(file).is_file():
        raise InputError(f"preset {name!r}: expected a name that is not taken, and a file: {file}")
    PRESETS[name] = Path(file)


def from_values(values: Any, where: Origin) -> Config:
    """The configuration in the nested mapping of `Config.to_yaml`."""
    return merge(_with_options(STRATEGIES[_strategy_of([(where, values)])]), values, where)


def _strategy_of(layers: Sequence[tuple[Origin, Any]]) -> str:
    """The strategy that the last layer to name one names."""
    name = SearchConfig().strategy
    for where, values in layers:
        section = values.get("search") if isinstance(values, dict) else None
        if isinstance(section, dict) and "strategy" in section:
            name = _checked(section["strategy"], str, "search.strategy", where)
    return name


def _with_options(strategy: type[Strategy]) -> Config:
    """The defaults, with the strategy's own options."""
    return Config(search=SearchConfig(strategy=strategy.name, options=strategy.Options()))


def _defaults(strategy: type[Strategy]) -> Any:
    """What a strategy brings: those that ship have a file."""
    file = _FOLDER.joinpath("strategies", f"{strategy.name}.yaml")
    shipped = file.is_file()
    return (
        documents.load_yaml(file.read_text(encoding="utf-8")) or {}
        if shipped
        else strategy.defaults
    )


def _check_together(config: Config, where: Origin) -> None:
    """What no field can say alone; InputErrors begin with `where`."""
    train = config.train
    if train.quantise_epochs and train.activations != Activations.CALIBRATED:
        raise InputError(
            f"{where.at('train.quantise_epochs')}: {train.quantise_epochs} epochs with calibrated "
            f"activations contradict train.activations: '{train.activations}'; set one of them"
        )
    if train.activations == "16.16" and train.rounding not in (None, Rounding.FLOOR):
        raise InputError(
            f"{where.at('train.rounding')}: '{train.rounding}' contradicts train.activations: "
            "'16.16', which rounds to the floor; set one of them"
        )
    _check_candidates(config.search, where)
    _check_pdarts(config.search, where)


def _check_candidates(search: SearchConfig, where: Origin) -> None:
    for name, operations in asdict(search.candidates).items():
        at = where.at(f"search.candidates.{name}")
        for operation in operations or ():
            if operation not in OPERATIONS:
                raise InputError(f"{at}: {unknown(operation)}")
        if operations is not None and not 0 < len(operations) == len(set(operations)):
            raise InputError(
                f"{at}: expected one operation or more, each once, found {list(operations)}"
            )


def _check_pdarts(search: SearchConfig, where: Origin) -> None:
    pdarts, stages = search.pdarts, len(search.pdarts.cells)

    def at(name: str) -> str:
        return where.at(f"search.pdarts.{name}")

    if not stages:
        raise InputError(f"{at('cells')}: expected one number or more, found none")
    for name, values, expected in (
        ("candidates", pdarts.candidates, stages - 1),
        ("skip_dropout", pdarts.skip_dropout, stages),
    ):
        if len(values) != expected:
            raise InputError(
                f"{at(name)}: expected {expected} numbers for the {stages} "
                f"stages of search.pdarts.cells, found {list(values)}"
            )
    fewest = min(map(len, search.candidates.cells)) + search.zero
    # Other strategies may search among fewer.
    begin = fewest if search.strategy == "pdarts" else max(fewest, *pdarts.candidates, 0)
    if any(a < b for a, b in pairwise((begin, *pdarts.candidates))):
        raise InputError(
            f"{at('candidates')}: expected at most the {fewest} operations, none "
            f"more than the one before, found {list(pdarts.candidates)}"
        )


def _override(override: str) -> Any:
    """The nested mapping of one KEY=VALUE."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise InputError(f"--set {override}: expected KEY=VALUE, such as train.epochs=10")
    try:
        nested: Any = documents.load_yaml(text)
    except yaml.YAMLError as error:
        raise InputError(f"--set {override}: {documents.reason(error)}") from error
    for part in reversed(key.split(".")):
        nested = {part: nested}
    return nested


def _read(source: str | Path) -> tuple[Origin, Any]:
    """A preset or a file, and where its fields stand."""
    path = Path(source)
    try:
        known = str(source) in PRESETS and not path.exists()
        text = (PRESETS[str(source)] if known else path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{source}: expected a YAML file or one of {', '.join(PRESETS)}; "
            f"{documents.reason(error)}"
        ) from error
    try:
        values = documents.load_yaml(text)
    except yaml.YAMLError as error:
        raise InputError(f"{source}: not valid YAML: {documents.reason(error)}") from error
    return Origin.of_yaml(str(source), text), {} if values is None else values


def merge(section: Any, values: Any, where: Origin, prefix: str = "") -> Any:
    """`section`, a configuration dataclass, with the fields in `values` replaced.

    InputErrors begin with `where`; `prefix` is the section's own path.
    """
    if not isinstance(values, dict):
        raise InputError(f"{where.at(prefix.rstrip('.') or 'top level')}: expected a mapping")
    types_by_name = typing.get_type_hints(type(section))
    known = {f.name for f in fields(section)}
    changes = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if key not in known:
            raise InputError(
                f"{where.at(name)}: not a field; "
                f"expected {'one of ' if known else 'none'}{', '.join(sorted(known))}"
            )
        current = getattr(section, key)
        if is_dataclass(current):
            changes[key] = merge(current, value, where, f"{name}.")
        else:
            changes[key] = _checked(value, types_by_name[key], name, where)
    try:
        return replace(section, **changes)
    except ValueError as error:
        # Options of a strategy from elsewhere may check themselves.
        raise InputError(f"{where.at(prefix.rstrip('.'))}: {error}") from error


def _checked(value: Any, kind: Any, name: str, where: Origin) -> Any:
    for one in typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,):
        if typing.get_origin(one) is tuple and (value is not None or one is kind):
            return _checked_list(value, typing.get_args(one)[0], name, where)
    if name in _CHOICES and kind is str and not isinstance(value, str):
        value = _as_text(value)
    allowed = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if float in allowed and isinstance(value, str):
        # YAML reads 1e-3 (no dot) as a string.
        try:
            value = float(value)
        except ValueError:
            pass
    if float in allowed and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) not in allowed:
        expected = " or ".join("null" if t is type(None) else t.__name__ for t in allowed)
        raise InputError(f"{where.at(name)}: expected {expected}, found {value!r}")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise InputError(
            f"{where.at(name)}: expected one of {tuple(_CHOICES[name])}, found {value!r}"
        )
    if name == "expect.image" and isinstance(value, str) and not _IMAGE.fullmatch(value):
        raise InputError(f"{where.at(name)}: expected HxWxC, such as 32x32x3, found {value!r}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(value, name, where)
    return value


def _as_text(value: Any) -> Any:
    """The word that YAML took for something else: off for false, 16.16 for a number."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) if isinstance(value, int | float) else value


def _checked_list(value: Any, kind: type, name: str, where: Origin) -> tuple:
    if not isinstance(value, list | tuple):
        raise InputError(f"{where.at(name)}: expected a list, found {value!r}")
    checked = tuple(_checked(item, kind, name, where) for item in value)
    if name in _RISING_TO_ONE:
        if not rises_to_one(checked):
            raise InputError(
                f"{where.at(name)}: expected rising numbers above 0, the last 1, found {value!r}"
            )
    if name in _RISING_BELOW_ONE:
        if not all(a < b for a, b in pairwise((0.0, *checked, 1.0))):
            raise InputError(
                f"{where.at(name)}: expected rising numbers between 0 and 1, found {value!r}"
            )
    return checked


def _check_number(value: float, name: str, where: Origin) -> None:
    section, _, key = name.rpartition(".")
    if section == OPTIONS:
        return
    least = _LEAST.get(key, 0)
    if value != value or value in (float("inf"), float("-inf")) or value < least:
        raise InputError(f"{where.at(name)}: expected at least {least}, found {value!r}")
    if key in _MOST and value > _MOST[key]:
        raise InputError(f"{where.at(name)}: expected at most {_MOST[key]}, found {value!r}")
    if key in _POSITIVE and value == 0:
        raise InputError(f"{where.at(name)}: expected more than 0, found {value!r}")
    if key in _RATES and value >= 1:
        raise InputError(f"{where.at(name)}: expected less than 1, found {value!r}")

"""Genotypes by name or from a file: the published ones, what a search writes, and the text of DARTS
and its followers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from hw import documents
from hw.errors import InputError
from hw.networks import genotype_text
from hw.networks.space import Edge, Genotype

KEYS = ("normal", "normal_concat", "reduce", "reduce_concat")
"""The keys of a genotype.yaml: all four, and no other."""

CIFAR10: dict[str, Any] = {"channels": 36, "cells": 20, "image": (32, 32, 3), "classes": 10}
IMAGENET: dict[str, Any] = {"channels": 48, "cells": 14, "image": (224, 224, 3), "classes": 1000}
"""The networks that published genotypes are counted in (`cells.build`; ImageNet's own stem)."""


@dataclass(frozen=True)
class Published:
    """A genotype from the literature.

    Parameters
    ----------
    source: paper or repository it was taken from
    weights_cifar10: of its CIFAR-10 network: C 36, L 20, 10 classes, 32x32x3
    weights_imagenet: of its ImageNet network: C 48, L 14, 1000 classes, 224x224x3
    """

    name: str
    source: str
    genotype: Genotype
    weights_cifar10: int
    weights_imagenet: int


@cache
def published() -> dict[str, Published]:
    """All published genotypes by name."""
    text = resources.files("hw.networks").joinpath("genotypes.yaml").read_text(encoding="utf-8")
    return {
        name: Published(
            name=name,
            source=entry["source"],
            genotype=from_mapping({key: entry[key] for key in KEYS}),
            weights_cifar10=entry["weights_cifar10_C36_L20"],
            weights_imagenet=entry["weights_imagenet_C48_L14"],
        )
        for name, entry in documents.load_yaml(text).items()
    }


def get(name_or_path: str | Path) -> Genotype:
    """The published genotype of that name, else the one in that file (FILE:NAME: of that name).

    Raises
    ------
    InputError: unknown name, or a file that does not hold a genotype
    """
    known = published()
    if str(name_or_path) in known:
        return known[str(name_or_path)].genotype
    path, name = split(name_or_path)
    if path.exists() or path.suffix in FILES:
        return load(path, name)
    raise InputError(
        f"genotype: {str(name_or_path)!r} is neither a file nor a published genotype; "
        f"give a genotype.yaml, a file with {genotype_text.CALL}(…), or one of {', '.join(known)}"
    )


FILES = (".yaml", ".yml", ".py", ".txt")
"""Endings of names that are those of files, whether there is one or not."""


def split(name_or_path: str | Path) -> tuple[Path, str]:
    """File and name of FILE:NAME; "" where no name is given."""
    path = Path(name_or_path)
    before, colon, name = str(name_or_path).rpartition(":")
    if path.exists() or not colon or not before:
        return path, ""
    return Path(before), name


def load(path: str | Path, name: str = "") -> Genotype:
    """Read a genotype.yaml, or the genotype called `name` in a text of `genotype_text`.

    Raises
    ------
    InputError: naming the file and the key, or the line, where it does not hold one
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        if Path(path).suffix not in (".yaml", ".yml") and genotype_text.is_text(text):
            return _of_text(text, path, name)
        if name:
            raise InputError(
                f"{path}:{name}: no {genotype_text.CALL}(…) in the file; leave the name out"
            )
        content = documents.load_yaml(text)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a genotype.yaml") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file; give a genotype.yaml") from error
    except yaml.YAMLError as error:
        reason = documents.reason(error)
        raise InputError(f"{path}: not valid YAML: {reason}; give a genotype.yaml") from error
    try:
        return from_mapping(content)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _of_text(text: str, path: str | Path, name: str) -> Genotype:
    try:
        line, content = genotype_text.read(text, name)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    try:
        return from_mapping(content)
    except InputError as error:
        raise InputError(f"{path}: line {line}: {error}") from error


def from_mapping(content: Any) -> Genotype:
    """The genotype in a mapping of the four `KEYS`; InputError naming the key that is wrong."""
    if not isinstance(content, Mapping):
        raise InputError(f"genotype: expected the keys {', '.join(KEYS)}")
    for key in KEYS:
        if key not in content:
            raise InputError(f"{key}: missing; a genotype has the keys {', '.join(KEYS)}")
    for key in content:
        if key not in KEYS:
            raise InputError(f"{key}: not a key of a genotype; it has {', '.join(KEYS)}")
    return Genotype(
        normal=_edges("normal", content["normal"]),
        normal_concat=_states("normal_concat", content["normal_concat"]),
        reduce=_edges("reduce", content["reduce"]),
        reduce_concat=_states("reduce_concat", content["reduce_concat"]),
    )


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _edges(key: str, value: Any) -> tuple[Edge, ...]:
    if not isinstance(value, list | tuple):
        raise InputError(f"{key}: expected a list of [operation, state]")
    for position, edge in enumerate(value):
        match edge:
            case [str(), state] if _is_index(state):
                continue
        raise InputError(f"{key}: edge {position}: {edge!r}; expected [operation, state]")
    return tuple((operation, state) for operation, state in value)


def _states(key: str, value: Any) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or not all(map(_is_index, value)):
        raise InputError(f"{key}: {value!r}; expected a list of states, such as [2, 3, 4, 5]")
    return tuple(value)


def to_mapping(genotype: Genotype) -> dict[str, list[Any]]:
    """The four `KEYS` in plain lists, for YAML or JSON; `from_mapping` reads it back."""
    return {
        "normal": [list(edge) for edge in genotype.normal],
        "normal_concat": list(genotype.normal_concat),
        "reduce": [list(edge) for edge in genotype.reduce],
        "reduce_concat": list(genotype.reduce_concat),
    }


def to_yaml(genotype: Genotype) -> str:
    """Text of a genotype.yaml, one edge a line, as the published ones are written."""
    lines = []
    for key, value in to_mapping(genotype).items():
        if key.endswith("concat"):
            lines.append(f"{key}: [{', '.join(map(str, value))}]")
        else:
            lines += [f"{key}:", *(f"  - [{operation}, {state}]" for operation, state in value)]
    return "\n".join(lines) + "\n"

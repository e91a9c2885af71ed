"""The zoo: the networks that the paper compares, built and counted beside its figures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from hw import documents
from hw.ir.graph import Graph
from hw.networks import genotypes
from hw.networks.cells import Stem, build
from hw.networks.conventional import MODELS, model
from hw.networks.conventional.sizes import Sizes
from hw.networks.counts import Count, count
from hw.networks.guesses import Guess, Tried

IMAGENET_TABLES = (2, 7)


@dataclass(frozen=True)
class Row:
    """A network of one of the tables.

    Parameters
    ----------
    name: as the paper has it
    network: conventional network or published genotype that is counted; c100: where the CIFAR-100
        column is of another
    width: see `Sizes`; channels: C of a genotype's cells, where it is not that of all
    weights, weights100, additions: the paper's figures, in millions; None where it gives none
    accuracy: the paper's, in percent, by what it is of
    deviation: its standard deviation, in points, where the paper gives one
    note: where and why our count differs
    tried: what was tried to find the paper's figures
    """

    name: str
    network: str
    c100: str | None = None
    width: float = 1.0
    channels: int | None = None
    weights: float | None = None
    weights100: float | None = None
    additions: float | None = None
    accuracy: Mapping[str, float] = field(default_factory=dict)
    deviation: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    tried: tuple[Guess, ...] = ()

    def paper(self, classes: int) -> float | None:
        """The paper's weights, in millions, of the column of so many classes."""
        return self.weights100 if classes == 100 else self.weights


@dataclass(frozen=True)
class Table:
    """One of the paper's tables; `imagenet`: of ImageNet's shapes, else of CIFAR's."""

    number: int
    title: str
    imagenet: bool
    rows: tuple[Row, ...]


@cache
def tables() -> dict[int, Table]:
    """Tables 1, 2, 3 and 7, by number."""
    text = resources.files("hw.networks").joinpath("zoo.yaml").read_text(encoding="utf-8")
    found: dict[int, Any] = documents.load_yaml(text)
    return {
        number: Table(
            number,
            table["title"],
            number in IMAGENET_TABLES,
            tuple(_row(row) for row in table["rows"]),
        )
        for number, table in found.items()
    }


def _row(entry: dict[str, Any]) -> Row:
    return Row(**{**entry, "tried": tuple(Guess(**guess) for guess in entry.get("tried", ()))})


def graph(row: Row, *, imagenet: bool, classes: int) -> Graph:
    """The network of a row for images of 224x224 or 32x32 pixels, of three channels."""
    return _network(_plain(row, classes), row, imagenet=imagenet)


def _plain(row: Row, classes: int) -> Guess:
    """A row's own count, as the guess that changes nothing."""
    name = row.c100 if classes == 100 and row.c100 is not None else row.network
    return Guess(what="", classes=classes, network=name)


def _network(guess: Guess, row: Row, *, imagenet: bool) -> Graph:
    plain = _plain(row, guess.classes)
    name = guess.network or plain.network
    classes = guess.built_for or guess.classes
    shapes = genotypes.IMAGENET if imagenet else genotypes.CIFAR10
    stem = Stem.IMAGENET if imagenet else Stem.CIFAR
    if name in MODELS:
        return model(name, Sizes(shapes["image"], classes, stem, row.width))
    channels = guess.channels or row.channels or shapes["channels"]
    cells = guess.cells or shapes["cells"]
    genotype = guess.change(genotypes.published()[name].genotype)
    sizes = {**shapes, "channels": channels, "cells": cells, "classes": classes}
    return build(genotype, **sizes, stem=stem)


def counts(row: Row, table: Table) -> dict[int, Count]:
    """By number of classes: of CIFAR-10 and CIFAR-100, or of ImageNet."""
    classes = (1000,) if table.imagenet else (10, 100)
    return {n: count(graph(row, imagenet=table.imagenet, classes=n)) for n in classes}


def tried(row: Row, table: Table) -> list[Tried]:
    """What was tried to find a row's figures in the paper, counted."""
    found = []
    for guess in row.tried:
        paper = row.paper(guess.classes)
        assert paper is not None, f"{row.name}: no figure of {guess.classes} classes"
        size = count(_network(guess, row, imagenet=table.imagenet))
        found.append(Tried(guess, guess.weights(size), paper))
    return found

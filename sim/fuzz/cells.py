"""A network of cells as a fuzz case describes it: a genotype and its sizes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hw.ir.graph import Graph, Shape
from hw.networks import genotypes
from hw.networks.cells import LEAST_CHANNELS, Stem, build
from sim.fuzz.lower import below


@dataclass(frozen=True)
class Cells:
    """Parameters of `hw.networks.cells.build`.

    Parameters
    ----------
    genotype: the four keys of a genotype.yaml, in plain lists
    stem, channels, cells: as there
    """

    genotype: Mapping[str, Any]
    stem: str
    channels: int
    cells: int

    def graph(self, image: Shape, classes: int) -> Graph:
        """The whole graph, unread nodes among it."""
        return build(
            genotypes.from_mapping(self.genotype),
            channels=self.channels,
            cells=self.cells,
            image=image,
            classes=classes,
            stem=self.stem,
        )

    def as_dict(self) -> dict[str, Any]:
        """In plain lists and mappings, for JSON."""
        genotype = {key: list(map(_plain, self.genotype[key])) for key in genotypes.KEYS}
        return {
            "genotype": genotype,
            "stem": self.stem,
            "channels": self.channels,
            "cells": self.cells,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Cells":
        """What `as_dict` wrote; InputError for a genotype that is none."""
        genotype = genotypes.to_mapping(genotypes.from_mapping(content["genotype"]))
        return cls(**{**content, "genotype": genotype})

    def simpler(self) -> Iterator["Cells"]:
        """Networks with fewer cells, nodes, operations, channels."""
        for cells in below(self.cells):
            yield replace(self, cells=cells)
        if self.stem != Stem.CIFAR:
            yield replace(self, stem=str(Stem.CIFAR))
        for genotype in _genotypes(self.genotype):
            yield replace(self, genotype=genotype)
        for channels in below(self.channels, LEAST_CHANNELS[Stem(self.stem)]):
            yield replace(self, channels=channels)


def _plain(edge: Any) -> Any:
    return list(edge) if isinstance(edge, list | tuple) else edge


def _genotypes(genotype: Any) -> Iterator[dict[str, Any]]:
    """Fewer nodes, fewer of them concatenated, skips for operations, nearer states."""
    for key in ("normal", "reduce"):
        edges, concat = genotype[key], genotype[f"{key}_concat"]
        nodes = len(edges) // 2
        for kept in below(nodes):
            states = [state for state in concat if state < 2 + kept] or [1 + kept]
            yield {**genotype, key: edges[: 2 * kept], f"{key}_concat": states}
        if len(concat) > 1:
            for state in concat:
                yield {**genotype, f"{key}_concat": [one for one in concat if one != state]}
        for position, (operation, state) in enumerate(edges):
            if operation != "skip_connect":
                yield {**genotype, key: _put(edges, position, ["skip_connect", state])}
            for lower in below(state, 0):
                yield {**genotype, key: _put(edges, position, [operation, lower])}


def _put(edges: Sequence[Any], position: int, edge: list[Any]) -> list[Any]:
    return [*edges[:position], edge, *edges[position + 1 :]]

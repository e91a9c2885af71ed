"""What a fuzz run has been through: counts, and which values of each axis were hit."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hw.ir.graph import Graph
from hw.ir.parameters import Rounding
from hw.networks.cells import Stem
from hw.networks.space import OPERATIONS
from sim.coverage.store import Coverage
from sim.fuzz.case import Case, graph_of
from sim.fuzz.plan_edits import POLICIES
from sim.fuzz.workers import Result
from sim.level import Level

_AXES: dict[str, list[Any]] = {
    "stem": [*map(str, Stem)],
    "nodes in a cell": [1, 2, 3, 4, 5, 6],
    "cells": [1, 2, 3, 4, 5],
    "channels": list(range(1, 9)),
    "image channels": [1, 2, 3, 4],
    "shortest side": list(range(1, 9)),
    "activation bits": ["2 or 3", *range(4, 17), "17 to 31", 32, "paper"],
    "scale terms": [1, 2, 3, 4],
    "guard bits": ["exact", *range(9), "9 to 20", "21 to 32"],
    "rounding": list(Rounding),
    "weight bits": [5, 6],
    **{f"plan: {name}": list(known) for name, known in POLICIES.items()},
    "stalls": ["none", "below 0.5", "0.5 and more"],
    "scales": ["positive", "half of them negative", "negative"],
    "weights": ["fixed", "loaded"],
    "level": [*map(str, Level)],
}


def axes() -> dict[str, list[Any]]:
    """What is varied, and the values that a long run should meet."""
    strided = [f"{operation}/{stride}" for operation in OPERATIONS for stride in (1, 2)]
    return {"operation/stride": strided, **_AXES}


@dataclass
class Tally:
    """Counts over the cases so far.

    Parameters
    ----------
    cases, failed, refused: cases run, cases that failed, draws that the formats refused
    frames, beats, bits, layers, cycles, cpu_seconds: sums over the cases that passed
    mismatches: cases with bits that differ
    hits: axis -> value -> cases
    coverage: situations that the cases have been through
    """

    cases: int = 0
    failed: int = 0
    refused: int = 0
    mismatches: int = 0
    frames: int = 0
    beats: int = 0
    bits: int = 0
    layers: int = 0
    cycles: int = 0
    cpu_seconds: float = 0.0
    hits: dict[str, Counter] = field(default_factory=lambda: {axis: Counter() for axis in axes()})
    failures: list[dict[str, Any]] = field(default_factory=list)
    coverage: Coverage = field(default_factory=Coverage)

    def add(self, result: Result) -> None:
        outcome = result.outcome
        self.cases += 1
        self.refused += outcome.refused
        self.frames += outcome.frames
        self.beats += outcome.beats
        self.bits += outcome.bits
        self.layers += outcome.layers
        self.cycles += outcome.cycles
        self.cpu_seconds += outcome.cpu_seconds
        if outcome.coverage is not None:
            self.coverage.add(outcome.coverage.campaign())
        for axis, values in values_of(outcome.case).items():
            self.hits[axis].update(values)
        if outcome.failure is not None:
            self.failed += 1
            self.mismatches += outcome.failure.kind == "mismatch"
            self.failures.append(
                {
                    "number": outcome.number,
                    "kind": outcome.failure.kind,
                    "message": outcome.failure.message,
                    "folder": str(result.folder) if result.folder else None,
                    "reproduced": result.said,
                }
            )

    def missing(self) -> dict[str, list[Any]]:
        """Values of each axis that no case had."""
        gaps = {
            axis: [value for value in known if not self.hits[axis][value]]
            for axis, known in axes().items()
        }
        return {axis: values for axis, values in gaps.items() if values}

    def as_dict(self) -> dict[str, Any]:
        """For JSON; keys of `hits` are text."""
        names = ("cases", "failed", "refused", "mismatches", "frames", "beats", "bits", "layers")
        return {
            **{name: getattr(self, name) for name in names},
            "cycles": self.cycles,
            "cpu_seconds": round(self.cpu_seconds, 1),
            "hits": {
                axis: {str(value): self.hits[axis][value] for value in known}
                for axis, known in axes().items()
            },
            "missing": {axis: list(map(str, gaps)) for axis, gaps in self.missing().items()},
            "failures": self.failures,
        }


def values_of(case: Case) -> Mapping[str, set[Any]]:
    """The values that a case has on each axis."""
    graph = graph_of(case)
    plan = {f"plan: {name}": {getattr(case.plan, name)} for name in POLICIES}
    stall = "none" if not case.stall else "below 0.5" if case.stall < 0.5 else "0.5 and more"
    return {
        "operation/stride": set(_operations(case, graph)),
        "stem": {case.stem},
        "nodes in a cell": {len(case.genotype[key]) // 2 for key in ("normal", "reduce")},
        "cells": {case.cells},
        "channels": {case.channels},
        "image channels": {case.image[2]},
        "shortest side": {min(case.image[:2])},
        "activation bits": {_activation_bits(case)},
        "scale terms": {case.scale_terms},
        "guard bits": {_guard_bits(case.guard)},
        "rounding": {case.rounding},
        "weight bits": {case.weight_bits},
        **plan,
        "stalls": {stall},
        "scales": {_AXES["scales"][round(2 * case.negative)]},
        "weights": {"loaded" if case.loaded else "fixed"},
        "level": {case.level},
    }


def _activation_bits(case: Case) -> int | str:
    if case.paper:
        return "paper"
    if case.act_bits < 4:
        return "2 or 3"
    return "17 to 31" if 16 < case.act_bits < 32 else case.act_bits


def _guard_bits(guard: int | None) -> int | str:
    if guard is None:
        return "exact"
    return guard if guard <= 8 else "9 to 20" if guard <= 20 else "21 to 32"


def _operations(case: Case, graph: Graph) -> Iterator[str]:
    """Operation and stride of every edge that is left in the graph."""
    names = {node.name for node in graph}
    for cell in range(case.cells):
        reduction = cell in (case.cells // 3, 2 * case.cells // 3)
        edges = case.genotype["reduce" if reduction else "normal"]
        for position, (operation, state) in enumerate(edges):
            if f"cell{cell}/node{2 + position // 2}" in names:
                yield f"{operation}/{2 if reduction and state < 2 else 1}"

"""What a fuzz run has been through: counts, and which values of each axis were hit."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

from hw.ir.clip import Clip
from hw.ir.graph import (
    Add,
    AvgPool,
    Concat,
    Conv,
    FactorizedReduce,
    Graph,
    MaxPool,
    Rounded,
    Select,
    Windowed,
)
from hw.ir.parameters import Rounding
from hw.networks.cells import Stem
from hw.networks.conventional import MODELS
from hw.networks.space import OPERATIONS
from sim.coverage.store import Coverage
from sim.fuzz.case import NETS, Case, graph_of
from sim.fuzz.cells import Cells
from sim.fuzz.grids import OVERLAYS
from sim.fuzz.layers import Head, Kind, Layers, Own
from sim.fuzz.models import Model
from sim.fuzz.plan_edits import POLICIES
from sim.fuzz.workers import Result
from sim.level import Level

_AXES: dict[str, list[Any]] = {
    "network": list(NETS),
    "model": list(MODELS),
    "layer": list(Kind),
    "clip": ["none", *map(str, Clip)],
    "beside weights": list(Own),
    "groups": ["one", "some", "depthwise"],
    "kernel": list(range(1, 8)),
    "stride": [1, 2, 3],
    "window": ["square", "not square", "strides differ", "uneven padding", "dilated"],
    "head": list(Head),
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
    "widths": ["one", "mixed"],
    "overlay": ["none", *OVERLAYS],
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
        apart = self._apart()
        return {axis: values for axis, values in gaps.items() if values and axis not in apart}

    def _apart(self) -> set[str]:
        """Axes of hardware of another style than all cases had."""
        dataflow, cases = self.hits["overlay"]["none"], self.hits["overlay"].total()
        plans = {axis for axis in self.hits if axis.startswith("plan: ")} | {"weights"}
        return {"overlay"} if dataflow == cases else set() if dataflow else plans

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
    plan = {f"plan: {name}": {getattr(case.plan, name)} for name in POLICIES}
    stall = "none" if not case.stall else "below 0.5" if case.stall < 0.5 else "0.5 and more"
    return {
        **_of_net(case),
        "network": {case.kind},
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
        "widths": {"mixed" if case.mixed else "one"},
        "overlay": {case.overlay or "none"},
    }


def _of_net(case: Case) -> Mapping[str, set[Any]]:
    match case.net:
        case Cells() as net:
            return {
                "operation/stride": set(_operations(net, graph_of(case))),
                "stem": {net.stem},
                "nodes in a cell": {len(net.genotype[key]) // 2 for key in ("normal", "reduce")},
                "cells": {net.cells},
                "channels": {net.channels},
            }
        case Model() as net:
            return {"model": {net.name}, "stem": {net.stem}}
        case Layers() as net:
            return {"head": {net.head}, **_of_layers(graph_of(case))}
    assert_never(case.net)


def _of_layers(graph: Graph) -> Mapping[str, set[Any]]:
    """Of the nodes that are left, whatever their steps asked for."""
    convs = [node for node in graph if isinstance(node, Conv)]
    windows = [node for node in graph if isinstance(node, Windowed)]
    groups = {
        "one" if node.groups == 1 else "depthwise" if node.groups == depth else "some"
        for node in convs
        for ((_, _, depth),) in [graph.in_shapes(node)]
    }
    shapes = {"square" if one.kernel[0] == one.kernel[1] else "not square" for one in windows}
    shapes |= {"strides differ" for one in windows if one.stride[0] != one.stride[1]}
    shapes |= {"uneven padding" for one in windows if not one.is_even}
    shapes |= {"dilated" for one in convs if one.dilation != (1, 1)}
    return {
        "layer": {_KINDS[type(node)] for node in graph if type(node) in _KINDS},
        "clip": {str(node.clip or "none") for node in graph if isinstance(node, Rounded)},
        "beside weights": {
            Own.NORM if node.batch_norm else Own.BIAS if node.bias else Own.NOTHING
            for node in convs
        },
        "groups": groups,
        "kernel": {side for one in windows for side in one.kernel if side <= 7},
        "stride": {side for one in windows for side in one.stride},
        "window": shapes,
    }


_KINDS = {
    Conv: Kind.CONV,
    FactorizedReduce: Kind.REDUCE,
    MaxPool: Kind.MAX_POOL,
    AvgPool: Kind.AVG_POOL,
    Select: Kind.SELECT,
    Add: Kind.ADD,
    Concat: Kind.CONCAT,
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


def _operations(net: Cells, graph: Graph) -> Iterator[str]:
    """Operation and stride of every edge that is left in the graph."""
    names = {node.name for node in graph}
    for cell in range(net.cells):
        reduction = cell in (net.cells // 3, 2 * net.cells // 3)
        edges = net.genotype["reduce" if reduction else "normal"]
        for position, (operation, state) in enumerate(edges):
            if f"cell{cell}/node{2 + position // 2}" in names:
                yield f"{operation}/{2 if reduction and state < 2 else 1}"

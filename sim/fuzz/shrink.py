"""Makes a failing case smaller while it fails in the same way.

Greedy over the description: a simplification that keeps the kind of failure is taken, bold ones
first, until none is left or the time is up.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from hw.ir.parameters import Rounding
from hw.networks.cells import LEAST_CHANNELS, Stem
from sim.fuzz.case import Case, as_dict
from sim.fuzz.plan_edits import POLICIES, PlanEdits
from sim.fuzz.run import Outcome, Refused, run

SEEDS = (0, 1)
"""Added to a case's seed: a smaller network has other weights, which may hide the failure."""

Runner = Callable[[Case], Outcome]


def shrink(outcome: Outcome, seconds: float, runner: Runner = run) -> tuple[Outcome, int]:
    """The smallest case found that fails as `outcome` does, and how many were run on the way.

    No case is begun after `seconds`.
    """
    end = time.monotonic() + seconds
    seen = {_key(outcome.case)}
    tried = 0
    progress = True
    while progress:
        progress = False
        for case in _with_seeds(simpler(outcome.case)):
            if time.monotonic() >= end:
                return outcome, tried
            if _key(case) in seen:
                continue
            seen.add(_key(case))
            tried += 1
            found = _failing(case, outcome, runner)
            if found is not None:
                outcome, progress = found, True
                break
    return outcome, tried


def _key(case: Case) -> str:
    return json.dumps(as_dict(case), sort_keys=True)


def _with_seeds(cases: Iterator[Case]) -> Iterator[Case]:
    for case in cases:
        for step in SEEDS:
            yield replace(case, seed=case.seed + step)


def _failing(case: Case, like: Outcome, runner: Runner) -> Outcome | None:
    """The outcome of a case if it fails as `like` does."""
    try:
        outcome = runner(case)
    except Refused:
        return None
    assert like.failure is not None
    same = outcome.failure is not None and outcome.failure.kind == like.failure.kind
    return replace(outcome, number=like.number, refused=like.refused) if same else None


def simpler(case: Case) -> Iterator[Case]:
    """Cases that differ from `case` by one simplification, bold ones first.

    Each is simpler by a measure that only falls: shrinking ends.
    """
    calm = replace(case, stall=0.0, plan=PlanEdits(), frames=case.frames[:1])
    for found in (calm, *_calmer(case), *_smaller(case), *_plainer(case)):
        if found != case:
            yield found


def _calmer(case: Case) -> Iterator[Case]:
    """Less around the network: stalls, frames, edits of the plan."""
    yield replace(case, stall=0.0)
    yield replace(case, loaded=False)
    yield replace(case, plan=PlanEdits())
    for field in POLICIES:
        if getattr(case.plan, field) != "proposed":
            yield replace(case, plan=replace(case.plan, **{field: "proposed"}))
    if len(case.frames) > 1:
        for frame in case.frames:
            yield replace(case, frames=(frame,))
        yield replace(case, frames=case.frames[:-1])


def _smaller(case: Case) -> Iterator[Case]:
    """Less network: cells, nodes, operations, channels, pixels."""
    for cells in _below(case.cells):
        yield replace(case, cells=cells)
    if case.stem != Stem.CIFAR:
        yield replace(case, stem=str(Stem.CIFAR))
    for genotype in _genotypes(case.genotype):
        yield replace(case, genotype=genotype)
    least = LEAST_CHANNELS[Stem(case.stem)]
    for channels in _below(case.channels, least):
        yield replace(case, channels=channels)
    for classes in _below(case.classes):
        yield replace(case, classes=classes)
    for axis, value in enumerate(case.image):
        for side in _below(value):
            height, width, depth = (*case.image[:axis], side, *case.image[axis + 1 :])
            yield replace(case, image=(height, width, depth))


def _below(value: int, least: int = 1) -> list[int]:
    """Smaller values: the least, the half, one less."""
    return sorted({least, (value + least) // 2, value - 1} - {value, least - 1})


def _genotypes(genotype: Any) -> Iterator[dict[str, Any]]:
    """Fewer nodes, fewer of them concatenated, skips for operations, nearer states."""
    for key in ("normal", "reduce"):
        edges, concat = genotype[key], genotype[f"{key}_concat"]
        nodes = len(edges) // 2
        for kept in _below(nodes):
            states = [state for state in concat if state < 2 + kept] or [1 + kept]
            yield {**genotype, key: edges[: 2 * kept], f"{key}_concat": states}
        if len(concat) > 1:
            for state in concat:
                yield {**genotype, f"{key}_concat": [one for one in concat if one != state]}
        for position, (operation, state) in enumerate(edges):
            if operation != "skip_connect":
                yield {**genotype, key: _put(edges, position, ["skip_connect", state])}
            for lower in _below(state, 0):
                yield {**genotype, key: _put(edges, position, [operation, lower])}


def _put(edges: Sequence[Any], position: int, edge: list[Any]) -> list[Any]:
    return [*edges[:position], edge, *edges[position + 1 :]]


def _plainer(case: Case) -> Iterator[Case]:
    """Plainer formats."""
    yield replace(case, negative=0.0)
    if case.paper:
        plain = replace(case, paper=False, act_bits=8, guard=None, weight_bits=5)
        yield replace(plain, rounding=Rounding.HALF_UP)
        return
    for bits in (4, 8, 16, 24):
        if bits < case.act_bits:
            yield replace(case, act_bits=bits)
    yield replace(case, rounding=Rounding.HALF_UP)
    for terms in _below(case.scale_terms):
        yield replace(case, scale_terms=terms)
    if case.guard is not None:
        yield replace(case, guard=None)
    if case.weight_bits != 5:
        yield replace(case, weight_bits=5)

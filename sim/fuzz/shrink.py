"""Makes a failing case smaller while it fails in the same way.

Greedy over the description: a simplification that keeps the kind of failure is taken, bold ones
first, until none is left or the time is up.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from hw.errors import InputError
from hw.ir.parameters import Rounding
from sim.fuzz.case import Case, as_dict, graph_of
from sim.fuzz.grids import PLAIN
from sim.fuzz.lower import below
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
    if case.overlay not in ("", PLAIN):
        yield replace(case, overlay=PLAIN)
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
    """Less network: parts, classes, pixels."""
    for net in case.net.simpler():
        yield from _valid(replace(case, net=net))
    for classes in below(case.classes):
        yield replace(case, classes=classes)
    for axis, value in enumerate(case.image):
        for side in below(value):
            height, width, depth = (*case.image[:axis], side, *case.image[axis + 1 :])
            yield from _valid(replace(case, image=(height, width, depth)))


def _valid(case: Case) -> Iterator[Case]:
    """The case, unless its images are too small for it."""
    try:
        graph_of(case)
    except InputError:
        return
    yield case


def _plainer(case: Case) -> Iterator[Case]:
    """Plainer formats."""
    yield replace(case, negative=0.0)
    yield replace(case, mixed=False)
    if case.paper:
        plain = replace(case, paper=False, act_bits=8, guard=None, weight_bits=5)
        yield replace(plain, rounding=Rounding.HALF_UP)
        return
    for bits in (4, 8, 16, 24):
        if bits < case.act_bits:
            yield replace(case, act_bits=bits)
    yield replace(case, rounding=Rounding.HALF_UP)
    for terms in below(case.scale_terms):
        yield replace(case, scale_terms=terms)
    if case.guard is not None:
        yield replace(case, guard=None)
    if case.weight_bits != 5:
        yield replace(case, weight_bits=5)

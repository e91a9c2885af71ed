"""What strategies answer, checked: one of a plug-in may answer anything."""

from typing import Any

from hw.errors import InputError
from hw.networks.space import Genotype
from nas.cell import Candidates
from nas.strategies.strategy import Architecture, Evaluate, Stage, Strategy

CANDIDATES = "the candidates of two cells, a tuple of names an edge"

MOST_SHOWN = 60
"""Characters of what was found instead."""


def require_whole(strategy: Strategy) -> None:
    """InputError where `strategy`, just made, has no stages or no candidates to begin with."""
    stages = getattr(strategy, "stages", None)
    whole = isinstance(stages, tuple) and all(isinstance(stage, Stage) for stage in stages)
    if not whole or not stages:
        raise _wrong(strategy, "stages", "a tuple of one Stage or more", stages)
    start = getattr(strategy, "start", None)
    if not _are_candidates(start):
        raise _wrong(strategy, "start", CANDIDATES, start)


def architecture(strategy: Strategy, index: int, candidates: Candidates) -> Architecture:
    """Of stage `index`; InputError where it is none."""
    found = strategy.architecture(index, candidates)
    if not isinstance(found, Architecture):
        raise _wrong(strategy, "architecture()", "an Architecture", found)
    return found


def retained(strategy: Strategy, last: Architecture, evaluate: Evaluate) -> Candidates:
    """Candidates of the next stage; InputError where they are none."""
    found = strategy.retained(last, evaluate)
    if not _are_candidates(found):
        raise _wrong(strategy, "retained()", CANDIDATES, found)
    return found


def choose(strategy: Strategy, last: Architecture, evaluate: Evaluate) -> Genotype:
    """The genotype found; InputError where it is none."""
    found = strategy.choose(last, evaluate)
    if not isinstance(found, Genotype):
        raise _wrong(strategy, "choose()", "a Genotype", found)
    return found


def _are_candidates(found: Any) -> bool:
    return (
        isinstance(found, tuple)
        and len(found) == 2
        and all(isinstance(cell, tuple) and cell for cell in found)
        and all(isinstance(edge, tuple) for cell in found for edge in cell)
    )


def _wrong(strategy: Strategy, member: str, expected: str, found: Any) -> InputError:
    own = type(strategy)
    shown = " ".join(repr(found).split())
    if len(shown) > MOST_SHOWN:
        shown = f"a {type(found).__name__}"
    return InputError(
        f"strategy {own.name}: {own.__module__}.{own.__qualname__}: {member}: expected {expected}, "
        f"found {shown}"
    )

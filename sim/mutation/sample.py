"""Which mutants are tried: spread over all kinds and all sorts of modules, the same for a seed."""

import random
from collections.abc import Iterator, Sequence

from sim.mutation.sites import Mutant, Site, role


def sample(found: Sequence[Site], count: int, seed: int) -> list[Mutant]:
    """`count` mutants (or all there are), at most one a line, in the order of the text.

    Kinds take turns; within a kind, roles of modules (window, elements, fifo, …) do; which site
    and which change of it is drawn.
    """
    rng = random.Random(seed)
    strata: dict[str, dict[str, list[Site]]] = {}
    for site in found:
        strata.setdefault(site.kind, {}).setdefault(role(site.statement.module), []).append(site)
    # The rare kinds choose first: there may be but one line for them. Two kinds may have the same
    # one; which of them gets it is drawn.
    rarest = sorted(strata, key=lambda kind: (sum(map(len, strata[kind].values())), rng.random()))
    turns = [_turns(strata[kind], rng) for kind in rarest]
    chosen: dict[int, Mutant] = {}
    while turns and len(chosen) < count:
        for turn in list(turns):
            site = next((site for site in turn if site.statement.line not in chosen), None)
            if site is None:
                turns.remove(turn)
            elif len(chosen) < count:
                statement = site.statement
                chosen[statement.line] = Mutant(
                    site.kind, statement.module, statement.line, site.before, rng.choice(site.after)
                )
    return [chosen[line] for line in sorted(chosen)]


def _turns(roles: dict[str, list[Site]], rng: random.Random) -> Iterator[Site]:
    """All sites of a kind, the roles in turn, within a role at random."""
    for sites in roles.values():
        rng.shuffle(sites)
    piles = list(roles.values())
    rng.shuffle(piles)
    while piles:
        for pile in list(piles):
            if pile:
                yield pile.pop()
            else:
                piles.remove(pile)

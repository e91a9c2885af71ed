"""Draws fuzz cases: one seed and one number give one case, for ever."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from hw.errors import InputError
from hw.ir.graph import Conv, FactorizedReduce, Graph, Linear, Shape
from hw.ir.parameters import Rounding
from hw.ir.validate import MAX_GUARD
from hw.networks import genotypes
from hw.networks.cells import LEAST_CHANNELS, Stem
from hw.networks.conventional import MODELS
from hw.networks.space import OPERATIONS
from hw.verilog.rtl_folder import DATAFLOW, OVERLAY
from sim.fuzz import draw_layers
from sim.fuzz.case import Case, graph_of
from sim.fuzz.cells import Cells
from sim.fuzz.dice import Dice
from sim.fuzz.images import KINDS
from sim.fuzz.models import Model
from sim.fuzz.overlays import suited
from sim.fuzz.plan_edits import POLICIES, PlanEdits

MOST_NODES = ((45, 9), (90, 1))
"""Layers of a drawn network at the most, and how often: each is a module to elaborate and
compile."""

MOST_STEPS = 60_000
"""Weights times output pixels of a drawn network at the most: about the cycles of a frame."""

SIDES = ((1, 3), (2, 3), (3, 4), (4, 3), (5, 4), (6, 3), (7, 4), (8, 3), (9, 3), (11, 2), (13, 2))
CHANNELS = ((1, 3), (2, 5), (3, 3), (4, 2), (5, 1), (6, 1), (7, 1), (8, 1))
CELLS = ((1, 6), (2, 4), (3, 5), (4, 2), (5, 2))
NODES = ((1, 1), (2, 3), (3, 3), (4, 5), (5, 4), (6, 1))
KINDS_OF_NET = (("cells", 5), ("layers", 4), ("model", 2))
MODEL_WIDTHS = tuple(1 / share for share in (128, 64, 48, 32, 24, 16, 8))
WIDE = ((2, 1), (3, 1), *((bits, 1) for bits in range(17, 32)), (32, 12))
LEVELS = (("network", 7), ("cell", 1), ("op", 1), ("pe", 1))
CLASSES = ((1, 2), (2, 3), (3, 3), (10, 4), (33, 1))
"""Values, and how often each is drawn."""


def draw(
    seed: int, number: int, attempt: int = 0, of: str | None = None, style: str = DATAFLOW
) -> Case:
    """Case `number` of a seed; `attempt` counts the ones before that the formats refused.

    `of`: its network's kind, one of `NETS`; None: drawn too. `style`: of the hardware; on an
    overlay it is the same network, with formats, images and hardware of its own.
    """
    dice = Dice(f"case/{seed}/{number}/{attempt}")
    most = dice.weighted(MOST_NODES)
    while True:
        case = _later(dice, _any(dice))
        graph = graph_of(case)
        if len(graph) <= most and steps(graph) <= MOST_STEPS:
            break
    case = _any_width(Dice(f"width/{seed}/{number}/{attempt}"), case)
    case = _any_net(Dice(f"net/{seed}/{number}/{attempt}"), case, of, most)
    return suited(case, f"{seed}/{number}/{attempt}") if style == OVERLAY else case


def attempts(
    seed: int, number: int, of: str | None = None, style: str = DATAFLOW
) -> Iterator[Case]:
    """The case, then what takes its place should the formats refuse it."""
    attempt = 0
    while True:
        yield draw(seed, number, attempt, of, style)
        attempt += 1


def _any(dice: Dice) -> Case:
    """A case of any size."""
    stem = dice.choice(tuple(Stem))
    channels = max(dice.weighted(CHANNELS), LEAST_CHANNELS[stem])
    return Case(
        net=Cells(
            genotype=_genotype(dice),
            stem=str(stem),
            channels=channels,
            cells=dice.weighted(CELLS),
        ),
        image=_image(dice, stem),
        classes=dice.integer(1, 33) if dice.chance(0.3) else dice.weighted(CLASSES),
        **_formats(dice),
        seed=dice.integer(1, 10**6),
        plan=_plan(dice),
        frames=tuple(dice.choice(list(KINDS)) for _ in range(dice.integer(1, 4))),
        stall=0.0 if dice.chance(0.15) else dice.integer(1, 90) / 100,
    )


def _later(dice: Dice, case: Case) -> Case:
    """Fields that came later: what was drawn before them stays what it was."""
    case = replace(case, negative=dice.choice((0.5, 1.0)) if dice.chance(0.2) else 0.0)
    case = replace(case, loaded=dice.chance(0.2), level=dice.weighted(LEVELS))
    if dice.chance(0.15):
        net = case.net
        assert isinstance(net, Cells)
        key = dice.choice(("normal", "reduce"))
        edges = list(net.genotype[key])
        node = dice.integer(0, len(edges) // 2 - 1)
        # State 2 and later: at stride 1 a skip is the state itself.
        skip = ["skip_connect", dice.integer(min(2, 1 + node), 1 + node)]
        edges[2 * node : 2 * node + 2] = [skip, skip]
        case = replace(case, net=replace(net, genotype={**net.genotype, key: edges}))
    return case


def _any_width(dice: Dice, case: Case) -> Case:
    """Roundings and wide numbers came later still, from dice of their own. In 32 bits with guard
    bits or exact products layers compute in more than 63 bits."""
    if case.paper:
        return replace(case, rounding=Rounding.FLOOR)
    if dice.chance(0.2):
        case = replace(case, rounding=Rounding.FLOOR)
    if dice.chance(0.2):
        guard = None if dice.chance(0.4) else dice.integer(0, MAX_GUARD)
        case = replace(case, act_bits=dice.weighted(WIDE), guard=guard)
    return case


def _any_net(dice: Dice, case: Case, of: str | None, most: int) -> Case:
    """Other networks than cells came last, from dice of their own: formats, plan, images and stalls
    are those of the case."""
    drawn = dice.weighted(KINDS_OF_NET)
    kind = of or drawn
    if kind == "cells":
        return case
    if not case.paper:
        if dice.chance(0.5):
            # Two and three bits suit few networks.
            bits = dice.weighted(((2, 1), (3, 2), *((bits, 3) for bits in range(4, 17))))
            case = replace(case, act_bits=bits)
        case = replace(case, mixed=dice.chance(0.3))
    while True:
        net, image = draw_layers.any_layers(dice) if kind == "layers" else _any_model(dice)
        found = replace(case, net=net, image=image)
        if isinstance(net, Model):
            # Of a network of more layers than that, as many.
            found = replace(found, net=replace(net, kept=dice.integer(most // 2, most - 3)))
        graph = graph_of(found)
        if len(graph) <= most and steps(graph) <= MOST_STEPS:
            return found


def _any_model(dice: Dice) -> tuple[Model, Shape]:
    """A conventional network, a few channels wide, and images for it."""
    name, stem = dice.choice(list(MODELS)), dice.choice(tuple(Stem))
    net = Model(name, str(stem), width=dice.choice(MODEL_WIDTHS))
    height, width, depth = dice.weighted(SIDES), dice.weighted(SIDES), dice.integer(1, 4)
    if stem is Stem.IMAGENET:
        height, width = 4 * height - dice.integer(0, 3), 4 * width - dice.integer(0, 3)
    try:
        net.graph((height, width, depth), 1)
    except InputError:  # too small for a network that halves them many times
        height, width = dice.integer(32, 40), dice.integer(32, 40)
    return net, (height, width, depth)


def _image(dice: Dice, stem: Stem) -> Shape:
    """Sides of any size, equal or not; the ImageNet stem divides them by eight."""
    height = dice.weighted(SIDES)
    width = height if dice.chance(0.2) else dice.weighted(SIDES)
    if stem is Stem.IMAGENET and dice.chance(0.7):
        height, width = 4 * height - dice.integer(0, 3), 4 * width - dice.integer(0, 3)
    return height, width, dice.integer(1, 4)


def _genotype(dice: Dice) -> dict[str, Any]:
    if dice.chance(0.35):
        known = genotypes.published()
        return genotypes.to_mapping(known[dice.choice(list(known))].genotype)
    found: dict[str, Any] = {}
    for key in ("normal", "reduce"):
        nodes = dice.weighted(NODES)
        found[key] = [
            [dice.choice(list(OPERATIONS)), dice.integer(0, 1 + edge // 2)]
            for edge in range(2 * nodes)
        ]
        found[f"{key}_concat"] = _concat(dice, nodes)
    return found


def _concat(dice: Dice, nodes: int) -> list[int]:
    """Some or all of the nodes, in any order; the last one is among them more often than not."""
    states = list(range(2, 2 + nodes))
    if dice.chance(0.4):
        return states
    kept = dice.shuffled(states)[: dice.integer(1, nodes)]
    return kept if dice.chance(0.5) else sorted(kept)


def _formats(dice: Dice) -> dict[str, Any]:
    formats = {
        "act_bits": dice.weighted([(8, 6), *((bits, 1) for bits in range(4, 17))]),
        "scale_terms": dice.integer(1, 4),
        "guard": None if dice.chance(0.5) else dice.integer(0, 8),
        "weight_bits": dice.choice((5, 6)),
        "paper": dice.chance(0.1),
    }
    if formats["paper"]:
        # What paper mode sets by itself; the description says what is built (floors come later).
        formats |= {"act_bits": 32, "guard": 0, "weight_bits": 6}
    return formats


def _plan(dice: Dice) -> PlanEdits:
    """The plan as proposed, or any choice for each of its fields."""
    edits = PlanEdits(seed=dice.integer(1, 10**6), fps=None if dice.chance(0.5) else 1e-3)
    if dice.chance(0.25):
        return edits
    return replace(edits, **{field: dice.choice(known) for field, known in POLICIES.items()})


def steps(graph: Graph) -> int:
    """The most work that one layer has in a frame, in taps: about the cycles of a frame."""
    most = 0
    for node in graph:
        beats = int(np.prod(node.shape))
        if isinstance(node, Conv):
            depth = graph[node.inputs[0]].shape[2] // node.groups
            most = max(most, beats * depth * node.kernel[0] * node.kernel[1])
        elif isinstance(node, FactorizedReduce | Linear):
            most = max(most, beats * graph[node.inputs[0]].shape[2])
        else:
            most = max(most, beats)
    return most

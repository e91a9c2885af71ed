"""Ladders: the ways to build an engine, each larger and faster than the one before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hw.dataflow import cost
from hw.dataflow.design.design import engine_design
from hw.dataflow.design.engine import EngineDesign
from hw.dataflow.design.envelope import room_for
from hw.dataflow.design.geometry import Geometry, store_of
from hw.dataflow.flow.schedule import Timing
from hw.dataflow.flow.timing import engine_timing
from hw.dataflow.plan import ElementKind, LayerPlan, LoadPlan, Place
from hw.ir.graph import AvgPool, Conv, MaxPool, Node, Select, Weighted
from hw.ir.network import Network

LUTS_A_BLOCK = 100
"""Estimated LUT that a block RAM must save for a program to go there."""


@dataclass(frozen=True)
class Variant:
    """A way to build a layer.

    Parameters
    ----------
    plan, engine, timing: as planned, what that gives, and when
    lut: estimated LUT sites; least: wherever the program lies
    """

    plan: LayerPlan
    engine: EngineDesign
    timing: Timing
    lut: int
    least: int


def variants(network: Network, node: Node, covered: Sequence[Network] = ()) -> list[Variant]:
    """Ways to build an engine, each larger and faster than the one before.

    `covered`: networks whose weights are to be loadable; none: the weights are fixed.
    """
    found = [_variant(network, node, plan, covered) for plan in _plans(network, node)]
    ladder: list[Variant] = []
    for variant in sorted(found, key=lambda one: (one.lut, one.timing.interval)):
        if not ladder or variant.timing.interval < ladder[-1].timing.interval:
            ladder.append(variant)
    return ladder


def _plans(network: Network, node: Node) -> list[LayerPlan]:
    """Elements and lanes that the layer can have, with the least store."""
    store = store_of(Geometry.of(network.graph, node).span)
    if isinstance(node, MaxPool | AvgPool | Select):
        return [LayerPlan(ElementKind.POOL, 1, store)]
    channels = node.shape[2]
    dense = not isinstance(node, Conv) or node.groups == 1
    lanes = [pe for pe in range(1, channels + 1) if channels % pe == 0] if dense else [1]
    found = [LayerPlan(ElementKind.BARREL, pe, store) for pe in lanes]
    if network.arithmetic.guard is None:
        found.append(LayerPlan(ElementKind.HORNER, 1, store))
    return found


def _variant(network: Network, node: Node, plan: LayerPlan, covered: Sequence[Network]) -> Variant:
    """The layer with its program where it is cheaper."""
    if covered and isinstance(node, Weighted):
        plan = replace(plan, weights=Place.LUTRAM, load=_room(node, plan, covered))
    engine = engine_design(network, node, plan)
    lut = least = cost.layer_logic(engine).lut
    if isinstance(node, Weighted):
        place = Place.BLOCK if prefers_block(engine) else near(engine)
        plan, engine = replace(plan, weights=place), engine.placed(place)
        lut = cost.layer_logic(engine).lut
        least = min(lut, cost.layer_logic(engine.placed(Place.BLOCK)).lut)
    return Variant(plan, engine, engine_timing(engine), lut, least)


def _room(node: Weighted, plan: LayerPlan, covered: Sequence[Network]) -> LoadPlan:
    """Room for the weights of all covered networks."""
    rooms = [room_for(one, node, plan) for one in covered]
    scales = [room.scale for room in rooms if room.scale is not None]
    biases = [room.bias for room in rooms if room.bias is not None]
    return LoadPlan(
        rooms[0].words,
        (min(low for low, _ in scales), max(high for _, high in scales)) if scales else None,
        max(biases) if biases else None,
    )


def prefers_block(engine: EngineDesign) -> bool:
    """Whether a layer's program saves enough logic in block RAM."""
    return saved_luts(engine) >= LUTS_A_BLOCK * extra_blocks(engine)


def saved_luts(engine: EngineDesign) -> int:
    """LUT sites that a layer takes less with its program in block RAM than elsewhere."""
    beside = engine.placed(near(engine))
    return cost.layer_logic(beside).lut - cost.layer_logic(engine.placed(Place.BLOCK)).lut


def extra_blocks(engine: EngineDesign) -> int:
    """Block RAMs that a layer takes more with its program in block RAM than elsewhere."""
    beside = engine.placed(near(engine))
    return cost.layer_blocks(engine.placed(Place.BLOCK)) - cost.layer_blocks(beside)


def near(engine: EngineDesign) -> Place:
    """Where a layer's program lies if not in block RAM."""
    return Place.LUTRAM if engine.loadable else Place.LOGIC

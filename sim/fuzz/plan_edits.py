"""Random edits of a proposed plan: each one allowed by `check`, none changes a bit.

What is decided for a layer follows from the seed and the layer's name alone, so that a network with
fewer layers keeps the decisions of the ones that are left.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hw.dataflow.design.design import design
from hw.dataflow.design.envelope import dense_words
from hw.dataflow.flow import deadlock
from hw.dataflow.flow.buffers import needed_depths
from hw.dataflow.plan import ElementKind, LayerPlan, Place, Plan
from hw.errors import InputError
from hw.ir.arithmetic import layer_guard
from hw.ir.graph import Conv, Node, Weighted
from hw.ir.network import Network
from sim.fuzz.dice import Dice

POLICIES = {
    "elements": ("proposed", "random", "barrel", "horner"),
    "lanes": ("proposed", "random", "one", "all"),
    "stores": ("proposed", "random"),
    "weights": ("proposed", "random", "logic", "block"),
    "fifos": ("proposed", "random", "deadlock", "throughput"),
}
"""Field of a plan -> how it may be chosen."""

DEEPER = (4, 40, 200)
"""Most beats by which a FIFO is made deeper than full speed asks for: into block RAM, too."""


@dataclass(frozen=True)
class PlanEdits:
    """How a case's plan differs from the one proposed.

    Parameters
    ----------
    seed: of the random choices
    fps: of the proposal: None is the fastest plan, a small number the smallest one
    elements, lanes, stores, weights, fifos: one of `POLICIES`
    """

    seed: int = 0
    fps: float | None = 1e-3
    elements: str = "proposed"
    lanes: str = "proposed"
    stores: str = "proposed"
    weights: str = "proposed"
    fifos: str = "proposed"


def apply(edits: PlanEdits, network: Network, plan: Plan) -> Plan:
    """The plan with the edits made."""
    for field, known in POLICIES.items():
        if getattr(edits, field) not in known:
            raise InputError(
                f"plan: {field}: {getattr(edits, field)!r}; expected one of {', '.join(known)}"
            )
    layers = {
        name: _layer(edits, network, network.graph[name], layer)
        for name, layer in plan.layers.items()
    }
    plan = replace(plan, layers=layers)
    return replace(plan, fifos=_fifos(edits, network, plan))


def _layer(edits: PlanEdits, network: Network, node: Node, layer: LayerPlan) -> LayerPlan:
    def dice(field: str) -> Dice:
        return Dice(f"{edits.seed}/{node.name}/{field}")

    store = layer.store
    if edits.stores == "random":
        store <<= dice("stores").weighted([(0, 3), (1, 2), (2, 1)])
    if layer.element == ElementKind.POOL:
        return replace(layer, store=store)
    horner = layer_guard(network, node.name) is None
    element = {"random": dice("elements").choice(("barrel", "horner"))}.get(
        edits.elements, edits.elements
    )
    if element == "proposed":
        element = layer.element
    element = ElementKind(element) if horner else ElementKind.BARREL
    barrel = element is ElementKind.BARREL
    pe = _lanes(edits.lanes, node, layer.pe, dice("lanes")) if barrel else 1
    assert isinstance(node, Weighted)
    # What is loaded lies in LUT-RAM where what is fixed lies in logic.
    near = Place.LOGIC if layer.load is None else Place.LUTRAM
    place = (
        dice("weights").choice(("logic", "block")) if edits.weights == "random" else edits.weights
    )
    place = Place({"proposed": layer.weights, "logic": near}.get(place, place))
    edited = LayerPlan(element, pe, store, place)
    if layer.load is None:
        return edited
    return replace(edited, load=replace(layer.load, words=dense_words(network, node, edited)))


def _lanes(policy: str, node: Node, proposed: int, dice: Dice) -> int:
    """Output channels at a time: a divisor of them all, one where they are in groups."""
    channels = node.shape[2]
    if (isinstance(node, Conv) and node.groups > 1) or policy == "one":
        return 1
    match policy:
        case "random":
            return dice.choice([pe for pe in range(1, channels + 1) if channels % pe == 0])
        case "all":
            return channels
        case "proposed":
            return proposed
    raise ValueError(f"lanes: {policy!r}")


def _fifos(edits: PlanEdits, network: Network, plan: Plan) -> Mapping[str, tuple[int, ...]]:
    stores = {name: layer.store for name, layer in plan.layers.items()}
    least = deadlock.depths(network.graph, stores)
    if edits.fifos == "deadlock":
        return least
    needed = needed_depths(design(network, plan))
    fast = {name: tuple(depth.throughput for depth in needed[name]) for name in needed}
    if edits.fifos == "random":
        fast = {
            name: tuple(
                _depth(Dice(f"{edits.seed}/{name}/{place}"), low, high)
                for place, (low, high) in enumerate(zip(least[name], depths, strict=True))
            )
            for name, depths in fast.items()
        }
    # Depths each of which would do in other company may lock the network up together.
    return deadlock.repaired(network.graph, stores, fast)


def _depth(dice: Dice, least: int, fast: int) -> int:
    """From the least, over what full speed takes, to beyond it."""
    high = max(least, fast)
    deeper = high + dice.integer(1, dice.choice(DEEPER))
    return dice.weighted([(least, 3), (dice.integer(least, high), 4), (high, 1), (deeper, 2)])

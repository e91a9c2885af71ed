"""The design: what a network built as planned is, layer by layer, decided once.

RTL, timing, cost, FIFO depths, the loader's address map, manifest and co-simulation read it; none
of them goes back to the network for what a layer is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hw.dataflow.design.engine import EngineDesign
from hw.dataflow.design.joins import JoinDesign, join_design
from hw.dataflow.design.loadable import loadable_design
from hw.dataflow.design.pools import GlobalPoolDesign, pool_design, select_design
from hw.dataflow.design.weighted import fixed_design
from hw.dataflow.plan import LayerPlan, Place, Plan
from hw.ir.arithmetic import out_format
from hw.ir.format import Format
from hw.ir.graph import (
    Add,
    AvgPool,
    Concat,
    Conv,
    FactorizedReduce,
    GlobalPool,
    Graph,
    Linear,
    MaxPool,
    Node,
    Select,
)
from hw.ir.hardware_names import require_names
from hw.ir.network import Network
from hw.ir.structure import structure

LayerDesign = EngineDesign | GlobalPoolDesign | JoinDesign


@dataclass(frozen=True, eq=False)
class Design:
    """A network built as planned.

    Parameters
    ----------
    graph: of the network; digest: the network's
    structure: what other networks must have in common with it to be loaded into its hardware
    plan: how it is built
    layers: what each node but an Input is, by name, in the graph's order
    formats: of each tensor's stream; a loadable classifier has room for other weights' logits
    """

    graph: Graph
    digest: str
    structure: Mapping[str, Any]
    plan: Plan
    layers: Mapping[str, LayerDesign]
    formats: Mapping[str, Format]

    @property
    def engines(self) -> dict[str, EngineDesign]:
        """Those of the layers that are engines."""
        return {n: one for n, one in self.layers.items() if isinstance(one, EngineDesign)}

    @property
    def stores(self) -> dict[str, int]:
        """Beats of each engine's operand store."""
        return {name: one.store for name, one in self.engines.items()}

    @property
    def fifos(self) -> dict[str, tuple[int, ...]]:
        """Depths of the FIFOs on each join's inputs."""
        return {n: one.depths for n, one in self.layers.items() if isinstance(one, JoinDesign)}

    def with_buffers(
        self, stores: Mapping[str, int], fifos: Mapping[str, tuple[int, ...]]
    ) -> "Design":
        """The same with other stores and FIFOs."""
        planned = {
            name: replace(layer, store=stores[name]) for name, layer in self.plan.layers.items()
        }
        changed = {name: replace(one, store=stores[name]) for name, one in self.engines.items()}
        joins = {name: replace(self.layers[name], depths=depths) for name, depths in fifos.items()}
        return replace(
            self,
            plan=replace(self.plan, layers=planned, fifos=dict(fifos)),
            layers={**self.layers, **changed, **joins},
        )

    def with_places(self, places: Mapping[str, Place]) -> "Design":
        """The same with the programs of some weighted layers in other places."""
        planned, layers = dict(self.plan.layers), dict(self.layers)
        for name, place in places.items():
            planned[name] = replace(planned[name], weights=place)
            layers[name] = self.engines[name].placed(place)
        return replace(self, plan=replace(self.plan, layers=planned), layers=layers)


def design(network: Network, plan: Plan) -> Design:
    """The design of a network built as planned; `plan` may be another's of the same structure.

    Raises
    ------
    InputError: a name that no module can have; the weights do not fit a loadable plan's room
    """
    require_names(network.graph)
    layers = {node.name: layer_design(network, node, plan) for node in network.graph if node.inputs}
    formats = {
        node.name: layers[node.name].out if node.inputs else out_format(network, node.name)
        for node in network.graph
    }
    return Design(network.graph, network.digest, structure(network), plan, layers, formats)


def layer_design(network: Network, node: Node, plan: Plan) -> LayerDesign:
    """The design of one node."""
    match node:
        case Add() | Concat():
            return join_design(network, node, plan.fifos[node.name])
        case GlobalPool():
            return GlobalPoolDesign.of(network, node)
    return engine_design(network, node, plan.layers[node.name])


def engine_design(network: Network, node: Node, plan: LayerPlan) -> EngineDesign:
    """The design of an engine."""
    match node:
        case MaxPool() | AvgPool():
            return pool_design(network, node, plan)
        case Select():
            return select_design(network, node, plan)
        case Conv() | FactorizedReduce() | Linear() if plan.load is not None:
            return loadable_design(network, node, plan)
        case Conv() | FactorizedReduce() | Linear():
            return fixed_design(network, node, plan)
    raise TypeError(f"{node.name}: no hardware for {type(node).__name__}")

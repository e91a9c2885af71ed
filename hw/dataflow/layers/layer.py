"""From a node of the network and its plan to the component that computes it."""

from amaranth.lib import wiring

from hw.dataflow.layers.engine import pool_engine, weighted_engine
from hw.dataflow.layers.global_pool import GlobalPool
from hw.dataflow.layers.joins import Add, Concat
from hw.dataflow.layers.loadable import loadable_engine
from hw.dataflow.loading.addresses import AddressMap, address_bits, address_map
from hw.dataflow.plan import Plan
from hw.ir import graph
from hw.ir.arithmetic import alignment, alignments, in_formats
from hw.ir.graph import Node
from hw.ir.network import Network


def layer(
    network: Network, node: Node, plan: Plan, regions: AddressMap | None = None
) -> wiring.Component:
    """The component of a node: stream ports `i` (or `i0`, `i1`, … for a join) and `o`.

    A weighted layer of a loadable plan has a port `load` too, where `regions` say; they are
    worked out where they are not given.
    """
    name = node.name
    match node:
        case graph.Conv() | graph.FactorizedReduce() | graph.Linear():
            if plan.layers[name].load is not None:
                regions = regions or address_map(network, plan)
                bits = address_bits(regions)
                return loadable_engine(network, node, plan.layers[name], regions[name], bits)
            return weighted_engine(network, node, plan.layers[name])
        case graph.MaxPool() | graph.AvgPool():
            return pool_engine(network, node, plan.layers[name])
        case graph.GlobalPool():
            (shape,) = network.graph.in_shapes(node)
            return GlobalPool(shape, network.formats[name])
        case graph.Add():
            sources, fmt = in_formats(network, name), network.formats[name]
            return Add(sources, fmt, plan.fifos[name], alignment(network, name))
        case graph.Concat():
            sources, fmt = in_formats(network, name), network.formats[name]
            channels = [shape[2] for shape in network.graph.in_shapes(node)]
            return Concat(sources, fmt, plan.fifos[name], channels, alignments(network, name))
    raise TypeError(f"{name}: no hardware for {type(node).__name__}")

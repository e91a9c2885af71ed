"""Whether a network can be built as planned: every layer there, every field fit for it, no FIFO so
small that the network would lock up."""

from hw.dataflow.design.design import Design, design
from hw.dataflow.design.geometry import Geometry, store_of
from hw.dataflow.flow import deadlock
from hw.dataflow.flow.timing import pipelines
from hw.dataflow.plan import ENGINES, JOINS, ElementKind, LayerPlan, Plan
from hw.errors import InputError
from hw.ir.arithmetic import layer_guard
from hw.ir.graph import AvgPool, Conv, Linear, MaxPool, Node, Select, Weighted, has_scale
from hw.ir.network import Network


def check(plan: Plan, network: Network, source: str = "plan") -> Design:
    """The design of a network built as planned; `source` names the plan in messages.

    Raises
    ------
    InputError: it cannot be built, or does not run, as planned
    """
    if plan.network != network.digest:
        raise InputError(
            f"{source}: network: made for the network {plan.network[:12]}…, this one is"
            f" {network.digest[:12]}…; run `shiftnas plan` again"
        )
    graph = network.graph
    engines = {node.name: node for node in graph if isinstance(node, ENGINES)}
    joins = {node.name: node for node in graph if isinstance(node, JOINS)}
    for field_name, planned, nodes in (
        ("layers", plan.layers, engines),
        ("fifos", plan.fifos, joins),
    ):
        # A misspelt name is both: what is there says more than what is not.
        for name in sorted(planned.keys() - nodes.keys()):
            raise InputError(f"{source}: {field_name}: {name}: no such layer; correct or remove it")
        for name in sorted(nodes.keys() - planned.keys()):
            raise InputError(f"{source}: {field_name}: {name}: missing; run `shiftnas plan` again")
    for name, node in engines.items():
        _check_layer(network, node, plan.layers[name], f"{source}: layers: {name}")
        if isinstance(node, Weighted):
            _check_load(network, node, plan, f"{source}: layers: {name}")
    for name, node in joins.items():
        if len(plan.fifos[name]) != len(node.inputs):
            raise InputError(f"{source}: fifos: {name}: expected {len(node.inputs)} depths")
    made = design(network, plan)
    held = pipelines(made)
    least = deadlock.depths(graph, made.stores, held)
    # Larger FIFOs never lock up; where one is smaller, another may be larger instead.
    if all(
        d >= least[name][k] for name, depths in plan.fifos.items() for k, d in enumerate(depths)
    ):
        return made
    running = deadlock.repaired(graph, made.stores, plan.fifos, held)
    for name, depths in plan.fifos.items():
        for position, (given, needed) in enumerate(zip(depths, running[name], strict=True)):
            if given < needed:
                raise InputError(
                    f"{source}: fifos: {name}: input {position}: {given} beats lock the network up;"
                    f" give it {needed} or more"
                )
    return made


def _check_layer(network: Network, node: Node, layer: LayerPlan, where: str) -> None:
    pool = isinstance(node, MaxPool | AvgPool | Select)
    if pool != (layer.element == ElementKind.POOL):
        expected = "pool" if pool else "barrel or horner"
        raise InputError(f"{where}: element: expected {expected}, found {layer.element}")
    if layer.element == ElementKind.HORNER and layer_guard(network, node.name) is not None:
        raise InputError(
            f"{where}: element: horner needs exact products, the network has guard bits; use barrel"
        )
    if layer.pe > 1 and isinstance(node, Conv) and node.groups > 1:
        raise InputError(f"{where}: pe: expected 1 for a convolution in groups, found {layer.pe}")
    if node.shape[2] % layer.pe:
        raise InputError(
            f"{where}: pe: expected a divisor of {node.shape[2]} channels, found {layer.pe}"
        )
    least = Geometry.of(network.graph, node).span
    if layer.store < least:
        raise InputError(f"{where}: store: expected {store_of(least)} or more, found {layer.store}")


def _check_load(network: Network, node: Node, plan: Plan, where: str) -> None:
    layer = plan.layers[node.name]
    load = layer.load
    if (load is not None) != plan.loadable:
        raise InputError(f"{where}: load: give it to all weighted layers or to none")
    if load is None:
        return
    least = node.shape[2] // layer.pe
    if load.words < least:
        raise InputError(
            f"{where}: load: words: expected {least} or more, one for each group of channels,"
            f" found {load.words}"
        )
    scaled = has_scale(node)
    for field_name, wanted in (("scale", scaled), ("bias", scaled or isinstance(node, Linear))):
        if (getattr(load, field_name) is not None) != wanted:
            problem = "missing" if wanted else "a layer without batch norm has none; remove it"
            raise InputError(f"{where}: load: {field_name}: {problem}")

"""The engine of a Conv, FactorizedReduce or Linear, its weights fixed or loadable."""

from hw.dataflow.design.engine import BarrelDesign, EngineDesign, HornerDesign
from hw.dataflow.design.geometry import Geometry
from hw.dataflow.design.program import BarrelCode, Weights, barrel_program, horner_program
from hw.dataflow.design.requantiser import AddBiasDesign, End, RequantiseDesign, RoundDesign
from hw.dataflow.design.scales import Scale, is_unit, rows_of
from hw.dataflow.plan import ElementKind, LayerPlan
from hw.ir.arithmetic import (
    accumulation,
    has_relu,
    in_formats,
    out_format,
    requantisation,
    scale_multipliers,
)
from hw.ir.graph import Linear, Weighted
from hw.ir.network import Network


def weighted_design(
    network: Network,
    node: Weighted,
    plan: LayerPlan,
    end: End,
    *,
    p0: int,
    code: BarrelCode | None = None,
    words: int = 0,
) -> EngineDesign:
    """The engine of a layer.

    Parameters
    ----------
    end: what stands behind the element; its sums are those of the element
    p0: exponent of the accumulator's last bit
    code: of a barrel's operations; None: the narrowest that the weights allow
    words: room for a program loaded at run time; 0: the weights are fixed
    """
    (source,) = in_formats(network, node.name)
    weights = Weights.of(network, node)
    match plan.element:
        case ElementKind.HORNER:
            element, program = HornerDesign(end.acc_width), horner_program(weights, p0)
        case ElementKind.BARREL:
            code, program = barrel_program(weights, plan.pe, p0, code)
            element = BarrelDesign(code, end.acc_width)
        case other:
            raise ValueError(f"{node.name}: no weights in a {other} element")
    return EngineDesign(
        name=node.name,
        geometry=Geometry.of(network.graph, node),
        source=source,
        out=end.fmt,
        relu=has_relu(node),
        store=plan.store,
        program=program,
        place=plan.weights,
        element=element,
        end=end,
        words=words,
    )


def fixed_design(network: Network, node: Weighted, plan: LayerPlan) -> EngineDesign:
    """The engine of a layer with fixed weights, as fine as its own weights and scales need."""
    acc, fmt = accumulation(network, node.name), out_format(network, node.name)
    params = network.params[node.name]
    if isinstance(node, Linear):
        end = AddBiasDesign(params.bias, acc.width, fmt, plan.pe)
        return weighted_design(network, node, plan, end, p0=acc.p0)
    req = requantisation(network, node.name)
    multipliers = scale_multipliers(params.scale_sign, params.scale_exp)[2]
    lanes = [Scale(s, b + req.rounding) for s, b in zip(multipliers, params.bias, strict=True)]
    scales = rows_of(lanes, plan.pe)
    if is_unit(scales):
        end = RoundDesign(acc.width, lanes[0].constant, req.shift, fmt, plan.pe)
    else:
        end = RequantiseDesign(scales, acc.width, req.width, req.shift, fmt, place=plan.weights)
    return weighted_design(network, node, plan, end, p0=acc.p0)

"""The engine of a Conv, FactorizedReduce or Linear, its weights fixed or loadable."""

from dataclasses import dataclass

from hw.dataflow.design.engine import BarrelDesign, EngineDesign, HornerDesign
from hw.dataflow.design.geometry import Geometry
from hw.dataflow.design.program import BarrelCode, Weights, barrel_program, horner_program
from hw.dataflow.design.requantiser import AddBiasDesign, End, RequantiseDesign, RoundDesign
from hw.dataflow.design.scales import Scale, is_unit, rows_of
from hw.dataflow.plan import LayerPlan
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


@dataclass(frozen=True)
class Units:
    """In what the element and what stands behind it count.

    Parameters
    ----------
    p0: exponent of the accumulator's last bit
    width: of an accumulator
    code: of a barrel's operations; None: the narrowest that the weights allow
    end: what stands behind the element
    words: room for a program loaded at run time; 0: the weights are fixed
    """

    p0: int
    width: int
    code: BarrelCode | None
    end: End
    words: int = 0


def weighted_design(
    network: Network, node: Weighted, plan: LayerPlan, units: Units
) -> EngineDesign:
    """The engine of a layer that counts in `units`."""
    (source,) = in_formats(network, node.name)
    weights = Weights.of(network, node)
    if plan.element == "horner":
        element, program = HornerDesign(units.width), horner_program(weights, units.p0)
    else:
        code, program = barrel_program(weights, plan.pe, units.p0, units.code)
        element = BarrelDesign(code, units.width)
    return EngineDesign(
        name=node.name,
        geometry=Geometry.of(network.graph, node),
        source=source,
        out=units.end.fmt,
        relu=has_relu(node),
        store=plan.store,
        program=program,
        place=plan.weights,
        element=element,
        end=units.end,
        words=units.words,
    )


def fixed_units(network: Network, node: Weighted, plan: LayerPlan) -> Units:
    """Units as fine as the layer's own weights and scales need."""
    acc, fmt = accumulation(network, node.name), out_format(network, node.name)
    if isinstance(node, Linear):
        end = AddBiasDesign(network.params[node.name].bias, acc.width, fmt, plan.pe)
        return Units(acc.p0, acc.width, None, end)
    params, req = network.params[node.name], requantisation(network, node.name)
    multipliers = scale_multipliers(params.scale_sign, params.scale_exp)[2]
    lanes = [Scale(s, b + req.rounding) for s, b in zip(multipliers, params.bias, strict=True)]
    scales = rows_of(lanes, plan.pe)
    if is_unit(scales):
        end = RoundDesign(acc.width, lanes[0].constant, req.shift, fmt, plan.pe)
    else:
        end = RequantiseDesign(scales, acc.width, req.width, req.shift, fmt, place=plan.weights)
    return Units(acc.p0, acc.width, None, end)

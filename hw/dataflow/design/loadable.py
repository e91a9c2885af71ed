"""A weighted layer whose weights are loaded at run time, holding one network's weights."""

from collections.abc import Sequence

from hw.dataflow.design.engine import EngineDesign
from hw.dataflow.design.envelope import Envelope, ScaleRoom, envelope
from hw.dataflow.design.requantiser import AddBiasDesign, End, RequantiseDesign, RoundDesign
from hw.dataflow.design.scales import Rows, Scale, rows_of
from hw.dataflow.design.weighted import weighted_design
from hw.dataflow.plan import LayerPlan
from hw.errors import InputError
from hw.ir.arithmetic import (
    accumulation,
    in_formats,
    requantisation,
    rounding_constant,
    scale_multipliers,
)
from hw.ir.format import Format, width_of
from hw.ir.graph import Linear, Weighted
from hw.ir.network import Network


def loadable_design(network: Network, node: Weighted, plan: LayerPlan) -> EngineDesign:
    """The engine of a layer with an entry `load` in its plan; its memories hold the network's
    weights after configuration.

    Raises
    ------
    InputError: they do not fit; names the layer and the figure
    """
    room, acc = envelope(network, node, plan), accumulation(network, node.name)
    p0 = acc.p0 if room.p0 is None else room.p0
    end = _end(network, node, plan, room)
    design = weighted_design(network, node, plan, end, p0=p0, code=room.code, words=room.words)
    if len(design.program) > room.words:
        raise InputError(
            f"{node.name}: words: the program has {len(design.program)} words, the hardware holds"
            f" {room.words}"
        )
    return design


def _end(network: Network, node: Weighted, plan: LayerPlan, room: Envelope) -> End:
    name, width = node.name, room.acc_width
    if isinstance(node, Linear):
        # Its format holds the logits of any weights.
        (source,) = in_formats(network, name)
        fmt = Format(True, width, source.frac - accumulation(network, name).p0)
        biases = network.params[name].bias
        _fits(f"{name}: bias", biases, room.bias_bits)
        return AddBiasDesign(biases, width, fmt, plan.pe, room.bias_bits)
    fmt, holds = network.formats[name], room.requantiser
    if holds is None:
        constant = rounding_constant(room.shift, network.arithmetic.rounding)
        return RoundDesign(width, constant, room.shift, fmt, plan.pe)
    scales = _scales(network, node, plan, holds)
    return RequantiseDesign(
        scales, width, holds.width, room.shift, fmt, place=plan.weights, room=holds.room
    )


def _scales(network: Network, node: Weighted, layer: LayerPlan, holds: ScaleRoom) -> Rows:
    """Rows of scales in the units of a loadable layer."""
    name = node.name
    params = network.params[name]
    e_min, e_max, multipliers = scale_multipliers(params.scale_sign, params.scale_exp)
    if not any(multipliers):
        # Dead channels only: whatever unit the constants are in, it is one that the layer has.
        multipliers = (0,) * len(multipliers)
    elif e_min < holds.low or e_max > holds.high:
        raise InputError(
            f"{name}: scale: the exponents of its scales are {e_min} to {e_max}, the hardware"
            f" holds {holds.low} to {holds.high}"
        )
    own = requantisation(network, name)
    more = holds.shift - own.shift
    lanes = []
    for multiplier, bias in zip(multipliers, params.bias, strict=True):
        constant = bias + own.rounding
        if more < 0 and constant % (1 << -more):
            raise InputError(
                f"{name}: bias: {bias} is finer than the hardware's last bit by {-more} bits"
            )
        # Terms count from e_min: in the hardware's unit they are 2**(e_min - low) times as many.
        factor = e_min - holds.low if any(multipliers) else 0
        scaled = constant << more if more >= 0 else constant >> -more
        lanes.append(Scale(multiplier << factor, scaled))
    _fits(f"{name}: bias", [lane.constant for lane in lanes], holds.constant_bits)
    return rows_of(lanes, layer.pe)


def _fits(what: str, values: Sequence[int], bits: int) -> None:
    needed = width_of(min(values), max(values))
    if needed > bits:
        raise InputError(f"{what}: needs {needed} bits, the hardware holds {bits}")

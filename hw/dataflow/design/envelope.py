"""What a loadable layer's hardware has room for, whichever weights are loaded into it.

The shape of a loadable layer follows from the graph, the formats, the arithmetic and the plan; the
weights decide only what its memories hold. So it counts in fixed units: the accumulator in the
smallest power p0 of any code, the scales in the smallest exponent that the plan has room for. A
layer whose own units are coarser is brought to these by exact factors 2**k, and its right shift
grows by what they add up to: the same output, bit for bit.

    acc·2**k,  k = p0(layer) - p0        v·2**j,  j = k + e_min(layer) - e_low        R = r + j

The classifier keeps its own unit, because its sums leave the device: k = 0.
"""

from dataclasses import dataclass
from typing import NamedTuple

from hw.dataflow.design.program import BarrelCode
from hw.dataflow.design.requantiser import Room
from hw.dataflow.design.scales import naf_digits
from hw.dataflow.plan import ElementKind, LayerPlan, LoadPlan
from hw.ir.arithmetic import (
    accumulation,
    in_formats,
    layer_guard,
    operand_range,
    requantisation,
    scale_multipliers,
    term_range,
)
from hw.ir.format import width_of
from hw.ir.graph import FactorizedReduce, Linear, Weighted, has_scale
from hw.ir.network import Network
from hw.ir.weights import P_MIN


class ScaleRoom(NamedTuple):
    """Room for scales and biases.

    Parameters
    ----------
    low, high: smallest and largest exponent of a scale's terms
    shift: R, to the right; negative ones to the left
    constant_bits: of bias and rounding constant
    width: of v
    room: of the memories
    """

    low: int
    high: int
    shift: int
    constant_bits: int
    width: int
    room: Room


@dataclass(frozen=True)
class Envelope:
    """Everything about a loadable layer that no weight changes.

    Parameters
    ----------
    p0: exponent of the accumulator's last bit; None in a classifier, which keeps its network's own
    code: of a barrel's operations, also where the element is a Horner
    words: of the program
    acc_width: of the accumulator
    shift: of the requantiser
    requantiser: room for scales; None in a classifier and without batch norm
    bias_bits: of a classifier's bias, else 0
    """

    p0: int | None
    code: BarrelCode
    words: int
    acc_width: int
    shift: int
    requantiser: ScaleRoom | None
    bias_bits: int


def taps_a_channel(network: Network, node: Weighted) -> int:
    """Weights of an output channel, zero or not."""
    codes = network.params[node.name].codes
    return codes.size // codes.shape[0]


def smallest_power(network: Network, name: str) -> int:
    """p0 of a loadable layer: that of any network in this arithmetic."""
    guard = layer_guard(network, name)
    return P_MIN[network.arithmetic.weight_bits] if guard is None else -guard


def dense_words(network: Network, node: Weighted, layer: LayerPlan) -> int:
    """Words of the longest program: no weight is zero, no two of them share a tap."""
    taps, channels = taps_a_channel(network, node), node.shape[2]
    match layer.element:
        case ElementKind.HORNER:
            return channels * (taps - P_MIN[network.arithmetic.weight_bits])
        case ElementKind.BARREL:
            # A group's lanes may lie on both sides of the border between two convolutions.
            split = isinstance(node, FactorizedReduce) and channels // 2 % layer.pe
            return (channels // layer.pe + (1 if split else 0)) * taps
    raise ValueError(f"{node.name}: no weights in a {layer.element} element")


def envelope(network: Network, node: Weighted, layer: LayerPlan) -> Envelope:
    """Room of a layer with an entry `load` in its plan; independent of the network's weights."""
    name, load = node.name, layer.load
    assert load is not None
    p0 = smallest_power(network, name)
    shifts = (P_MIN[network.arithmetic.weight_bits] - p0, -p0)
    low, high = operand_range(network, name)
    ends = [end for shift in shifts for end in term_range(low, high, shift)]
    most = max(map(abs, ends))
    # A weight of either sign: the bounds are symmetric.
    reach = taps_a_channel(network, node) * most
    bias_bits = (load.bias or 0) if isinstance(node, Linear) else 0
    if bias_bits:
        reach += 1 << (bias_bits - 1)
    acc_width = width_of(-reach, reach)
    code = BarrelCode(shifts, layer.pe, sparse=True)
    words = load.words
    if isinstance(node, Linear):
        return Envelope(None, code, words, acc_width, 0, None, bias_bits)
    (source,) = in_formats(network, name)
    unscaled = source.frac - p0 - network.formats[name].frac
    if not has_scale(node):
        return Envelope(p0, code, words, acc_width, unscaled, None, 0)
    requantiser = _scale_room(network, load, unscaled, reach)
    return Envelope(p0, code, words, acc_width, requantiser.shift, requantiser, 0)


def _scale_room(network: Network, load: LoadPlan, unscaled: int, reach: int) -> ScaleRoom:
    assert load.scale is not None and load.bias is not None
    low, high = load.scale
    shift = unscaled - low
    largest = network.arithmetic.scale_terms << (high - low)
    constant_bits = max(1, load.bias + shift)
    ends = reach * largest + (1 << (constant_bits - 1))
    # One digit at the least enters with its bit of the constant.
    room = Room(max(1, len(naf_digits(largest))), max(1, constant_bits - 1))
    return ScaleRoom(low, high, shift, constant_bits, width_of(-ends, ends), room)


def room_for(network: Network, node: Weighted, layer: LayerPlan, *, margin: int = 2) -> LoadPlan:
    """Room for any weights at these scales, and for scales up to `margin` powers of two away.

    Biases get `margin` bits more than the network's, and as many as reach across the output.
    """
    words = dense_words(network, node, layer)
    if isinstance(node, Linear):
        bias = network.params[node.name].bias
        # In the classifier's finest unit: another network's may be finer than this one's.
        finer = accumulation(network, node.name).p0 - smallest_power(network, node.name)
        return LoadPlan(words, None, width_of(min(bias), max(bias)) + finer + margin)
    if not has_scale(node):
        return LoadPlan(words)
    params = network.params[node.name]
    e_min, e_max, _ = scale_multipliers(params.scale_sign, params.scale_exp)
    own = requantisation(network, node.name)
    constants = [bias + own.rounding for bias in params.bias]
    needed = width_of(min(constants), max(constants)) - own.shift
    bias = max(needed, network.formats[node.name].width) + margin
    return LoadPlan(words, (e_min - margin, e_max + margin), max(1, bias))

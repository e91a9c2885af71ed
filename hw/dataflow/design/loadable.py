"""What a loadable layer's hardware has room for, and what weights become in it.

The shape of a loadable layer follows from the graph, the formats, the arithmetic and the plan; the
weights decide only what its memories hold. So it counts in fixed units: the accumulator in the
smallest power p0 of any code, the scales in the smallest exponent that the plan has room for. A
layer whose own units are coarser is brought to these by exact factors 2**k, and its right shift
grows by what they add up to: the same output, bit for bit.

    acc·2**k,  k = p0(layer) - p0        v·2**j,  j = k + e_min(layer) - e_low        R = r + j

The classifier keeps its own unit, because its sums leave the device: k = 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from amaranth import signed
from amaranth.lib import data

from hw.dataflow.design.program import channel_weights, geometry, lane_groups, naf_digits
from hw.dataflow.layers.elements import HORNER_LANE, BarrelCode, horner_program
from hw.dataflow.layers.requantise import (
    BIAS_LOGIC_ROWS,
    Room,
    Scale,
    digit_count,
    high_parts,
    step_words,
    steps_layout,
)
from hw.dataflow.layers.window import Tap, WordCode
from hw.dataflow.plan import LayerPlan, LoadPlan, has_scale
from hw.errors import InputError
from hw.ir.arithmetic import (
    accumulation,
    in_formats,
    layer_guard,
    operand_range,
    requantisation,
    scale_multipliers,
    term_range,
)
from hw.ir.format import Format, width_of
from hw.ir.graph import FactorizedReduce, Linear, Weighted
from hw.ir.network import Network
from hw.ir.weights import P_MIN


class Requantiser(NamedTuple):
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
    requantiser: Requantiser | None
    bias_bits: int


def load_plan(layer: LayerPlan) -> LoadPlan:
    """The room planned for a loadable layer."""
    assert layer.load is not None
    return layer.load


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
    if layer.element == "horner":
        return channels * (taps - P_MIN[network.arithmetic.weight_bits])
    words = channels // layer.pe * taps
    if isinstance(node, FactorizedReduce) and channels // 2 % layer.pe:
        # The lanes of one group lie on both sides of the border between the two convolutions.
        words += taps
    return words


def envelope(network: Network, node: Weighted, layer: LayerPlan) -> Envelope:
    """Room of a layer with an entry `load` in its plan; independent of the network's weights."""
    name, load = node.name, load_plan(layer)
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
    requantiser = _requantiser(network, load, unscaled, reach)
    return Envelope(p0, code, words, acc_width, requantiser.shift, requantiser, 0)


def _requantiser(network: Network, load: LoadPlan, unscaled: int, reach: int) -> Requantiser:
    assert load.scale is not None and load.bias is not None
    low, high = load.scale
    shift = unscaled - low
    largest = network.arithmetic.scale_terms << (high - low)
    constant_bits = max(1, load.bias + shift)
    ends = reach * largest + (1 << (constant_bits - 1))
    # One digit at the least enters with its bit of the constant.
    room = Room(max(1, len(naf_digits(largest))), max(1, constant_bits - 1))
    return Requantiser(low, high, shift, constant_bits, width_of(-ends, ends), room)


def output_format(network: Network, node: Weighted, layer: LayerPlan) -> Format:
    """Format of what the hardware of a loadable layer writes: a classifier's holds any logits."""
    if isinstance(node, Linear):
        (source,) = in_formats(network, node.name)
        width = envelope(network, node, layer).acc_width
        return Format(True, width, source.frac - accumulation(network, node.name).p0)
    return network.formats[node.name]


def word_code(network: Network, node: Weighted, layer: LayerPlan) -> WordCode:
    """How the words of a loadable layer's program are encoded."""
    code = envelope(network, node, layer).code
    bits = HORNER_LANE.size if layer.element == "horner" else code.lane.size * code.pe
    return WordCode(geometry(network, node), layer.store, bits)


def memory_sizes(network: Network, node: Weighted, layer: LayerPlan) -> dict[str, tuple[int, int]]:
    """Words and bits of each memory of a loadable layer, and of the register `last_word`."""
    room = envelope(network, node, layer)
    sizes = {
        "program": (room.words, word_code(network, node, layer).layout.size),
        "last_word": (1, max(1, (room.words - 1).bit_length())),
    }
    rows = node.shape[2] // layer.pe
    if room.requantiser is not None:
        digits, bias_bits = room.requantiser.room
        sizes["steps"] = (rows * (digits + 1), steps_layout(layer.pe).size)
        sizes["bias"] = (rows, layer.pe * bias_bits)
    elif room.bias_bits:
        sizes["bias"] = (node.shape[2], room.bias_bits)
    return sizes


def ram_style(weights: str, memory: str, words: int) -> str:
    """Where a memory of a layer lies whose plan says `weights`: biases of few rows in LUT-RAM."""
    return "lutram" if memory == "bias" and words <= BIAS_LOGIC_ROWS else weights


# --- weights


@dataclass(frozen=True)
class Content:
    """What one network's weights are in a loadable layer's hardware.

    Parameters
    ----------
    program: taps of an output pixel
    scales: rows of scales; empty where the layer has none
    biases: a classifier's, one a class
    """

    program: Sequence[Tap]
    scales: Sequence[Sequence[Scale]]
    biases: Sequence[int]


def content(network: Network, node: Weighted, layer: LayerPlan) -> Content:
    """The network's weights for the layer's hardware.

    Raises
    ------
    InputError: they do not fit; names the layer and the figure
    """
    room, name = envelope(network, node, layer), node.name
    acc = accumulation(network, name)
    groups = lane_groups(channel_weights(network, node), layer.pe)
    p0 = acc.p0 if room.p0 is None else room.p0
    program = (
        horner_program(groups, p0) if layer.element == "horner" else room.code.program(groups, p0)
    )
    if len(program) > room.words:
        raise InputError(
            f"{name}: words: the program has {len(program)} words, the hardware holds {room.words}"
        )
    if isinstance(node, Linear):
        biases = network.params[name].bias
        _fits(f"{name}: bias", biases, room.bias_bits)
        return Content(program, (), biases)
    return Content(program, loaded_scales(network, node, layer), ())


def loaded_scales(network: Network, node: Weighted, layer: LayerPlan) -> list[list[Scale]]:
    """Rows of scales in the units of a loadable layer; none without batch norm.

    Raises
    ------
    InputError: they do not fit; names the layer and the figure
    """
    room, name = envelope(network, node, layer), node.name
    if room.requantiser is None:
        return []
    params, holds = network.params[name], room.requantiser
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
    more = room.shift - own.shift
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
    return [lanes[first : first + layer.pe] for first in range(0, len(lanes), layer.pe)]


def _fits(what: str, values: Sequence[int], bits: int) -> None:
    needed = width_of(min(values), max(values))
    if needed > bits:
        raise InputError(f"{what}: needs {needed} bits, the hardware holds {bits}")


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


def memory_words(network: Network, node: Weighted, layer: LayerPlan) -> dict[str, list[int]]:
    """What the network's weights are in each memory of `memory_sizes`, as bits.

    Raises
    ------
    InputError: they do not fit; names the layer and the figure
    """
    holds = content(network, node, layer)
    code = word_code(network, node, layer)
    words = {
        "program": [_bits(code.layout, code.word(tap)) for tap in holds.program],
        "last_word": [len(holds.program) - 1],
    }
    room = envelope(network, node, layer)
    if room.requantiser is not None:
        digits = digit_count(holds.scales)
        steps = steps_layout(layer.pe)
        high = data.ArrayLayout(signed(room.requantiser.room.bias_bits), layer.pe)
        words["steps"] = [_bits(steps, word) for word in step_words(holds.scales, digits)]
        words["bias"] = [_bits(high, row) for row in high_parts(holds.scales, digits)]
    elif room.bias_bits:
        words["bias"] = [value % (1 << room.bias_bits) for value in holds.biases]
    return words


def _bits(layout: data.Layout, fields) -> int:
    return layout.const(fields).as_bits()

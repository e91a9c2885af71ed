"""A weighted layer whose program, scales and biases are loaded at run time."""

from collections.abc import Sequence

from hw.dataflow.design.loadable import (
    Content,
    Envelope,
    content,
    envelope,
    output_format,
    word_code,
)
from hw.dataflow.layers.elements import Barrel, Horner
from hw.dataflow.layers.engine import Engine
from hw.dataflow.layers.requantise import AddBias, Requantise, Round
from hw.dataflow.layers.rounding import signed_of
from hw.dataflow.layers.window import Window
from hw.dataflow.loading.bus import Region, Station
from hw.dataflow.plan import LayerPlan
from hw.ir.arithmetic import has_relu, in_formats, rounding_constant
from hw.ir.graph import Weighted
from hw.ir.network import Network


def loadable_engine(
    network: Network,
    node: Weighted,
    plan: LayerPlan,
    regions: Sequence[Region],
    address_bits: int,
) -> Engine:
    """Engine of a Conv, FactorizedReduce or Linear with an entry `load` in its plan.

    After configuration its memories hold the network's weights.

    Parameters
    ----------
    regions: of its memories on the bus; address_bits: of the bus

    Raises
    ------
    InputError: the network does not fit the plan's own room
    """
    room, holds = envelope(network, node, plan), content(network, node, plan)
    (source,) = in_formats(network, node.name)
    x = signed_of(source)
    if plan.element == "horner":
        element = Horner(x, width=room.acc_width)
    else:
        element = Barrel(x, room.code, width=room.acc_width)
    code = word_code(network, node, plan)
    window = Window(
        code.geometry,
        holds.program,
        store=plan.store,
        x=x,
        operation_bits=code.operation_bits,
        relu=has_relu(node),
        rom_style=plan.weights,
        words=room.words,
    )
    last = _requantiser(network, node, plan, room, holds)
    station = Station(regions, {"last_word": len(holds.program) - 1}, address_bits=address_bits)
    out = signed_of(output_format(network, node, plan))
    return Engine(window, element, last, out, station)


def _requantiser(
    network: Network, node: Weighted, plan: LayerPlan, room: Envelope, holds: Content
) -> Requantise | Round | AddBias:
    fmt = output_format(network, node, plan)
    if room.bias_bits:
        return AddBias(
            holds.biases, acc_width=room.acc_width, fmt=fmt, pe=plan.pe, bias_bits=room.bias_bits
        )
    if room.requantiser is None:
        constant = rounding_constant(room.shift, network.arithmetic.rounding)
        return Round(
            acc_width=room.acc_width, constant=constant, shift=room.shift, fmt=fmt, pe=plan.pe
        )
    return Requantise(
        holds.scales,
        acc_width=room.acc_width,
        width=room.requantiser.width,
        shift=room.shift,
        fmt=fmt,
        rom_style=plan.weights,
        room=room.requantiser.room,
    )

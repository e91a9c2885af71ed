"""An engine: window, element and requantiser in a row. Convolutions, reductions, pools and the
classifier are engines."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.dataflow.design.program import channel_weights, geometry
from hw.dataflow.layers.elements import (
    Maximum,
    Sum,
    pool_program,
    sum_width,
    weighted_element,
    weighted_program,
)
from hw.dataflow.layers.requantise import AddBias, Requantise, Round, Scale, is_unit
from hw.dataflow.layers.rounding import signed_of
from hw.dataflow.layers.window import Geometry, Window
from hw.dataflow.loading.bus import Station
from hw.dataflow.plan import LayerPlan
from hw.ir.arithmetic import (
    accumulation,
    average,
    has_relu,
    in_formats,
    out_format,
    requantisation,
    scale_multipliers,
)
from hw.ir.format import Format
from hw.ir.graph import Linear, MaxPool, Node
from hw.ir.network import Network


class Engine(wiring.Component):
    """Submodules `window`, `elements` and, but for a max pool, `requantise`, joined by streams.

    Parameters
    ----------
    station: the loader's way to the memories; None if the weights are fixed

    Members
    -------
    i: input stream; o: output stream; one channel a beat, raster order
    load: `hw.dataflow.loading.bus.Bus`, if the weights are loadable
    """

    def __init__(self, window: Window, elements, requantise, out, station: Station | None = None):
        self.window, self.elements, self.requantise = window, elements, requantise
        self.station = station
        load = {} if station is None else {"load": In(station.bus.signature.flip())}
        super().__init__(
            {"i": In(stream.Signature(window.x)), "o": Out(stream.Signature(out)), **load}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.window = self.window
        m.submodules.elements = self.elements
        wiring.connect(m, wiring.flipped(self.i), self.window.i)
        wiring.connect(m, self.window.o, self.elements.i)
        last = self.elements
        if self.requantise is not None:
            m.submodules.requantise = self.requantise
            wiring.connect(m, self.elements.o, self.requantise.i)
            last = self.requantise
        wiring.connect(m, last.o, wiring.flipped(self.o))
        if self.station is not None:
            self._connect_station(m, self.station)
        return m

    def _connect_station(self, m: Module, station: Station) -> None:
        m.submodules.load = station
        wiring.connect(m, wiring.flipped(self.load), station.bus)
        wiring.connect(m, station.program, self.window.load)
        m.d.comb += self.window.last_word.eq(station.last_word)
        if isinstance(self.requantise, AddBias):
            wiring.connect(m, station.bias, self.requantise.load)
        elif isinstance(self.requantise, Requantise):
            wiring.connect(m, station.bias, self.requantise.load_bias)
            wiring.connect(m, station.steps, self.requantise.load_steps)


def channel_scales(network: Network, node: Node, pe: int) -> list[list[Scale]]:
    """Multiplier and constant (bias and rounding) of each output channel, in rows of `pe`."""
    params = network.params[node.name]
    rounding = requantisation(network, node.name).rounding
    multipliers = scale_multipliers(params.scale_sign, params.scale_exp)[2]
    lanes = [Scale(s, b + rounding) for s, b in zip(multipliers, params.bias, strict=True)]
    return [lanes[first : first + pe] for first in range(0, len(lanes), pe)]


def average_scales(width: int, counts: list[int]) -> tuple[list[list[Scale]], int]:
    """Rows of scales for means of the given numbers of pixels, brought to one shift; and that
    shift."""
    means = [average(width, n) for n in counts]
    shift = max(mean.shift for mean in means)
    # A common shift moves multiplier and rounding constant alike: the same quotient.
    rows = [[Scale(mean.multiplier << shift - mean.shift, 1 << shift - 1)] for mean in means]
    return rows, shift


def average_width(scales: list[list[Scale]], low: int, high: int) -> int:
    """Bits of sum·multiplier + constant for sums in [low, high]."""
    return max(
        sum_width(low * lane.multiplier - 1, high * lane.multiplier + lane.constant, 1)
        for row in scales
        for lane in row
    )


def pixel_counts(g: Geometry) -> list[int]:
    """The numbers of real pixels that the windows of a pool hold, rising."""
    numbers = []
    for axis in (0, 1):
        spans = [g.valid(axis, k) for k in range(g.kernel[axis])]
        numbers.append({sum(low <= n <= high for low, high in spans) for n in range(g.out[axis])})
    return sorted({rows * columns for rows in numbers[0] for columns in numbers[1]})


def weighted_engine(network: Network, node: Node, plan: LayerPlan) -> Engine:
    """Engine of a Conv, FactorizedReduce or Linear."""
    (source,) = in_formats(network, node.name)
    fmt, acc = out_format(network, node.name), accumulation(network, node.name)
    x = signed_of(source)
    choice = (channel_weights(network, node), plan.element, plan.pe, acc.p0)
    element = weighted_element(*choice, x=x, width=acc.width)
    if isinstance(node, Linear):
        last = AddBias(network.params[node.name].bias, acc_width=acc.width, fmt=fmt, pe=plan.pe)
    else:
        last = _requantiser(network, node, plan, fmt)
    window = Window(
        geometry(network, node),
        weighted_program(*choice),
        store=plan.store,
        x=x,
        operation_bits=element.operation_bits,
        relu=has_relu(node),
        rom_style=plan.weights,
    )
    return Engine(window, element, last, signed_of(fmt))


def _requantiser(network: Network, node: Node, plan: LayerPlan, fmt: Format) -> Requantise | Round:
    acc, req = accumulation(network, node.name), requantisation(network, node.name)
    scales = channel_scales(network, node, plan.pe)
    if is_unit(scales):
        constant = scales[0][0].constant
        return Round(acc_width=acc.width, constant=constant, shift=req.shift, fmt=fmt, pe=plan.pe)
    return Requantise(
        scales,
        acc_width=acc.width,
        width=req.width,
        shift=req.shift,
        fmt=fmt,
        rom_style=plan.weights,
    )


def pool_engine(network: Network, node: Node, plan: LayerPlan) -> Engine:
    """Engine of a MaxPool or AvgPool."""
    (fmt,) = in_formats(network, node.name)
    x, g = signed_of(fmt), geometry(network, node)
    if isinstance(node, MaxPool):
        element, last = Maximum(x), None
    else:
        element, last = _average(fmt, pixel_counts(g))
    window = Window(
        g, pool_program(node.kernel, g.shape[2]), store=plan.store, x=x, operation_bits=0
    )
    return Engine(window, element, last, x)


def _average(fmt: Format, counts: list[int]) -> tuple[Sum, Requantise]:
    width = sum_width(fmt.qmin, fmt.qmax, max(counts))
    return Sum(signed_of(fmt), counts=counts, width=width), mean_requantiser(fmt, counts, width)


def mean_requantiser(fmt: Format, counts: list[int], acc_width: int) -> Requantise:
    """Divides a sum of `counts[row]` codes by that number, as numerics says: a constant product
    and a shift."""
    scales, shift = average_scales(fmt.width, counts)
    most = max(counts)
    return Requantise(
        scales,
        acc_width=acc_width,
        width=average_width(scales, fmt.qmin * most, fmt.qmax * most),
        shift=shift,
        fmt=fmt,
        by_row=len(counts) > 1,
    )

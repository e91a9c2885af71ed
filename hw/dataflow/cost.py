"""The cost model: what a planned network takes of an FPGA, and how fast it runs.

Speed follows from the flow (`hw.dataflow.flow.schedule`). Block RAM is counted. LUT and flip-flops
are estimated: a layer's are a sum of features times weights, which were fitted to syntheses of
single layers (`benchmarks/cost_model.py` measures, fits and prints the errors).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, prod
from typing import NamedTuple

from hw.board.boards import RAM_BLOCK_BITS
from hw.dataflow.design.loadable import envelope, memory_sizes, ram_style
from hw.dataflow.flow.contract import ENGINES, JOINS, processes
from hw.dataflow.flow.schedule import busy, schedule
from hw.dataflow.flow.timing import group_taps, scales, timings
from hw.dataflow.layers.elements import sum_width
from hw.dataflow.layers.engine import average_width
from hw.dataflow.layers.requantise import BIAS_LOGIC_ROWS, digit_count, is_unit
from hw.dataflow.layers.streams import LUT_RAM_DEPTH
from hw.dataflow.plan import LayerPlan, Plan
from hw.ir.arithmetic import accumulation, alignment, alignments, in_formats, requantisation
from hw.ir.graph import Add, AvgPool, GlobalPool, Linear, MaxPool, Node, Weighted
from hw.ir.network import Network
from hw.ir.weights import decode

BLOCK_SHAPES = ((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512))
"""Width and depth that one block RAM can have."""

LUT = {
    "acc_bits": 1.36,
    "shift_bits": 0.406,
    "round_bits": 0,
    "rom_bits": 0.0907,
    "window": 32.4,
    "window_address": 2.47,
    "window_border": 9.75,
    "lut_ram": 11.2,
    "max_bits": 0.0117,
    "requantise": 5.61,
    "requantise_bits": 0,
    "requantise_acc": 3.32,
    "scale_bits": 0.197,
    "global_pool": 0,
    "join": 0,
    "join_bits": 1.54,
    "fifo": 0,
    "fifo_address": 4.41,
    "block_fifo": 41.5,
    "station": 60,
    "station_bits": 1,
}
FF = {
    "acc_bits": 1.25,
    "shift_bits": 0.0986,
    "round_bits": 0,
    "rom_bits": 0.0159,
    "window": 50.3,
    "window_address": 0.844,
    "window_border": 0,
    "lut_ram": 0.0516,
    "max_bits": 0.129,
    "requantise": 0,
    "requantise_bits": 0.985,
    "requantise_acc": 2.03,
    "scale_bits": 0.0155,
    "global_pool": 0,
    "join": 4.35,
    "join_bits": 0,
    "fifo": 0,
    "fifo_address": 3.2,
    "block_fifo": 24.2,
    "station": 4,
    "station_bits": 0.5,
}

Features = Mapping[str, float]


@dataclass(frozen=True)
class Prediction:
    """What a plan is expected to give; `predict` makes it.

    Parameters
    ----------
    lut: LUT4 sites; ff: flip-flops; both estimates, without the board's own logic (clock, UART)
    ram_bits: capacity of the block RAMs used
    cycles_per_frame: of the steady state, input and output never waiting
    fps: frames a second at the plan's clock
    limiting_layer: node that needs `cycles_per_frame` cycles a frame
    latency: cycles from a frame's first byte to its last logit
    layers: LUT sites of each node
    """

    lut: int
    ff: int
    ram_bits: int
    cycles_per_frame: int
    fps: float
    limiting_layer: str
    latency: int
    layers: Mapping[str, int]


class Logic(NamedTuple):
    """Estimated LUT4 sites and flip-flops."""

    lut: int
    ff: int


def layer_logic(network: Network, node: Node, plan: Plan) -> Logic:
    """Estimate for one node, the FIFOs of a join included."""
    found = features(network, node, plan)
    return Logic(
        round(sum(LUT[name] * amount for name, amount in found.items())),
        round(sum(FF[name] * amount for name, amount in found.items())),
    )


def logic(network: Network, plan: Plan) -> Logic:
    """Estimate for the whole network."""
    nodes = [layer_logic(network, node, plan) for node in network.graph.nodes[1:]]
    return Logic(sum(one.lut for one in nodes), sum(one.ff for one in nodes))


def predict(network: Network, plan: Plan) -> Prediction:
    """Size and speed of a network built as planned.

    The speed is that of stores and FIFOs large enough for it, which a proposed plan has; smaller
    ones may slow the network down.
    """
    graph = network.graph
    contracts, timing = processes(graph), timings(network, plan)
    cycles = {name: busy(graph, one, timing) for name, one in contracts.items()}
    limiting = max(cycles, key=lambda name: cycles[name])
    period = cycles[limiting]
    written = schedule(graph, contracts, timing, period, even=False).written
    layers = {n.name: layer_logic(network, n, plan) for n in graph.nodes[1:]}
    blocks = sum(ram_blocks(network, node, plan) for node in graph.nodes[1:])
    return Prediction(
        lut=sum(layer.lut for layer in layers.values()),
        ff=sum(layer.ff for layer in layers.values()),
        ram_bits=blocks * RAM_BLOCK_BITS,
        cycles_per_frame=period,
        fps=plan.clock_mhz * 1e6 / period,
        limiting_layer=limiting,
        latency=int(written[graph.output.name][-1]) + 1,
        layers={name: layer.lut for name, layer in layers.items()},
    )


# --- features of a layer's logic


def features(network: Network, node: Node, plan: Plan) -> Features:
    """What the size of a node's logic depends on, by the names of `LUT` and `FF`."""
    if isinstance(node, JOINS):
        return _join(network, node, plan.fifos[node.name])
    if isinstance(node, GlobalPool):
        return _global_pool(network, node)
    assert isinstance(node, ENGINES), node
    layer = plan.layers[node.name]
    if isinstance(node, MaxPool | AvgPool):
        return _pool(network, node, layer)
    return _weighted(network, node, layer)


def _window(network: Network, node: Node, layer: LayerPlan) -> dict[str, float]:
    """Store and sequencer, without the program."""
    (fmt,) = in_formats(network, node.name)
    padded = any(getattr(node, "padding", (0, 0)))
    return {
        "window": 1,
        "window_address": _bits(layer.store),
        "window_border": sum(node.kernel) if padded else 0,
        "lut_ram": _lut_rams(fmt.width, layer.store) if layer.store <= LUT_RAM_DEPTH else 0,
    }


def _weighted(network: Network, node: Node, layer: LayerPlan) -> dict[str, float]:
    if layer.load is not None:
        assert isinstance(node, Weighted)
        return _loadable(network, node, layer)
    acc, pe = accumulation(network, node.name), layer.pe
    found = _window(network, node, layer)
    logic = layer.weights == "logic"
    found["rom_bits"] = _program_bits(network, node, layer) if logic else 0
    found["acc_bits"] = pe * acc.width
    if layer.element == "barrel":
        found["shift_bits"] = pe * acc.width * _amount_bits(network, node)
    if isinstance(node, Linear):
        found["rom_bits"] += acc.width * node.shape[2]
        return found
    rows = scales(network, node, pe)
    if is_unit(rows):
        found["round_bits"] = acc.width
        return found
    width = requantisation(network, node.name).width
    return found | _requantise(rows, acc.width, width, logic)


def _loadable(network: Network, node: Weighted, layer: LayerPlan) -> dict[str, float]:
    """A layer whose memories take any weights: as wide as the widest, nothing in tables."""
    room, pe = envelope(network, node, layer), layer.pe
    found = _window(network, node, layer)
    sizes = memory_sizes(network, node, layer)
    cells = sum(
        _lut_rams(bits, words)
        for name, (words, bits) in sizes.items()
        if name != "last_word" and ram_style(layer.weights, name, words) == "lutram"
    )
    found["lut_ram"] += cells
    found["acc_bits"] = pe * room.acc_width
    if layer.element == "barrel":
        low, high = room.code.shifts
        found["shift_bits"] = pe * room.acc_width * (high - low).bit_length()
    if room.requantiser is not None:
        found |= {
            "requantise": 1,
            "requantise_bits": pe * room.requantiser.width,
            "requantise_acc": pe * room.acc_width,
        }
    elif not room.bias_bits:
        found["round_bits"] = room.acc_width
    return found | {"station": 1, "station_bits": max(bits for _, bits in sizes.values())}


def _requantise(rows: list, acc_width: int, width: int, logic: bool) -> dict[str, float]:
    pe = len(rows[0])
    biases = len(rows) * pe * (width - digit_count(rows)) if len(rows) <= BIAS_LOGIC_ROWS else 0
    return {
        "requantise": 1,
        "requantise_bits": pe * width,
        "requantise_acc": pe * acc_width,
        "scale_bits": biases + (_scale_bits(rows) if logic else 0),
    }


def _pool(network: Network, node: Node, layer: LayerPlan) -> dict[str, float]:
    (fmt,) = in_formats(network, node.name)
    found = _window(network, node, layer)
    if isinstance(node, MaxPool):
        return found | {"max_bits": fmt.width}
    rows = scales(network, node, 1)
    acc_width = sum_width(fmt.qmin, fmt.qmax, prod(node.kernel))
    width = average_width(rows, fmt.qmin * prod(node.kernel), fmt.qmax * prod(node.kernel))
    return found | {"acc_bits": acc_width} | _requantise(rows, acc_width, width, True)


def _global_pool(network: Network, node: Node) -> dict[str, float]:
    (fmt,), ((height, width, channels),) = (
        in_formats(network, node.name),
        network.graph.in_shapes(node),
    )
    rows = scales(network, node, 1)
    acc_width = sum_width(fmt.qmin, fmt.qmax, height * width)
    v_width = average_width(rows, fmt.qmin * height * width, fmt.qmax * height * width)
    return {
        "global_pool": 1,
        "acc_bits": acc_width,
        "lut_ram": _lut_rams(acc_width, channels),
    } | _requantise(rows, acc_width, v_width, True)


def _join(network: Network, node: Node, depths: tuple[int, ...]) -> dict[str, float]:
    formats = in_formats(network, node.name)
    found: dict[str, float] = {"join": 1, "fifo": len(depths)}
    found["fifo_address"] = sum(_bits(depth) for depth in depths)
    in_luts = [depth <= LUT_RAM_DEPTH for depth in depths]
    found["block_fifo"] = in_luts.count(False)
    found["lut_ram"] = sum(
        _lut_rams(fmt.width, depth)
        for fmt, depth, small in zip(formats, depths, in_luts, strict=True)
        if small
    )
    if isinstance(node, Add):
        found["join_bits"] = alignment(network, node.name).width * (len(depths) - 1)
    else:
        found["join_bits"] = sum(how.width for how in alignments(network, node.name))
    return found


def _bits(states: int) -> int:
    return max(1, (states - 1).bit_length())


def _lut_rams(width: int, depth: int) -> int:
    """16 x 4 RAM cells of a small memory."""
    return ceil(width / 4) * ceil(depth / 16)


def _amount_bits(network: Network, node: Node) -> int:
    """Bits of a barrel shifter's amount."""
    sign, power = decode(network.params[node.name].codes, network.arithmetic.weight_bits)
    used = power[sign != 0]
    return int(used.max() - used.min()).bit_length() if used.size else 0


def _word_bits(network: Network, node: Node, layer: LayerPlan) -> int:
    """Width of a program's word: offset, end mark, place in a padded window, operation."""
    bits = _bits(layer.store) + 1
    if any(getattr(node, "padding", (0, 0))):
        bits += sum(_bits(side) for side in node.kernel if side > 1)
    if layer.element == "horner":
        return bits + 2
    if layer.element == "barrel":
        bits += layer.pe * (_amount_bits(network, node) + 1 + (layer.pe > 1))
    return bits


def _program_bits(network: Network, node: Node, layer: LayerPlan) -> int:
    return _word_bits(network, node, layer) * sum(group_taps(network, node, layer))


def _scale_bits(rows: list) -> int:
    return 3 * len(rows) * len(rows[0]) * digit_count(rows)


# --- block RAM


def ram_blocks(network: Network, node: Node, plan: Plan) -> int:
    """Block RAMs of a node."""
    formats = in_formats(network, node.name)
    if isinstance(node, JOINS):
        return sum(
            _blocks(fmt.width, depth)
            for fmt, depth in zip(formats, plan.fifos[node.name], strict=True)
            if depth > LUT_RAM_DEPTH
        )
    if not isinstance(node, ENGINES):
        return 0
    layer = plan.layers[node.name]
    blocks = _blocks(formats[0].width, layer.store) if layer.store > LUT_RAM_DEPTH else 0
    if layer.load is not None:
        assert isinstance(node, Weighted)
        return blocks + sum(
            _blocks(bits, words)
            for name, (words, bits) in memory_sizes(network, node, layer).items()
            if name != "last_word" and ram_style(layer.weights, name, words) == "block"
        )
    if layer.weights != "block" and layer.element != "pool":
        return blocks
    blocks += _blocks(_word_bits(network, node, layer), sum(group_taps(network, node, layer)))
    if layer.element == "pool" or isinstance(node, Linear):
        return blocks
    rows = scales(network, node, layer.pe)
    if is_unit(rows):
        return blocks
    return blocks + _blocks(3 * layer.pe, len(rows) * digit_count(rows))


def _blocks(width: int, depth: int) -> int:
    """Block RAMs of a memory, in the shape that takes the fewest."""
    return min(ceil(width / wide) * ceil(depth / deep) for wide, deep in BLOCK_SHAPES)

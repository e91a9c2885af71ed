"""The cost model: what a planned network takes of an FPGA, and how fast it runs.

Speed follows from the flow (`hw.dataflow.flow.schedule`). Block RAM is counted. LUT and flip-flops
are estimated: a layer's are a sum of features times weights, which were fitted to syntheses of
single layers (`benchmarks/cost_model.py` measures, fits and prints the errors).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hw.dataflow.design.design import Design, LayerDesign
from hw.dataflow.design.engine import (
    BarrelDesign,
    EngineDesign,
    HornerDesign,
    MaximumDesign,
    SumDesign,
)
from hw.dataflow.design.joins import AddDesign, ConcatDesign, JoinDesign
from hw.dataflow.design.memories import memory_place, memory_sizes
from hw.dataflow.design.pools import GlobalPoolDesign
from hw.dataflow.design.requantiser import AddBiasDesign, RequantiseDesign
from hw.dataflow.design.scales import BIAS_LOGIC_ROWS, steps_layout
from hw.dataflow.fabric import LUT_RAM_DEPTH, RAM_BLOCK_BITS, blocks, lut_rams
from hw.dataflow.flow.contract import processes
from hw.dataflow.flow.schedule import busy, schedule
from hw.dataflow.flow.timing import timings
from hw.dataflow.plan import Place

PRICES = {
    "acc_bits": (1.36, 1.25),
    "shift_bits": (0.406, 0.0986),
    "rom_bits": (0.0907, 0.0159),
    "window": (32.4, 50.3),
    "window_address": (2.47, 0.844),
    "window_border": (9.75, 0),
    "lut_ram": (11.2, 0.0516),
    "max_bits": (0.0117, 0.129),
    "requantise": (5.61, 0),
    "requantise_bits": (0, 0.985),
    "requantise_acc": (3.32, 2.03),
    "scale_bits": (0.197, 0.0155),
    "join": (0, 4.35),
    "join_bits": (1.54, 0),
    "fifo_address": (4.41, 3.2),
    "block_fifo": (41.5, 24.2),
    "station": (60, 4),
    "station_bits": (1, 0.5),
}
"""Feature -> LUT4 sites and flip-flops."""

Features = dict[str, float]


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


def layer_logic(layer: LayerDesign) -> Logic:
    """Estimate for one layer, the FIFOs of a join included."""
    prices = [(PRICES[name], amount) for name, amount in features(layer).items()]
    return Logic(*(round(sum(price[k] * amount for price, amount in prices)) for k in (0, 1)))


def logic(design: Design) -> Logic:
    """Estimate for the whole network."""
    return _sum(map(layer_logic, design.layers.values()))


def _sum(layers: Iterable[Logic]) -> Logic:
    return Logic(*map(sum, zip(*layers, strict=True)))


def ram_blocks(design: Design) -> int:
    """Block RAMs of the whole network."""
    return sum(map(layer_blocks, design.layers.values()))


def predict(design: Design) -> Prediction:
    """Size and speed of a design.

    The speed is that of stores and FIFOs large enough for it, which a proposed plan has; smaller
    ones may slow the network down.
    """
    graph = design.graph
    contracts, timing = processes(graph), timings(design)
    cycles = {name: busy(graph, one, timing) for name, one in contracts.items()}
    limiting = max(cycles, key=lambda name: cycles[name])
    period = cycles[limiting]
    written = schedule(graph, contracts, timing, period, even=False).written
    layers = {name: layer_logic(layer) for name, layer in design.layers.items()}
    lut, ff = _sum(layers.values())
    return Prediction(
        lut=lut,
        ff=ff,
        ram_bits=ram_blocks(design) * RAM_BLOCK_BITS,
        cycles_per_frame=period,
        fps=design.plan.clock_mhz * 1e6 / period,
        limiting_layer=limiting,
        latency=int(written[graph.output.name][-1]) + 1,
        layers={name: layer.lut for name, layer in layers.items()},
    )


# --- features of a layer's logic


def features(layer: LayerDesign) -> Features:
    """What the size of a layer's logic depends on, by the names of `PRICES`."""
    match layer:
        case EngineDesign():
            return _engine(layer)
        case GlobalPoolDesign():
            cells = lut_rams(layer.width, layer.shape[2])
            return {"acc_bits": layer.width, "lut_ram": cells, **_requantise(layer.end)}
        case JoinDesign():
            return _join(layer)


def _engine(engine: EngineDesign) -> Features:
    found = _window(engine)
    match engine.element:
        case MaximumDesign():
            return found | {"max_bits": engine.source.width}
        case BarrelDesign(code, width):
            low, high = code.shifts
            found["acc_bits"] = code.pe * width
            found["shift_bits"] = code.pe * width * (high - low).bit_length()
        case HornerDesign() | SumDesign() as element:
            found["acc_bits"] = element.width
    if engine.loadable:
        sizes = memory_sizes(engine)
        found["lut_ram"] += sum(
            lut_rams(bits, words) for words, bits in _memories(engine, Place.LUTRAM)
        )
        found |= {"station": 1, "station_bits": max(bits for _, bits in sizes.values())}
    elif engine.place == Place.LOGIC:
        found["rom_bits"] = engine.code.layout.size * len(engine.program)
    match engine.end:
        case RequantiseDesign():
            found |= _requantise(engine.end)
        case AddBiasDesign() if not engine.loadable:
            biases = engine.end.acc_width * len(engine.end.biases)
            found["rom_bits"] = found.get("rom_bits", 0) + biases
    return found


def _window(engine: EngineDesign) -> Features:
    """Store and sequencer, without the program."""
    g, store = engine.geometry, engine.store
    return {
        "window": 1,
        "window_address": _bits(store),
        "window_border": sum(g.kernel) if any(g.padding) else 0,
        "lut_ram": lut_rams(engine.source.width, store) if store <= LUT_RAM_DEPTH else 0,
    }


def _requantise(end: RequantiseDesign) -> Features:
    rows, pe, digits = len(end.scales), end.pe, end.digits
    found: Features = {
        "requantise": 1,
        "requantise_bits": pe * end.width,
        "requantise_acc": pe * end.acc_width,
    }
    if end.room is None:
        biases = rows * pe * (end.width - digits) if rows <= BIAS_LOGIC_ROWS else 0
        found["scale_bits"] = biases + (3 * rows * pe * digits if end.place == Place.LOGIC else 0)
    return found


def _join(join: JoinDesign) -> Features:
    in_luts = [depth <= LUT_RAM_DEPTH for depth in join.depths]
    found: Features = {
        "join": 1,
        "fifo_address": sum(_bits(depth) for depth in join.depths),
        "block_fifo": in_luts.count(False),
        "lut_ram": sum(
            lut_rams(fmt.width, depth)
            for fmt, depth, small in zip(join.sources, join.depths, in_luts, strict=True)
            if small
        ),
    }
    if isinstance(join, AddDesign):
        found["join_bits"] = join.how.width * (len(join.depths) - 1)
    elif isinstance(join, ConcatDesign):
        found["join_bits"] = sum(how.width for how in join.how)
    return found


def _bits(states: int) -> int:
    return max(1, (states - 1).bit_length())


# --- block RAM


def layer_blocks(layer: LayerDesign) -> int:
    """Block RAMs of a layer."""
    return sum(block_parts(layer).values())


def block_parts(layer: LayerDesign) -> dict[str, int]:
    """Block RAMs of a layer, by the field of a plan that they depend on."""
    match layer:
        case JoinDesign():
            deep = (
                blocks(fmt.width, depth)
                for fmt, depth in zip(layer.sources, layer.depths, strict=True)
                if depth > LUT_RAM_DEPTH
            )
            return {"fifos": sum(deep)}
        case GlobalPoolDesign():
            return {}
        case EngineDesign():
            deep = layer.store > LUT_RAM_DEPTH
            return {
                "store": blocks(layer.source.width, layer.store) if deep else 0,
                "weights": _program_blocks(layer),
            }


def _program_blocks(engine: EngineDesign) -> int:
    """Block RAMs of what an engine's weights and scales become."""
    if engine.loadable:
        return sum(blocks(bits, words) for words, bits in _memories(engine, Place.BLOCK))
    found = 0
    if engine.place == Place.BLOCK:
        found += blocks(engine.code.layout.size, len(engine.program))
    match engine.end:
        case RequantiseDesign(place=place, pe=pe, digits=digits, bias_bits=bits, scales=rows):
            if place == Place.BLOCK:
                found += blocks(steps_layout(pe).size, len(rows) * (digits + 1))
            if len(rows) > BIAS_LOGIC_ROWS:
                found += blocks(pe * bits, len(rows))
    return found


def _memories(engine: EngineDesign, place: Place) -> list[tuple[int, int]]:
    """Words and bits of a loadable layer's memories that lie in a place."""
    return [
        (words, bits)
        for name, (words, bits) in memory_sizes(engine).items()
        if name != "last_word" and memory_place(engine, name, words) == place
    ]

"""The memories of a loadable layer: their sizes, and what one network's weights are in them."""

from collections.abc import Mapping

from amaranth import signed
from amaranth.lib import data

from hw.dataflow.design.engine import EngineDesign
from hw.dataflow.design.requantiser import AddBiasDesign, RequantiseDesign
from hw.dataflow.design.scales import BIAS_LOGIC_ROWS, high_parts, step_words, steps_layout
from hw.dataflow.plan import Place


def memory_sizes(engine: EngineDesign) -> Mapping[str, tuple[int, int]]:
    """Words and bits of each memory of a loadable layer, and of the register `last_word`; the same
    for all weights."""
    sizes = {
        "program": (engine.words, engine.code.layout.size),
        "last_word": (1, max(1, (engine.words - 1).bit_length())),
    }
    end = engine.end
    if isinstance(end, RequantiseDesign):
        assert end.room is not None
        rows, (digits, bias_bits) = len(end.scales), end.room
        sizes["steps"] = (rows * (digits + 1), steps_layout(end.pe).size)
        sizes["bias"] = (rows, end.pe * bias_bits)
    elif isinstance(end, AddBiasDesign):
        sizes["bias"] = (len(end.biases), end.bias_bits)
    return sizes


def memory_place(engine: EngineDesign, memory: str, words: int) -> Place:
    """Where a memory of so many words lies, LUT-RAM or block RAM: few biases in LUT-RAM."""
    return Place.LUTRAM if memory == "bias" and words <= BIAS_LOGIC_ROWS else engine.place


def memory_words(engine: EngineDesign) -> dict[str, list[int]]:
    """What the network's weights are in each memory of `memory_sizes`, as bits."""
    words = {
        "program": engine.code.words(engine.program),
        "last_word": [len(engine.program) - 1],
    }
    end = engine.end
    if isinstance(end, RequantiseDesign):
        assert end.room is not None
        steps = steps_layout(end.pe)
        high = data.ArrayLayout(signed(end.room.bias_bits), end.pe)
        words["steps"] = [_bits(steps, word) for word in step_words(end.scales, end.digits)]
        words["bias"] = [_bits(high, row) for row in high_parts(end.scales, end.digits)]
    elif isinstance(end, AddBiasDesign):
        words["bias"] = [value % (1 << end.bias_bits) for value in end.biases]
    return words


def _bits(layout: data.Layout, fields) -> int:
    return layout.const(fields).as_bits()

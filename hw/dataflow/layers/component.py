"""From what a layer is to the component that computes it."""

from amaranth.lib import wiring

from hw.dataflow.design.design import LayerDesign
from hw.dataflow.design.engine import EngineDesign
from hw.dataflow.design.joins import AddDesign, ConcatDesign, JoinDesign
from hw.dataflow.design.pools import GlobalPoolDesign
from hw.dataflow.layers.engine import Engine
from hw.dataflow.layers.global_pool import GlobalPool
from hw.dataflow.layers.joins import Add, Concat
from hw.dataflow.loading.addresses import AddressMap, address_bits
from hw.dataflow.loading.bus import Station


def component(layer: LayerDesign, regions: AddressMap) -> wiring.Component:
    """The component of a layer: stream ports `i` (or `i0`, `i1`, … for a join) and `o`.

    A loadable layer has a port `load` too, where `regions` say; they are empty where the weights
    are fixed.
    """
    match layer:
        case EngineDesign() if layer.loadable:
            registers = {"last_word": len(layer.program) - 1}
            bits = address_bits(regions)
            return Engine(layer, Station(regions[layer.name], registers, address_bits=bits))
        case EngineDesign():
            return Engine(layer)
        case GlobalPoolDesign():
            return GlobalPool(layer)
        case AddDesign():
            return Add(layer)
        case ConcatDesign():
            return Concat(layer)
        case JoinDesign():
            raise TypeError(f"{layer.name}: neither Add nor Concat")

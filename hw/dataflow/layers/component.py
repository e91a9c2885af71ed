"""From what a layer is to the component that computes it."""

from amaranth.lib import wiring

from hw.dataflow.design.design import LayerDesign
from hw.dataflow.design.engine import EngineDesign
from hw.dataflow.design.joins import AddDesign, ConcatDesign
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
    if not isinstance(layer, EngineDesign):
        return COMPONENTS[type(layer)](layer)
    if not layer.loadable:
        return Engine(layer)
    registers = {"last_word": len(layer.program) - 1}
    bits = address_bits(regions)
    return Engine(layer, Station(regions[layer.name], registers, address_bits=bits))


COMPONENTS = {GlobalPoolDesign: GlobalPool, AddDesign: Add, ConcatDesign: Concat}

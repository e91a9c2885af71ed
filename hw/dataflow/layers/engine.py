"""An engine: window, element and requantiser in a row. Convolutions, reductions, pools and the
classifier are engines."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.dataflow.design.engine import EngineDesign
from hw.dataflow.layers.elements import processing_element
from hw.dataflow.layers.requantise import REQUANTISERS, AddBias, Requantise
from hw.dataflow.layers.rounding import signed_of
from hw.dataflow.layers.window import Window
from hw.dataflow.loading.bus import Station


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

    def __init__(self, design: EngineDesign, station: Station | None = None):
        self.design, self.station = design, station
        x = signed_of(design.source)
        self.window = Window(design)
        self.elements = processing_element(design.element, x)
        self.requantise = design.end and REQUANTISERS[type(design.end)](design.end)
        load = {} if station is None else {"load": In(station.bus.signature.flip())}
        out = stream.Signature(signed_of(design.out))
        super().__init__({"i": In(stream.Signature(x)), "o": Out(out), **load})

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

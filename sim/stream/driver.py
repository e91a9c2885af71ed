"""What source and sink have in common: they hold back as `stall` says."""

from collections.abc import Sequence

from sim import stalls
from sim.stream.monitor import Monitor
from sim.stream.protocol import Rule
from sim.stream.signals import Signals
from sim.stream.testbench import Testbench


class Driver(Monitor):
    """A monitor that drives one side of its stream. Parameters: see Monitor; `stall`: see
    sim.stalls.
    """

    is_sink: bool

    def __init__(
        self,
        bench: Testbench,
        signals: Signals,
        *,
        shape: Sequence[int] | None = None,
        signed: bool = False,
        lanes: int = 1,
        rules: Sequence[Rule] | None = None,
        stall: stalls.AnyStall = "never",
    ):
        super().__init__(bench, signals, shape=shape, signed=signed, lanes=lanes, rules=rules)
        self.hold = stalls.holds(stall, self.rng())
        self._view = stalls.View(is_sink=self.is_sink, beats=self.frame_beats, row=self.row_beats)
        self.setup()

    def setup(self) -> None:
        """The last step of making one: the signal it drives is set to 0."""
        raise NotImplementedError

    def holds(self) -> bool:
        """Whether to hold back now, by what the last cycle showed."""
        now, view = self.sampled, self._view
        view.valid = now is not None and bool(now.valid)
        view.ready = now is not None and bool(now.ready)
        view.beat, view.idle = self.place, self.bench.idle
        return self.hold(view)

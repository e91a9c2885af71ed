"""Takes the beats of one output stream of a design."""

from collections.abc import Sequence

from sim import stalls
from sim.stream.monitor import Monitor
from sim.stream.protocol import Rule
from sim.stream.signals import Signals
from sim.stream.testbench import Testbench


class Sink(Monitor):
    """Takes the frames of an output stream, pausing between beats as `stall` says.

    Parameters: see Monitor; `stall`: see sim.stalls.
    """

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
        self._view = stalls.View(is_sink=True, beats=self.frame_beats, row=self.row_beats)
        signals.ready.value = 0

    def drive(self) -> None:
        if self.bench.in_reset:
            self.signals.ready.value = 0
            return
        now, view = self.sampled, self._view
        view.valid = now is not None and bool(now.valid)
        view.ready = now is not None and bool(now.ready)
        view.beat, view.idle = self.place, self.bench.idle
        self.signals.ready.value = int(not self.hold(view))

"""Takes the beats of one output stream of a design."""

from sim.stream.driver import Driver


class Sink(Driver):
    """Takes the frames of an output stream, pausing between beats as `stall` says.

    Parameters: see Driver.
    """

    is_sink = True

    def setup(self) -> None:
        self.signals.ready.value = 0

    def drive(self) -> None:
        self.signals.ready.value = int(not self.bench.in_reset and not self.holds())

"""What the executable model captures and gives out: what an overlay is to do with any program, also
with one that no compiler wrote."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from hw.overlay import isa
from hw.overlay.isa import Flow, Register
from hw.overlay.program import Program
from sim.overlay.meter import Meter
from sim.overlay.planes import Logit
from sim.overlay.script import Batch
from sim.overlay.writes import Memory, Write
from sim.scoreboard import Compared, Difference

LABEL = "captures"
LOGITS = "logits"


class _Recorder(Meter):
    """A machine that hands out each word that it has captured."""

    def __init__(self, program: Program):
        super().__init__(program)
        self.captured: list[tuple[int, np.ndarray]] = []
        self.sent: list[Logit] = []

    def _capture(self, word, wy, wx, last) -> None:
        at = self._address(word, wy, wx)
        super()._capture(word, wy, wx, last)
        self.captured.append((at, self.memory[at].copy()))

    def _flow(self, word) -> None:
        super()._flow(word)
        image = self.registers[Register.OUTPUT] & 15
        if word.flow is Flow.OUT and image < len(self.logits):
            value = isa.signed(self.collected, self.hardware.logit_bits)
            self.sent.append((value, word.argument))


class Recorded:
    """A program's run in the executable model.

    Parameters
    ----------
    program: it
    images: uint8 (N, H, W, C), that come again and again
    batches: that are done, from the program's first image on

    Members
    -------
    hits: what it went through, (group, bin) of `sim.coverage.overlays` -> times
    """

    def __init__(self, program: Program, images: np.ndarray, batches: Sequence[Batch]):
        self.program, self.images, self.batches = program, images, tuple(batches)
        machine = _Recorder(program)
        self._captured: dict[int, list[tuple[int, np.ndarray]]] = {}
        self._logits: dict[int, list[Logit]] = {}
        for batch in self.batches:
            machine.captured, machine.sent = [], []
            wanted = np.arange(batch.first, batch.first + batch.count) % len(images)
            machine.run(images[wanted])
            self._captured[batch.first] = machine.captured
            self._logits[batch.first] = machine.sent
        self.hits = machine.hits
        self._beats, self._mismatches = 0, 0
        self._difference: Difference | None = None

    @property
    def output(self) -> str:
        return LOGITS

    def fresh(self) -> "Recorded":
        """The same, nothing compared yet."""
        found = object.__new__(Recorded)
        found.__dict__ |= self.__dict__
        found._beats, found._mismatches, found._difference = 0, 0, None
        return found

    def logits(self, batch: Batch) -> list[Logit]:
        """Of a batch, in the order in which they leave."""
        return self._logits[batch.first]

    def read(
        self, writes: Iterable[Write], batches: Sequence[Batch], memory: Memory, *, whole: bool
    ) -> int:
        """As `Planes.read`: every word right after its capture."""
        wanted = self._wanted(batches)
        for write in writes:
            memory.do(write)
            if not write.capture:
                continue
            expected = next(wanted, None)
            if expected is None:
                return -1
            self._compare(memory, *expected)
        return sum(1 for _ in wanted)

    def _wanted(self, batches: Sequence[Batch]) -> Iterator[tuple[int, int, np.ndarray]]:
        for batch in batches:
            for address, word in self._captured[batch.first]:
                yield batch.first, address, word

    def _compare(self, memory: Memory, frame: int, address: int, word: np.ndarray) -> None:
        found = memory.words[address]
        self._beats += word.size
        wrong = found != word
        if wrong.any():
            flips = (found ^ word)[wrong].astype(np.uint32)
            self._mismatches += int(np.bitwise_count(flips).sum())
            if self._difference is None:
                y, x = (int(axis[0]) for axis in np.nonzero(wrong))
                self._difference = Difference(
                    frame, y, x, address, int(word[y, x]), int(found[y, x])
                )

    def compared(self, frames: int) -> list[Compared]:
        """One figure: the pixels of all words captured; of a difference `channel` is the word."""
        total = sum(len(self._captured[b.first]) for b in self.batches)
        size = self.program.hardware.lanes
        return [Compared(LABEL, self._beats, total * size, self._mismatches, self._difference)]

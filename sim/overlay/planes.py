"""Every plane of every node, gathered from the writes of an overlay's data memory, against the
reference."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hw.ir.network import Network
from hw.overlay.compiler.compile import Compiled
from hw.overlay.places import Place
from sim.overlay.script import Batch
from sim.overlay.writes import Memory, Write, captures
from sim.scoreboard import Compared, Difference


@dataclass(frozen=True)
class Due:
    """A channel that is complete after so many captures of its section."""

    captures: int
    name: str
    channel: int
    place: Place


_Look = tuple[Batch, int | None, int, Due]
"""A batch, an image's place in it (None: of all), its number since the program began, a channel."""

AT_PORT = " (m_axis)"

Logit = tuple[int, int]
"""Its value, and whether it is the image's last."""


@dataclass
class _Tally:
    beats: int = 0
    mismatches: int = 0
    difference: Difference | None = None


class Planes:
    """A network's tensors, and where its program leaves them.

    Parameters
    ----------
    network, compiled: the program is of this network
    tensors: the reference's, by name, (N, H, W, C): of so many images, which come again and again
    """

    def __init__(self, network: Network, compiled: Compiled, tensors: Mapping[str, np.ndarray]):
        self.network, self.compiled, self.tensors = network, compiled, tensors
        program = compiled.program
        self.due: dict[str, list[Due]] = {}
        self.most: dict[str, int] = {}
        for section, words in (("prefix", program.prefix), ("suffix", program.suffix)):
            done = captures(words)
            self.most[section] = int(done[-1])
            self.due[section] = sorted(
                (
                    Due(int(done[place.index]), name, channel, place)
                    for name, places in compiled.places.items()
                    for channel, place in enumerate(places)
                    if place.section == section
                ),
                key=lambda due: due.captures,
            )
        self._tallies = {node.name: _Tally() for node in network.graph}

    def read(
        self, writes: Iterable[Write], batches: Sequence[Batch], memory: Memory, *, whole: bool
    ) -> int:
        """Compare what has been written since the program began; returns how many captures were
        missing, -1 where there was one too many.

        A plane is looked at just before the capture that follows the one that completes it.

        Parameters
        ----------
        writes: of these batches
        memory: they are done to it
        whole: they are to be done to their end, not cut off by a reset
        """
        steps = self._steps(batches)
        left, checks = next(steps, (0, None))

        def look() -> None:
            nonlocal left, checks
            while left == 0 and checks is not None:
                for batch, place, image, due in checks:
                    self._look(memory, due, batch, place, image)
                left, checks = next(steps, (0, None))

        for write in writes:
            if write.capture:
                look()
                if checks is None:
                    return -1
                left -= 1
            memory.do(write)
        if whole:
            look()
        return left + sum(count for count, _ in steps)

    def _steps(self, batches: Sequence[Batch]) -> Iterator[tuple[int, list[_Look]]]:
        """So many captures, and what is looked at then, in the order of the program."""
        image = -1
        for batch in batches:
            for place in range(batch.count):
                image += 1
                yield from self._section("prefix", batch, place, image)
            yield from self._section("suffix", batch, None, image)

    def _section(
        self, section: str, batch: Batch, place: int | None, image: int
    ) -> Iterator[tuple[int, list[_Look]]]:
        done = 0
        for count, dues in itertools.groupby(self.due[section], lambda due: due.captures):
            yield count - done, [(batch, place, image, due) for due in dues]
            done = count
        yield self.most[section] - done, []

    def _look(self, memory: Memory, due: Due, batch: Batch, place: int | None, image: int) -> None:
        program, where = self.compiled.program, due.place
        # Images take turns between the two buffers, from the first one on.
        start = where.address + (where.image and image % 2) * program.image_step
        words = memory.words[start : start + where.words]
        tensor, tally = self.tensors[due.name], self._tallies[due.name]
        for position in range(batch.count) if place is None else (place,):
            frame = batch.first + position
            wanted = tensor[frame % len(tensor), :, :, due.channel]
            found = where.pixels(words, wanted.shape, divmod(position, program.batch[1]))
            tally.beats += wanted.size
            wrong = found != wanted
            if wrong.any():
                flips = (found ^ wanted) & 0xFFFFFFFF
                tally.mismatches += int(np.bitwise_count(flips[wrong].astype(np.uint32)).sum())
                if tally.difference is None:
                    y, x = (int(axis[0]) for axis in np.nonzero(wrong))
                    tally.difference = Difference(
                        frame, y, x, due.channel, int(wanted[y, x]), int(found[y, x])
                    )

    @property
    def output(self) -> str:
        """What the logits are called; a tensor that has planes too is marked."""
        name = self.network.graph.output.name
        return f"{name}{AT_PORT}" if name in self.compiled.places else name

    def logits(self, batch: Batch) -> list[Logit]:
        """Of a batch, in the order in which they leave."""
        tensor = self.tensors[self.network.graph.output.name]
        last = tensor[0].size - 1
        return [
            (int(value), int(number == last))
            for image in range(batch.first, batch.first + batch.count)
            for number, value in enumerate(tensor[image % len(tensor)].reshape(-1))
        ]

    def fresh(self) -> "Planes":
        """The same, nothing compared yet."""
        return Planes(self.network, self.compiled, self.tensors)

    def compared(self, frames: int) -> list[Compared]:
        """What was found of each node that has planes, in the network's order."""
        return [
            Compared(
                name,
                tally.beats,
                frames * self.tensors[name][0].size,
                tally.mismatches,
                tally.difference,
            )
            for name, tally in self._tallies.items()
            if name in self.compiled.places
        ]

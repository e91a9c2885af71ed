"""What all operations of a program share while it is written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hw.errors import InputError
from hw.ir.arithmetic import in_formats, out_format
from hw.ir.format import Format, width_of
from hw.ir.graph import Node, Pair
from hw.ir.network import Network
from hw.overlay import isa
from hw.overlay.compiler.emitter import Emitter, Group, View
from hw.overlay.compiler.finish import Finish, finish, immediates
from hw.overlay.compiler.levels import Sum, TooFar, arrange
from hw.overlay.compiler.placement import Gather, Placement, words
from hw.overlay.compiler.planes import Memory, Tensor
from hw.overlay.compiler.ranges import Range
from hw.overlay.compiler.reach import Reach
from hw.overlay.compiler.terms import Wanted
from hw.overlay.hardware import Overlay
from hw.overlay.places import Place


@dataclass
class Builder:
    """A program under construction.

    Members
    -------
    tensors: where those lie that are still to be read
    places: of every tensor's channels, for whoever wants to look at them
    later: what is left to be done when the suffix begins
    shared: tensors moved among those of other images, for the suffix
    dry: whether only planes are taken and given back, and sums left out
    gathered: of each node that reads a copy of its input, which, and its planes
    aimed: whether slots count from where all planes can be named, see `aim`
    acc_bits: of the widest sum so far
    ranges: of every tensor's channels
    """

    network: Network
    hardware: Overlay
    placement: Placement
    memory: Memory
    emitter: Emitter = field(default_factory=Emitter)
    dry: bool = False
    section: str = "prefix"
    tensors: dict[str, Tensor] = field(default_factory=dict)
    places: dict[str, dict[int, Place]] = field(default_factory=dict)
    later: list[Callable[[], None]] = field(default_factory=list)
    reserved: dict[str, tuple[int, ...]] = field(default_factory=dict)
    twins: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    last_reader: dict[str, str] = field(default_factory=dict)
    released: set[tuple[str, int]] = field(default_factory=set)
    shared: dict[str, Tensor] = field(default_factory=dict)
    gathered: dict[str, tuple[Gather, tuple[int, ...]]] = field(default_factory=dict)
    aimed: bool = True
    acc_bits: int = 0
    ranges: Mapping[str, Range] = field(default_factory=dict)

    # Tensors ---------------------------------------------------------------------------------

    def source(self, node: Node) -> Tensor:
        """What a node reads: its input, or the copy that was gathered for it."""
        if node.name in self.gathered:
            gather, planes = self.gathered[node.name]
            rows, columns = map(Reach, gather.used)
            return Tensor(planes, (rows.pitch, columns.pitch))
        return self.tensors[node.inputs[0]]

    def in_format(self, node: Node) -> Format:
        return in_formats(self.network, node.name)[0]

    def out_format(self, node: Node) -> Format:
        return out_format(self.network, node.name)

    def cut(self, node: Node) -> tuple[bool, bool]:
        return (False, False) if self.section == "suffix" else self.placement.cuts(node)

    def deferred(self, node: Node) -> bool:
        """Whether a node's last passes can be done for all images of the batch at once."""
        return any(self.cut(node))

    def take(self, node: Node, planes: int, *, pairs: bool = False) -> tuple[int, ...]:
        """Planes for a node's output, or for half-done ones of it; see `Memory.take`."""
        reserved = self.reserved.pop(node.name, None)
        if reserved is None:
            pitch = self.placement.pitches[node.name]
            return self.memory.take(node.name, planes, pitch, pairs=pairs)
        assert len(reserved) == planes
        return reserved

    def give(self, node: Node, planes: Sequence[int], image: bool = False) -> None:
        """The node's tensor lies there."""
        tensor = Tensor(tuple(planes), self.placement.pitches[node.name], image)
        self.tensors[node.name] = tensor

    def done(self, node: Node, channel: int, plane: int, index: int) -> None:
        """A channel of the node's tensor is complete."""
        home = self.section == "prefix" and not any(self.cut(node))
        place = Place(plane, self.placement.pitches[node.name], self.section, index, home=home)
        self.places.setdefault(node.name, {})[channel] = place

    def last_read(self, node: Node) -> set[str]:
        """Tensors that nobody reads after this node."""
        return {name for name in self.inputs[node.name] if self.last_reader[name] == node.name}

    def sole_reader(self, node: Node) -> bool:
        """Whether nobody reads the planes of a node's input after it, under any name."""
        if node.name in self.gathered:
            return False
        name = node.inputs[0]
        return name in self.last_read(node) and self.memory.held_once(self.tensors[name].planes)

    def release(self, name: str, channel: int) -> None:
        """A channel of a tensor will not be read any more."""
        if not self.tensors[name].image:
            self.memory.drop([self.tensors[name].planes[channel]])
            self.released.add((name, channel))

    def drop(self, name: str) -> None:
        """Nor will what is left of it."""
        for channel in range(len(self.tensors[name].planes)):
            if (name, channel) not in self.released:
                self.release(name, channel)
        del self.tensors[name]

    # Sums ------------------------------------------------------------------------------------

    def arrange(self, node: Node, wanted: Wanted, ending: Finish | None = None) -> Sum:
        """`levels.arrange`, with what does not fit refused in the node's name.

        ending: what follows; its offset is added
        """
        if ending is not None and ending.offset:
            extra = ending.offset << wanted.shift
            wanted = replace(wanted, constant=wanted.constant + extra)
        try:
            found = arrange(wanted)
        except TooFar as error:
            raise InputError(
                f"{node.name}: {error}; an overlay adds what is above it again and again, at most"
                " some thousand times: give the tensors other fractional bits"
            ) from None
        margin = (ending.floor or 0) if ending else 0
        self.check(node, found.low, max(found.high, found.high + margin))
        return found

    def check(self, node: Node, low: int, high: int) -> None:
        """Refuse a sum that does not fit the accumulators."""
        bits = width_of(low, high)
        self.acc_bits = max(self.acc_bits, bits)
        if bits > self.hardware.acc_bits:
            raise InputError(
                f"{node.name}: its sums reach from {low} to {high}, {bits} bits; the overlay's"
                f" accumulators have {self.hardware.acc_bits}: take acc_bits {bits}"
            )

    def finish(self, node: Node) -> Finish:
        """How the node's sums become its format."""
        return finish(node.name, self.out_format(node), self.hardware.data_bits)

    def end(self, group: Group, plane: int, ending: Finish) -> None:
        """What follows a sum: the first pass of its capture."""
        if ending.floor is not None:
            group.word(isa.Jump(isa.Flow.CLEAR_NEGATIVE))
            group.packed(immediates(ending.floor))
        group.capture(plane, ending.mode)

    def complete(
        self,
        node: Node,
        channels: Sequence[int],
        planes: Sequence[int],
        indices: Sequence[int],
        ending: Finish,
    ) -> None:
        """The node's planes have been captured: what a second pass is needed for, and the note."""
        if ending.second is None:
            for channel, plane, index in zip(channels, planes, indices, strict=True):
                self.done(node, channel, plane, index)
        elif self.deferred(node):
            self.later.append(lambda: self._again(node, channels, planes, ending))
        else:
            self._again(node, channels, planes, ending)

    def _again(
        self, node: Node, channels: Sequence[int], planes: Sequence[int], ending: Finish
    ) -> None:
        assert ending.second is not None
        offset, mode = ending.second
        self.pixelwise(node)
        self.aim(planes)
        for channel, plane in zip(channels, planes, strict=True):
            group = Group()
            self.read(group, plane)
            group.packed(immediates(offset))
            group.capture(plane, mode)
            self.done(node, channel, plane, self.emitter.group(group))

    # Views -----------------------------------------------------------------------------------

    def windowed(self, node: Node, kernel: Sequence[int], stride: Pair, padding: Pair) -> View:
        """Of a node that reads windows of its input."""
        if max(kernel) > 1 << isa.MOST_TAP_BITS:
            raise InputError(f"{node.name}: a window of {tuple(kernel)}; an overlay's reach to 16")
        source, low = self.source(node), (0, 0)
        if node.name in self.gathered:
            rows, columns = map(Reach, self.gathered[node.name][0].used)
            low = rows.low, columns.low
        return View(
            pitch_in=source.pitch,
            pitch_out=self.placement.pitches[node.name],
            size=node.shape[:2],
            stride=stride,
            offset=(-padding[0] - low[0], -padding[1] - low[1]),
            image=source.image,
            cut=self.cut(node),
            tap_bits=(max(kernel) - 1).bit_length(),
            spare=self._spare(node),
        )

    def _spare(self, node: Node) -> Pair:
        """Lanes down and to the right of a node's input, whichever image's it is."""
        if node.name in self.gathered:
            return 0, 0
        source, shape = self.source(node), self.network.graph[node.inputs[0]].shape
        found = []
        for axis, lanes in enumerate((self.hardware.rows, self.hardware.columns)):
            p, side = source.pitch[axis], shape[axis]
            last = side - 1 >> p if p >= 0 else (side - 1 << -p) + self.placement.batch[axis] - 1
            found.append(lanes - 1 - last)
        return found[0], found[1]

    def pixelwise(self, node: Node, **changes: Any) -> None:
        """What is read and written lies as the node's output does."""
        pitch = self.placement.pitches[node.name]
        view = View(pitch_in=pitch, pitch_out=pitch, size=node.shape[:2], cut=self.cut(node))
        self.emitter.configure(replace(view, **changes))

    def aim(self, planes: Sequence[int]) -> None:
        """Let slots count from where these planes can all be named, if there is such a place.

        `planes` lie at the pitch that the view reads. Where there is none, `sum` moves the window.
        """
        view = self.emitter.view
        assert view is not None
        slots = np.asarray(planes) // words(view.pitch_in)
        room = 1 << (isa.OPERAND_BITS - 2 * view.tap_bits)
        self.aimed = True
        if slots.max() < room:
            self.emitter.base(0)
        elif slots.max() - slots.min() < room:
            self.emitter.base(int(slots.min()))
        else:
            # Groups move the window themselves, from the memory's beginning.
            self.emitter.base_slot = 0
            self.emitter.forget_base()
            self.aimed = False

    def sum(self, group: Group, found: Sum) -> None:
        """A sum's words; where its slots do not fit one window, with words that move the window."""
        if self.aimed:
            group.sum(found)
            return
        view = self.emitter.view
        assert view is not None
        room = isa.OPERAND_BITS - 2 * view.tap_bits
        slots = found.reads // words(view.pitch_in) - self.emitter.base_slot
        window = np.where(found.reads >= 0, slots >> room, -1)
        now, start = -1, 0
        for at in np.flatnonzero(window >= 0).tolist():
            if window[at] != now:
                now = int(window[at])
                group.add(found.words[start:at], found.reads[start:at])
                slot = self.emitter.base_slot + (now << room)
                group.word(
                    isa.Set(isa.Register.BASE_LOW, slot & 0xFF),
                    isa.Set(isa.Register.BASE_HIGH, slot >> 8),
                )
                start = at
        group.add(found.words[start:], found.reads[start:])
        if now >= 0:
            self.emitter.forget_base()

    def read(
        self,
        group: Group,
        plane: int,
        *,
        negative: bool = False,
        halve: bool = False,
        tap: Pair = (0, 0),
    ) -> None:
        """Add a pixel of a plane, at which the emitter has been aimed."""
        view = self.emitter.view
        assert view is not None
        slot = plane // words(view.pitch_in) - self.emitter.base_slot
        word = isa.Weight(isa.operand(slot, *tap, view.tap_bits), negative, halve)
        group.word(word, plane=plane)

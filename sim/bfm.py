"""Bus-functional models of valid/ready streams, for use inside a cocotb test.

All agents of a bench move together, so that a cycle costs two triggers however many streams there
are: on the falling edge every agent drives its signals, and once these have settled every agent
samples what the coming rising edge will see.
"""

import random
from collections.abc import Iterator, Sequence

from cocotb.handle import LogicObject, SimHandleBase
from cocotb.triggers import FallingEdge, ReadOnly

from sim.stalls import Stall, pauses


class ProtocolError(AssertionError):
    """A stream broke a rule: valid was withdrawn, or the payload changed before it was taken."""


class Hang(AssertionError):
    """Nothing moved for too long."""


class Monitor:
    """Watches one stream: collects its beats, checks its protocol.

    Parameters
    ----------
    dut, name: the stream is `dut.<name>__valid`, `__ready`, `__payload`
    signed: whether the payload is two's complement
    goal: beats that should pass in all
    """

    def __init__(self, dut: SimHandleBase, name: str, signed: bool, goal: int):
        self.name, self.signed, self.goal = name, signed, goal
        self.valid: LogicObject = getattr(dut, f"{name}__valid")
        self.ready: LogicObject = getattr(dut, f"{name}__ready")
        self.payload = getattr(dut, f"{name}__payload")
        self.beats: list[int] = []
        self.held: int | None = None

    def drive(self) -> None:
        """Set our signals for the coming rising edge."""

    def sample(self) -> bool:
        """Look at the settled signals; true if a beat is transferred at the coming rising edge."""
        if not self.valid.value:
            if self.held is not None:
                raise ProtocolError(
                    f"{self.name}: valid withdrawn before beat {len(self.beats)} was taken"
                )
            return False
        value = self.payload.value
        payload = value.to_signed() if self.signed else value.to_unsigned()
        if self.held is not None and payload != self.held:
            raise ProtocolError(
                f"{self.name}: payload of beat {len(self.beats)} changed from {self.held} "
                f"to {payload} before it was taken"
            )
        if not self.ready.value:
            self.held = payload
            return False
        self.held = None
        self.beats.append(payload)
        return True


class Source(Monitor):
    """Feeds beats into an input stream, pausing between them; a beat once offered stays until it is
    taken.
    """

    def __init__(
        self,
        dut: SimHandleBase,
        name: str,
        signed: bool,
        beats: Sequence[int],
        stall: Stall,
        rng: random.Random,
    ):
        super().__init__(dut, name, signed, len(beats))
        self.queue = beats
        self.pauses = pauses(stall, rng)
        self.mask = (1 << len(self.payload)) - 1
        self.offered: int | None = None
        self.valid.value = 0

    @property
    def done(self) -> bool:
        return len(self.beats) == self.goal

    def drive(self) -> None:
        position = len(self.beats)
        if self.offered == position:
            return
        if self.done or next(self.pauses):
            self.valid.value = 0
            return
        self.offered = position
        self.payload.value = self.queue[position] & self.mask
        self.valid.value = 1


class Sink(Monitor):
    """Takes the beats of an output stream, pausing between them."""

    def __init__(
        self,
        dut: SimHandleBase,
        name: str,
        signed: bool,
        goal: int,
        stall: Stall,
        rng: random.Random,
    ):
        super().__init__(dut, name, signed, goal)
        self.reluctant = stall == "after_valid"
        self.pauses = pauses(stall, rng)
        self.ready.value = 0

    def drive(self) -> None:
        if self.reluctant:
            self.ready.value = int(self.held is not None)
        else:
            self.ready.value = int(not next(self.pauses))


class Bench:
    """Steps a set of agents on one clock."""

    def __init__(self, clock: LogicObject, agents: Sequence[Monitor]):
        self.clock, self.agents = clock, agents
        self.cycles = 0

    async def cycle(self) -> bool:
        """One clock cycle; true if any stream transferred a beat."""
        await FallingEdge(self.clock)
        for agent in self.agents:
            agent.drive()
        await ReadOnly()
        self.cycles += 1
        return any([agent.sample() for agent in self.agents])

    def moves(self) -> Iterator[str]:
        """What each stream has done so far, for messages."""
        for agent in self.agents:
            valid, ready = int(agent.valid.value), int(agent.ready.value)
            beats = f"{len(agent.beats)} of {agent.goal} beats"
            yield f"{agent.name}: {beats}, valid={valid} ready={ready}"

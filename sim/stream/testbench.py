"""Moves all agents of a test together, so that a cycle costs two triggers however many streams
there are: on the falling edge every agent drives its signals, and once these have settled every
agent samples what the coming rising edge will see.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cocotb
from cocotb.handle import LogicObject
from cocotb.triggers import Event, FallingEdge, ReadOnly, RisingEdge
from cocotb.utils import get_sim_time

from sim.stream.signals import level

PATIENCE = 20_000
"""Cycles in which nothing moves, after which the design is said to hang."""

SETTLE = 64
"""Cycles watched after the last expected beat: another one would be one too many."""


class Hang(AssertionError):
    """Nothing moved for too long while something was awaited."""


class Agent(Protocol):
    """What a testbench moves; `Source`, `Sink` and `Monitor` are agents, yours may be more."""

    def drive(self) -> None:
        """Set our signals for the coming rising edge."""

    def sample(self) -> bool:
        """Look at the settled signals; true if something moves at the coming rising edge.

        An AssertionError from here fails the test.
        """
        ...

    def state(self) -> str:
        """What it has done so far, for messages."""
        ...

    def problem(self) -> str | None:
        """What is still missing before the test may end, or None."""
        ...


@dataclass(frozen=True)
class _Waiting:
    condition: Callable[[], bool]
    event: Event
    for_motion: bool


class Testbench:
    """Agents on one clock. It runs by itself from its creation on; the clock is the test's own.

    Parameters
    ----------
    clock: the agents drive at its falling edge and sample for its rising edge
    reset: the design's synchronous reset, if it has one
    active_low: whether a low level resets
    seed: of all stalls; default: cocotb's own seed
    patience: cycles in which nothing moves before an awaited thing counts as a hang

    A breach of a rule, a difference, a hang raises an AssertionError: in what the test awaits from
    this testbench, else in the test as a whole. Nothing goes unnoticed.
    """

    def __init__(
        self,
        clock: LogicObject,
        reset: LogicObject | None = None,
        *,
        active_low: bool = False,
        seed: int | str | None = None,
        patience: int = PATIENCE,
    ):
        self.clock, self.rst, self.active = clock, reset, not active_low
        self.seed = cocotb.RANDOM_SEED if seed is None else seed
        self.patience = patience
        self.agents: list[Agent] = []
        self.in_reset = reset is not None
        self.cycles = 0
        """Cycles out of reset in which agents could drive."""
        self.idle = 0
        """Cycles since something moved."""
        self._reset_cycles = 0
        self._waiting: list[_Waiting] = []
        self._failure: AssertionError | None = None
        self._task = cocotb.start_soon(self._run())

    def add(self, agent: Agent) -> None:
        """Move this agent too, after those that are there."""
        self.agents.append(agent)

    async def reset(self, cycles: int = 3) -> None:
        """Hold the design in reset for some rising edges, in mid-frame or at the start.

        Sources drop the frame that they have begun, monitors what they have of a frame.
        """
        if self.rst is None:
            raise ValueError("this testbench has no reset")
        self.rst.value = int(self.active)
        end = self._reset_cycles + cycles
        await self._wait(lambda: self._reset_cycles >= end, for_motion=False)
        self.rst.value = int(not self.active)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition, looked at in every cycle; returns at a rising edge.

        Raises
        ------
        AssertionError: what went wrong meanwhile; `Hang` where nothing moved for too long.
        """
        await self._wait(condition, for_motion=True)

    async def clock_cycles(self, count: int) -> None:
        """Wait for `count` cycles out of reset, whether anything moves or not."""
        end = self.cycles + count
        await self._wait(lambda: self.cycles >= end, for_motion=False)

    async def finish(self, settle: int = SETTLE) -> None:
        """Wait until everything sent is taken and everything expected has come, then watch for
        `settle` cycles that no beat follows.

        Raises
        ------
        AssertionError: what went wrong, or never came.
        """
        await self.until(lambda: not any(agent.problem() for agent in self.agents))
        await self.clock_cycles(settle)

    def stop(self) -> None:
        """Let go of the signals; another testbench may take over."""
        self._task.cancel()

    def when(self) -> str:
        """Cycle and simulated time, for messages."""
        return f"cycle {self.cycles}, {get_sim_time('ps') / 1000:.1f} ns"

    async def _wait(self, condition: Callable[[], bool], for_motion: bool) -> None:
        if self._failure is None and not condition():
            waiting = _Waiting(condition, Event(), for_motion)
            self._waiting.append(waiting)
            await waiting.event.wait()
        if self._failure is not None:
            raise self._failure

    async def _run(self) -> None:
        while self._failure is None:
            await FallingEdge(self.clock)
            for agent in self.agents:
                agent.drive()
            await ReadOnly()
            try:
                self._sample()
                self._look_for_a_hang()
            except AssertionError as error:
                self._failure = error
            due = [w for w in self._waiting if self._failure is not None or w.condition()]
            if due:
                self._waiting = [w for w in self._waiting if w not in due]
                await RisingEdge(self.clock)
                for waiting in due:
                    waiting.event.set()
            elif self._failure is not None:
                raise self._failure

    def _sample(self) -> None:
        was_in_reset = self.in_reset
        # A reset that is unknown, before anything drives it, counts as reset.
        self.in_reset = self.rst is not None and level(self.rst) in (self.active, None)
        self._reset_cycles += self.in_reset
        self.cycles += not was_in_reset
        moved = [agent.sample() for agent in self.agents]
        self.idle = 0 if self.in_reset or any(moved) else self.idle + 1

    def _look_for_a_hang(self) -> None:
        if self.idle > self.patience and any(waiting.for_motion for waiting in self._waiting):
            states = "; ".join(agent.state() for agent in self.agents)
            raise Hang(f"nothing moved for {self.idle} cycles: {states}")

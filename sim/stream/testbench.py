"""Moves all agents of a test together, so that a cycle costs two triggers however many streams
there are: on the falling edge every agent drives its signals, and once these have settled every
agent samples what the coming rising edge will see.
"""

import inspect
from asyncio import CancelledError
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cocotb
from cocotb.handle import LogicObject
from cocotb.task import current_task
from cocotb.triggers import Event, FallingEdge, ReadOnly, RisingEdge
from cocotb.utils import get_sim_time

from sim.stream.signals import level

PATIENCE = 20_000
"""Cycles in which nothing moves, after which the design is said to hang."""

SETTLE = 64
"""Cycles watched after the last expected beat: another one would be one too many."""


class Hang(AssertionError):
    """Nothing moved for too long while something was awaited."""


class EndedWithoutFinish(AssertionError):
    """The test ended while something sent or expected was missing, and nobody had waited for it."""


class Agent(Protocol):
    """What a testbench moves; `Source`, `Sink` and `Monitor` are agents, yours may be more.

    All four are plain functions, never `async`, and are called once a cycle: `drive` of all agents,
    then `sample` of all. An agent that has a method `flush` too gets that call when a reset begins.
    """

    def drive(self) -> None:
        """Set our signals for the coming rising edge."""

    def sample(self) -> bool:
        """Look at the settled signals; True if something moves at the coming rising edge, else
        False.

        An error from here fails the test.
        """
        ...

    def state(self) -> str:
        """What it has done so far, for messages."""
        ...

    def problem(self) -> str | None:
        """What is still missing before the test may end, or None."""
        ...


AGENT = ("drive", "sample", "state", "problem")
"""What every agent has."""


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
    this testbench, else in the test as a whole. Nothing goes unnoticed: a test that ends while
    something is missing, without `finish`, fails too.

    `on_finish` is a list of functions that `finish` calls at its end.
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
        self.on_finish: list[Callable[[], None]] = []
        self._moved = False
        self._finished = False
        self._reset_cycles = 0
        self._waiting: list[_Waiting] = []
        self._failure: Exception | None = None
        self._test = current_task()
        self._task = cocotb.start_soon(self._run())

    def add(self, agent: Agent) -> None:
        """Move this agent too, after those that are there.

        Raises
        ------
        ValueError: it lacks something that an agent has, or is moved already.
        """
        what = agent.__name__ if isinstance(agent, type) else type(agent).__name__
        if isinstance(agent, type):
            raise ValueError(f"{what}: is a class; an agent is an object of it")
        for name in AGENT:
            method = getattr(agent, name, None)
            if not callable(method):
                raise ValueError(f"{what}: has no {name}(); an agent has {', '.join(AGENT)}")
            if inspect.iscoroutinefunction(method):
                raise ValueError(f"{what}: {name} is async; an agent's functions are plain ones")
        if any(agent is other for other in self.agents):
            raise ValueError(f"{what}: is moved already")
        self.agents.append(agent)

    async def reset(self, cycles: int = 3) -> None:
        """Hold the design in reset for some rising edges, in mid-frame or at the start.

        Once a beat has moved, a reset flushes all agents: sources drop what they have still to
        send, monitors and sinks what nobody has received, scoreboards what has not come. Before
        that it drops nothing: frames may be queued and expected before the first reset.
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
        AssertionError: what went wrong, or never came; or no beat has moved since the last reset,
        so that there was nothing to find.
        """
        await self.until(lambda: not self._problems())
        await self.clock_cycles(settle)
        self._finished = True
        if not self._moved:
            raise AssertionError(
                "finish: no beat has moved since the last reset; send frames before finish()"
            )
        for check in self.on_finish:
            check()

    def stop(self) -> None:
        """Let go of the signals; another testbench may take over."""
        self._finished = True
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

    def _problems(self) -> list[str]:
        """What the agents still miss."""
        found = []
        for agent in self.agents:
            problem = agent.problem()
            if not (problem is None or (problem and isinstance(problem, str))):
                self._failure = TypeError(
                    f"{type(agent).__name__}: problem() returned {problem!r}, expected a text or "
                    "None"
                )
                raise self._failure
            if problem is not None:
                found.append(problem)
        return found

    async def _run(self) -> None:
        try:
            await self._cycles()
        except CancelledError:
            self._ended()
            raise

    def _ended(self) -> None:
        """The test is over: was it right to end here?

        Raises
        ------
        EndedWithoutFinish: something is missing that nobody has waited for. What it is stands in
        the log, for cocotb tells of this error its name only.
        """
        if self._finished or self._failure is not None:
            return
        if not self._test.done() or self._test.cancelled() or self._test.exception() is not None:
            return
        problems = self._problems()
        log = cocotb.log.error if problems else cocotb.log.warning
        log("%s", "; ".join(["the test ended without finish()", *problems]))
        if problems:
            raise EndedWithoutFinish("; ".join(problems))

    async def _cycles(self) -> None:
        while self._failure is None:
            await FallingEdge(self.clock)
            for agent in self.agents:
                agent.drive()
            await ReadOnly()
            try:
                self._sample()
                self._look_for_a_hang()
            except Exception as error:
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
        if self.in_reset and self._moved:
            self._flush()
        moved = any([self._sampled(agent) for agent in self.agents])
        self._moved |= moved
        self.idle = 0 if self.in_reset or moved else self.idle + 1

    def _flush(self) -> None:
        self._moved = False
        for agent in self.agents:
            flush = getattr(agent, "flush", None)
            if flush is not None:
                flush()

    def _sampled(self, agent: Agent) -> bool:
        moves = agent.sample()
        if moves not in (True, False):
            raise TypeError(
                f"{type(agent).__name__}: sample() returned {moves!r}, expected True (something "
                "moves) or False"
            )
        return moves

    def _look_for_a_hang(self) -> None:
        if self.idle > self.patience and any(waiting.for_motion for waiting in self._waiting):
            states = "; ".join(agent.state() for agent in self.agents)
            raise Hang(f"nothing moved for {self.idle} cycles: {states}")

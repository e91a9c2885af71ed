"""A component with free inputs, and statements about it: the subject of a proof."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from amaranth.asserts import AnyConst
from amaranth.hdl import (
    Array,
    Assert,
    Assume,
    Cover,
    Module,
    ResetSignal,
    Shape,
    ShapeLike,
    Signal,
    Value,
    ValueLike,
)
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hw.verilog.convert import to_rtlil

TOP = "bench"
"""Name of the wrapper's module."""

DUT = "dut"
"""Instance name of the component under proof."""


class Kind(StrEnum):
    """What a statement is for."""

    RULE = "rule"
    """Proved: what the proof is about."""
    LEMMA = "lemma"
    """Proved with the rules: an invariant of the inside that makes them inductive."""
    ASSUMPTION = "assumption"
    """Taken for granted of the inputs."""
    COVER = "cover"
    """Reached in some run: shows that assumptions and rules are not empty."""


@dataclass(frozen=True)
class Statement:
    """One named condition that holds in every cycle (or, of a cover, in some)."""

    kind: Kind
    name: str


@dataclass(frozen=True)
class Independent:
    """No combinational path leads from any of the wires `sources` to the wire `target`."""

    name: str
    target: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Port:
    """The handshake of a stream of the component, and `transfer`: a beat passes in this cycle."""

    valid: Signal
    ready: Signal
    payload: Value
    transfer: Signal


class Shown(NamedTuple):
    """A wire of the wrapper that a trace shows, and the shape of its values."""

    wire: str
    shape: ShapeLike


class Bench:
    """Wraps a component: every stream's other side is free, each statement has a name.

    `module` takes further logic of the wrapper (models, monitors) in the domain `sync`, which is
    the component's own. Its reset is free as well: a proof holds after a reset in any cycle.

    Parameters
    ----------
    dut: the component (wiring.Component), synchronous to `sync`; none for logic that the proof
        adds to `module` itself
    library: Verilog of what the component has as instances, by file name

    Attributes
    ----------
    statements: what was stated, in order
    ports: input of the wrapper -> signal it drives
    probes: input of the wrapper -> name of the wire in the flattened component
    shown: what a trace shows
    """

    def __init__(self, dut: Any = None, library: Mapping[str, str] | None = None):
        self.dut, self.module, self.library = dut, Module(), dict(library or {})
        if dut is not None:
            self.module.submodules.dut = dut
        self.statements: list[Statement] = []
        self.outputs: list[str] = []
        self.probes: dict[str, str] = {}
        self.ports: dict[str, Signal] = {}
        self.shown: dict[str, Shown] = {}

    # --- Inputs

    def free(self, name: str, shape: ShapeLike) -> Signal:
        """A signal with any value in any cycle."""
        signal = self._shown(name, shape)
        self.ports[f"free_{name}"] = signal
        return signal

    def fixed(self, name: str, shape: ShapeLike) -> Signal:
        """A signal with any value, the same one in all cycles."""
        signal = self._shown(name, shape)
        self.module.d.comb += Value.cast(signal).eq(AnyConst(Shape.cast(shape).width))
        return signal

    def register(
        self, name: str, shape: ShapeLike, *, init: Any = None, kept: bool = False
    ) -> Signal:
        """A signal of a model, which traces show: `init`, or zero, at the start and, unless `kept`,
        after every reset."""
        self.shown[name] = Shown(name, shape)
        return Signal(shape, name=name, init=init, reset_less=kept)

    def named(self, name: str, value: ValueLike, shape: ShapeLike | None = None) -> Signal:
        """A combinational value under a name, which traces show."""
        value = Value.cast(value)
        signal = self._shown(name, value.shape() if shape is None else shape)
        self.module.d.comb += Value.cast(signal).eq(value)
        return signal

    def _shown(self, name: str, shape: ShapeLike) -> Signal:
        self.shown[name] = Shown(name, shape)
        return Signal(shape, name=name)

    def probe(self, path: str, shape: ShapeLike) -> Signal:
        """A wire inside the component, by its dotted path below it."""
        inner = f"{DUT}_" + re.sub(r"\W+", "_", path).strip("_")
        port = f"probe_{inner}"
        if port not in self.ports:
            self.ports[port] = Signal(shape, name=inner)
            self.shown[f"{DUT}.{path}"] = Shown(port, shape)
            self.probes[port] = f"{DUT}.{path}"
        return self.ports[port]

    def memory(self, path: str, shape: ShapeLike, depth: int) -> Array:
        """The rows of a memory inside the component."""
        return Array([self.probe(f"{path}[{row}]", shape) for row in range(depth)])

    def loaded(self, access: wiring.PureInterface, name: str) -> None:
        """A loadable memory of the component, written with anything at any time in reset.

        Assumed: it is the loader's only while the component is in reset, as the Loader is proved to
        see to.
        """
        halt, write = self.free(f"{name}_halt", 1), self.free(f"{name}_write", 1)
        self.assume(f"{name}_opened_in_reset", implies(halt, self.reset))
        self.assume(f"{name}_written_while_open", implies(write, halt))
        self.module.d.comb += [
            access.halt.eq(halt),
            access.write.eq(write),
            access.address.eq(self.free(f"{name}_address", access.address.shape())),
            access.data.eq(self.free(f"{name}_data", access.data.shape())),
        ]

    @cached_property
    def reset(self) -> Signal:
        """The component's reset, free in every cycle."""
        return self.named("reset", ResetSignal())

    # --- Statements

    def rule(self, name: str, condition: ValueLike) -> None:
        """State what the proof is about."""
        self._state(Kind.RULE, name, condition)

    def lemma(self, name: str, condition: ValueLike) -> None:
        """State an invariant of the inside, which is proved too."""
        self._state(Kind.LEMMA, name, condition)

    def assume(self, name: str, condition: ValueLike) -> None:
        """Restrict the inputs."""
        self._state(Kind.ASSUMPTION, name, condition)

    def cover(self, name: str, condition: ValueLike) -> None:
        """State that a run can come to this."""
        self._state(Kind.COVER, name, condition)

    def _state(self, kind: Kind, name: str, condition: ValueLike) -> None:
        if any(statement.name == name for statement in self.statements):
            raise ValueError(f"two statements {name!r}")
        self.statements.append(Statement(kind, name))
        signal = Signal(name=f"{kind}_{name}")
        check = {Kind.ASSUMPTION: Assume, Kind.COVER: Cover}.get(kind, Assert)
        self.module.d.comb += signal.eq(Value.cast(condition).bool())
        self.module.d.comb += check(signal, f"{kind}.{name}")

    def names(self, *kinds: Kind) -> list[str]:
        """Names of the statements of these kinds."""
        return [statement.name for statement in self.statements if statement.kind in kinds]

    # --- Streams

    def source(self, port: str, *, obedient: bool = False) -> Port:
        """Connect a free source to the input stream `port`.

        `obedient`: assume that it keeps the rules: a beat stays, unchanged, until it is taken.
        """
        interface = getattr(self.dut, port)
        valid = self.free(f"{port}_valid", 1)
        ready = self.named(f"{port}_ready", interface.ready)
        payload = self.free(f"{port}_payload", interface.payload.shape())
        self.module.d.comb += [
            interface.valid.eq(valid),
            Value.cast(interface.payload).eq(Value.cast(payload)),
        ]
        found = Port(valid, ready, payload, self.named(f"{port}_transfer", valid & ready))
        if obedient:
            held, stable = self.holds(port, found)
            self.assume(f"{port}_held", held)
            self.assume(f"{port}_stable", stable)
        return found

    def sink(self, port: str) -> Port:
        """Connect a free sink to the output stream `port` and state the rules of a stream.

        A beat is held until it is taken; its payload is stable; `valid` does not wait for `ready`.
        """
        interface = getattr(self.dut, port)
        valid = self.named(f"{port}_valid", interface.valid)
        ready = self.free(f"{port}_ready", 1)
        payload = self.named(f"{port}_payload", interface.payload, interface.payload.shape())
        self.module.d.comb += interface.ready.eq(ready)
        found = Port(valid, ready, payload, self.named(f"{port}_transfer", valid & ready))
        held, stable = self.holds(port, found)
        self.rule(f"{port}_held", held)
        self.rule(f"{port}_stable", stable)
        self.outputs.append(port)
        return found

    @property
    def paths(self) -> list[Independent]:
        """For each output: its `valid` depends on no `ready` of a reader."""
        readers = tuple(f"free_{port}_ready" for port in self.outputs)
        return [
            Independent(f"{port}_valid_alone", f"{port}_valid", readers) for port in self.outputs
        ]

    def holds(self, name: str, port: Port) -> tuple[Value, Value]:
        """Whether a beat not taken in the last cycle is still there; whether it is the same."""
        waits = Signal(name=f"{name}_waits")
        last = Signal(Value.cast(port.payload).shape(), name=f"{name}_last")
        self.module.d.sync += [
            waits.eq(port.valid & ~port.ready),
            last.eq(Value.cast(port.payload)),
        ]
        return implies(waits, port.valid), implies(waits, Value.cast(port.payload) == last)

    # --- For the solver

    @cached_property
    def rtlil(self) -> str:
        """The wrapper as RTLIL; a statement's cell is called `KIND.NAME`."""
        text = to_rtlil(_Top(self.ports, self.module), TOP).text
        return re.sub(
            r'cell \$check \$\d+\n(\s+parameter \\FORMAT "(\w+\.\w+)"\n)',
            r"cell $check \\\2\n\1",
            text,
        )


class _Top(wiring.Component):
    """The wrapper's module with its free signals and probes as ports."""

    def __init__(self, signals: Mapping[str, Signal], module: Module):
        self._signals, self._module = dict(signals), module
        super().__init__(
            {name: In(Shape.cast(signal.shape()).width) for name, signal in signals.items()}
        )

    def elaborate(self, platform):
        for name, signal in self._signals.items():
            self._module.d.comb += Value.cast(signal).eq(getattr(self, name))
        return self._module


def implies(condition: Value, conclusion: ValueLike) -> Value:
    """The conclusion holds wherever the condition does."""
    return ~condition.bool() | Value.cast(conclusion).bool()

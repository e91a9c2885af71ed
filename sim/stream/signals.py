"""The handles of one stream's signals, found by their names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cocotb.handle import LogicArrayObject, LogicObject, SimHandleBase

AXI = {"valid": "_tvalid", "ready": "_tready", "payload": "_tdata", "last": "_tlast"}
SIDEBAND = ("tkeep", "tstrb", "tuser", "tid", "tdest")
"""Other signals that an AXI4-Stream may have; they belong to the payload."""

AMARANTH = {"valid": "__valid", "ready": "__ready", "payload": "__payload"}


@dataclass(frozen=True)
class Signals:
    """The handles of one stream's signals.

    Parameters
    ----------
    name: what messages call the stream
    valid, ready: one bit each
    payload: the data, one bit or more
    last: set with the last beat of a frame; None where the stream has no such signal
    sideband: those of `SIDEBAND` that there are, by name: watched, never driven
    """

    name: str
    valid: LogicObject
    ready: LogicObject
    payload: LogicObject | LogicArrayObject
    last: LogicObject | None = None
    sideband: Mapping[str, LogicObject | LogicArrayObject] = field(default_factory=dict)

    @classmethod
    def from_prefix(
        cls, parent: SimHandleBase, prefix: str, *, name: str | None = None
    ) -> "Signals":
        """The stream `prefix` of a module: `<prefix>_tvalid`, `_tready`, `_tdata` and, where there
        is one, `_tlast` (AXI4-Stream), or `<prefix>__valid`, `__ready`, `__payload` (Amaranth).

        Raises
        ------
        ValueError: a signal is missing (or the simulator does not show it).
        """
        kind = AXI if hasattr(parent, prefix + AXI["valid"]) else AMARANTH
        found = {part: _find(parent, prefix + end) for part, end in kind.items()}
        missing = [
            kind[part] for part, handle in found.items() if handle is None and part != "last"
        ]
        if missing:
            raise ValueError(
                f"{prefix}: {parent!r} has no {prefix}{missing[0]}; expected an AXI4-Stream "
                f"({prefix}_tvalid, …) or an Amaranth stream ({prefix}__valid, …)"
            )
        beside = {one: _find(parent, f"{prefix}_{one}") for one in SIDEBAND if kind is AXI}
        there = {one: handle for one, handle in beside.items() if handle is not None}
        return cls(name or prefix, **found, sideband=there)

    @property
    def width(self) -> int:
        """Bits of the payload."""
        return len(self.payload)

    def read(self, signed: bool) -> int | None:
        """The payload now; None where a bit of it is X or Z."""
        number = _number(self.payload)
        if number is None:
            return None
        return number - (1 << self.width) if signed and number >> (self.width - 1) else number

    def beside(self) -> dict[str, int | None]:
        """The sideband now, by name; None where a bit is X or Z."""
        return {name: _number(handle) for name, handle in self.sideband.items()}


def level(handle: LogicObject) -> bool | None:
    """The level of a one-bit signal now; None where it is X or Z."""
    try:
        return bool(handle.value)
    except ValueError:
        return None


def _number(handle: LogicObject | LogicArrayObject) -> int | None:
    """A signal's bits as a number; None where one is X or Z."""
    value = handle.value
    try:
        return int(value) if len(handle) == 1 else value.to_unsigned()
    except ValueError:
        return None


def _find(parent: SimHandleBase, name: str) -> Any:
    """The handle of that name, or None."""
    return getattr(parent, name, None)

"""Rules of a stream. Each is an object of its own, attached to a Monitor, which hands it every
cycle.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class ProtocolError(AssertionError):
    """A stream broke a rule."""


@dataclass(slots=True)
class Sample:
    """One stream, settled before a rising edge. None stands for X or Z.

    Parameters
    ----------
    in_reset: whether the edge resets the design
    valid, ready: levels
    payload: the number on offer; None also where valid is not set
    last: None also where valid is not set or there is no such signal
    beat: number of the beat on offer, from the first since the simulation began
    place: its number in its frame
    frame: number of its frame
    sideband: other signals of the payload by name (AXI's tkeep, tuser, …), of a beat on offer
    """

    in_reset: bool
    valid: bool | None
    ready: bool | None
    payload: int | None
    last: bool | None
    beat: int
    place: int
    frame: int
    sideband: Mapping[str, int | None] = field(default_factory=dict)

    @property
    def waits(self) -> bool:
        """Whether a beat is on offer and not taken at the edge."""
        return bool(self.valid) and not self.ready and not self.in_reset

    @property
    def moves(self) -> bool:
        """Whether a beat is taken at the edge."""
        return bool(self.valid and self.ready) and not self.in_reset


class Rule(Protocol):
    """Looks at each cycle beside the one before; returns a complaint, or None."""

    def check(self, before: Sample | None, now: Sample) -> str | None: ...


class ValidHeld:
    """Valid stays until the beat is taken."""

    def check(self, before: Sample | None, now: Sample) -> str | None:
        if before is not None and before.waits and not now.in_reset and now.valid is False:
            return f"valid withdrawn before it was taken (offered {before.payload})"
        return None


class PayloadStable:
    """The payload, last and all sideband signals stay as they are until the beat is taken."""

    def check(self, before: Sample | None, now: Sample) -> str | None:
        if before is None or not before.waits or now.in_reset or not now.valid:
            return None
        if now.payload != before.payload:
            return f"payload changed from {before.payload} to {now.payload} before it was taken"
        if now.last != before.last:
            return (
                f"tlast changed from {shown(before.last)} to {shown(now.last)} before it was taken"
            )
        for name, value in now.sideband.items():
            if value != before.sideband.get(name):
                old = before.sideband.get(name)
                return f"{name} changed from {old} to {value} before it was taken"
        return None


class LastPlaced:
    """Last comes with the last beat of each frame and with no other.

    Parameters
    ----------
    beats: of a frame
    """

    def __init__(self, beats: int):
        self.beats = beats

    def check(self, before: Sample | None, now: Sample) -> str | None:
        due = now.place == self.beats - 1
        if now.moves and now.last is not due:
            return (
                f"tlast is {shown(now.last)}, expected {shown(due)}: it is beat {now.place} of "
                f"frame {now.frame}, which has {self.beats}"
            )
        return None


class NothingUnknown:
    """Out of reset, valid and ready are never X or Z; nor are payload and last of a beat on
    offer.
    """

    def __init__(self, has_last: bool = False):
        self.has_last = has_last

    def check(self, before: Sample | None, now: Sample) -> str | None:
        if now.in_reset:
            return None
        unknown = {
            "valid": now.valid is None,
            "ready": now.ready is None,
            "payload": bool(now.valid) and now.payload is None,
            "tlast": bool(now.valid) and self.has_last and now.last is None,
        }
        names = [name for name, is_unknown in unknown.items() if is_unknown]
        return f"{' and '.join(names)} unknown (X or Z)" if names else None


class QuietInReset:
    """Valid is low from the first clock edge in reset until the first one out of it."""

    def check(self, before: Sample | None, now: Sample) -> str | None:
        if before is not None and before.in_reset and now.valid is not False:
            level = "unknown" if now.valid is None else f"high (offers {now.payload})"
            return f"valid is {level} in reset"
        return None


def standard(beats: int, has_last: bool) -> Sequence[Rule]:
    """All rules that fit a stream; `beats` of a frame, 0 where that is not known."""
    rules: list[Rule] = [ValidHeld(), PayloadStable(), NothingUnknown(has_last), QuietInReset()]
    if has_last and beats:
        rules.append(LastPlaced(beats))
    return rules


def shown(level: bool | None) -> str:
    """A level as messages show it."""
    return "x" if level is None else str(int(level))

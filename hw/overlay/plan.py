"""A plan for an overlay: the hardware, and the board and clock that it is for; of no network."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hw.ir import canonical
from hw.overlay.hardware import Overlay


@dataclass(frozen=True)
class OverlayPlan:
    """What is built, and for what.

    Parameters
    ----------
    hardware: its sizes
    board: name of the board, see `hw.board.boards`
    clock_mhz: the clock asked for
    """

    hardware: Overlay
    board: str
    clock_mhz: float

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical form of the plan."""
        return canonical.digest(as_dict(self))


def as_dict(plan: OverlayPlan) -> dict[str, Any]:
    """The plan as a mapping of JSON types."""
    return {"board": plan.board, "clock_mhz": plan.clock_mhz, **asdict(plan.hardware)}


def from_dict(content: Mapping[str, Any]) -> OverlayPlan:
    """The plan that `as_dict` made the mapping of.

    Raises
    ------
    InputError: a size out of its range
    """
    sizes = {name: v for name, v in content.items() if name not in ("board", "clock_mhz")}
    return OverlayPlan(Overlay(**sizes), content["board"], content["clock_mhz"])

"""What a bitstream is made of beside the board: hardware of either style, and its link.

Both kinds of Core have
    clock_mhz           that the plan asks for
    emission            the Verilog, made when it is asked for
    image               height, width, channels; None where no network is known
    cycles_per_frame    predicted; None likewise
    program             of a network, for an overlay, if there is one
    digests             of what it is made from, for the manifest
    relief              what can be done where a board has too little
    link(divisor)       its link to the host, for so many clock cycles a serial bit
"""

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

from hw.board.network_link import NetworkLink
from hw.board.overlay_link import OverlayLink
from hw.dataflow.design.design import Design
from hw.ir.graph import Shape
from hw.overlay.plan import OverlayPlan
from hw.overlay.program_file import ProgramFile
from hw.verilog import emit, emit_overlay
from hw.verilog.rtl_folder import Emission


@dataclass(frozen=True)
class NetworkCore:
    """Dataflow hardware of one network."""

    design: Design
    program = None
    relief = "edit these layers in the plan, choose a larger --board, or plan with fewer --luts"

    @property
    def clock_mhz(self) -> float:
        return self.design.plan.clock_mhz

    @cached_property
    def emission(self) -> Emission:
        return emit.emit(self.design)

    @property
    def image(self) -> Shape:
        return self.design.graph.input.shape

    @property
    def cycles_per_frame(self) -> int:
        return self.emission.manifest["cycles_per_frame"]

    @property
    def digests(self) -> dict[str, Any]:
        return {"network_digest": self.design.digest, "plan_digest": self.design.plan.digest}

    def link(self, divisor: int) -> NetworkLink:
        return NetworkLink(divisor, prod(self.image), _logit_bytes(self.emission))


@dataclass(frozen=True)
class OverlayCore:
    """An overlay, and the program that figures are of, if there is one."""

    plan: OverlayPlan
    program: ProgramFile | None = None
    relief = "choose a larger --board, or plan with fewer --lanes or words"

    @property
    def clock_mhz(self) -> float:
        return self.plan.clock_mhz

    @cached_property
    def emission(self) -> Emission:
        return emit_overlay.emit(self.plan)

    @property
    def image(self) -> Shape | None:
        return None if self.program is None else self.program.program.image

    @property
    def cycles_per_frame(self) -> float | None:
        return None if self.program is None else self.program.cycles_per_frame

    @property
    def digests(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "overlay_digest": self.plan.hardware.digest,
            "plan_digest": self.plan.digest,
        }
        if self.program is not None:
            found["network_digest"] = self.program.program.network
            found["program_digest"] = self.program.digest
        return found

    def link(self, divisor: int) -> OverlayLink:
        return OverlayLink(divisor, _logit_bytes(self.emission))


Core = NetworkCore | OverlayCore


def _logit_bytes(emission: Emission) -> int:
    ports = {port["name"]: port["width"] for port in emission.manifest["ports"]}
    return ports["m_axis_tdata"] // 8

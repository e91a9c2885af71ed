"""Fuzz cases on overlays: which grids, how a case is made to suit one, how it is run."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from hw.errors import InputError
from hw.ir.format import IMAGE_FORMAT
from hw.ir.network import Network
from hw.overlay.compiler.compile import Compiled, compile_network
from hw.overlay.cycles import cycles
from hw.overlay.hardware import Overlay
from hw.overlay.plan import OverlayPlan
from hw.overlay.programming import fitted
from hw.verilog.emit_overlay import emit
from sim.cosim import Cosim
from sim.fuzz import images
from sim.fuzz.case import Case
from sim.fuzz.dice import Dice
from sim.fuzz.grids import OVERLAYS
from sim.fuzz.plan_edits import PlanEdits
from sim.level import Level
from sim.overlay.cosim import Hardware, Subject, cosim
from sim.runner import Build
from sim.stimuli import Stimuli

BOARD, CLOCK_MHZ = "none", 50.0

_OFTEN = (("4x4", 5), ("3x5", 3), ("2x8 alone", 2), ("8x8", 2), ("5x4 wide", 2), ("4x4 ecp5", 1))

MOST_CYCLES = 250_000
"""Of all batches of a case, those under stalls too: more is not begun."""

_FORMATS = ((8, 6), (7, 1), (6, 1), (5, 1), (4, 1))
_WIDE = ((12, 2), (10, 1), (9, 1), (8, 1))
_EXACT = 15
"""Guard bits that no weight of five bits is cut by."""


class Unfit(Exception):
    """The network does not fit its overlay, or would take too long; the message says why."""


def suited(case: Case, key: str) -> Case:
    """The case on an overlay, with formats that its lanes hold."""
    dice = Dice(f"overlay/{key}")
    name = dice.weighted(_OFTEN)
    wide = OVERLAYS[name].data_bits > 9
    exact = dice.chance(0.2)
    frames = [dice.choice(list(images.KINDS)) for _ in range(dice.integer(1, 9))]
    act_bits = dice.weighted(_WIDE if wide else _FORMATS)
    level = dice.weighted(((Level.NETWORK, 8), (Level.CELL, 1), (Level.OP, 1)))
    return replace(
        case,
        overlay=name,
        act_bits=act_bits,
        guard=_EXACT if exact else None,
        weight_bits=5 if exact else case.weight_bits,
        paper=False,
        plan=PlanEdits(),
        frames=tuple(frames),
        loaded=False,
        # Parts are fed with images.
        level=level if act_bits <= IMAGE_FORMAT.width else Level.NETWORK,
    )


def compiled(network: Network, overlay: Overlay) -> Compiled:
    """The program; Unfit where there is none."""
    try:
        return fitted(compile_network(network, overlay))
    except InputError as error:
        raise Unfit(str(error)) from None


def simulate(
    case: Case, network: Network, folder: Path | None = None, waves: bool = False
) -> Cosim:
    """The co-simulation of a case: reference, executable model and RTL, every capture.

    Raises
    ------
    CheckFailed: it found something; Unfit: the case is none
    """
    overlay = OVERLAYS[case.overlay]
    program = None
    if case.level == Level.NETWORK:
        program = compiled(network, overlay)
        batches = -(-len(case.frames) // program.program.images) * (2 if case.stall else 1)
        took = batches * cycles(program.program).batch
        if took > MOST_CYCLES:
            raise Unfit(f"{took} cycles; at most {MOST_CYCLES}")
    made = images.make(case.frames, network.graph.input.shape, case.seed)
    return cosim(
        network,
        hardware(case.overlay),
        Stimuli(made, case.stall, seed=case.seed, resets=resets(case)),
        Subject(case.level, modelled=True),
        Build(waves=waves, shelf="fuzz"),
        folder=folder,
        compiled=program,
        compiling=compiled,
        cover=True,
    )


@lru_cache(maxsize=len(OVERLAYS))
def hardware(name: str) -> Hardware:
    """One of OVERLAYS in Verilog."""
    return Hardware.of(emit(_plan(name)))


def resets(case: Case) -> int:
    """Runs that are cut off: where there is no second pass."""
    return 0 if case.stall else 2


def plan(case: Case) -> OverlayPlan:
    """The plan of a case's overlay."""
    return _plan(case.overlay)


def _plan(name: str) -> OverlayPlan:
    return OverlayPlan(OVERLAYS[name], BOARD, CLOCK_MHZ)

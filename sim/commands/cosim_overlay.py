"""What the subcommand cosim does where the hardware is an overlay."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hw import console
from hw.commands import plans
from hw.errors import InputError
from hw.ir.network import Network
from hw.networks.images import random_images
from hw.overlay.compiler.compile import compile_network
from hw.overlay.programming import fitted
from hw.verilog import edits, emit_overlay, rtl_folder
from hw.verilog.rtl_folder import Emission
from sim.level import Level
from sim.one_by_one import Part
from sim.overlay.cosim import Hardware, Subject, cosim
from sim.runner import Build
from sim.stimuli import Stimuli

BATCHES = 2
"""Whole ones that are run, and an image more, where no number of images is given."""

WITHOUT = {
    "load": "an overlay's weights come with its program",
    "assertions": "an overlay has no engines that they are bound to",
    "each": "an overlay has one model for all parts",
}
"""Why an overlay has nothing for an option."""


def emission(rtl: Path | None, plan_file: Path | None, allow_edited: bool) -> Emission | None:
    """The overlay that the call names by its RTL or its plan; None: it names none."""
    if rtl is not None:
        found = rtl_folder.read(rtl, style=None, allow_edited=allow_edited)
        if found.style != rtl_folder.OVERLAY:
            return None
        plan = plans.overlay(plan_file)
        if plan_file is not None and (plan is None or plan.digest != found.manifest["plan_digest"]):
            raise InputError(
                f"{plan_file}: not the plan that {rtl} was emitted with; leave --plan out"
            )
        return found
    plan = plans.overlay(plan_file)
    return None if plan is None else emit_overlay.emit(plan)


def refusals(
    level: str,
    gates: bool,
    covers: Sequence[str],
    corners: int | None,
    flags: Sequence[tuple[str, Any]],
) -> list[tuple[bool, str]]:
    """Options that an overlay has nothing for, as `refuse` takes them."""
    found = [
        (bool(value), f"--{name}: is for dataflow hardware; {WITHOUT[name]}, leave it out")
        for name, value in flags
    ]
    return [
        *found,
        (bool(corners) and level == Level.PE,
         "--corners: the lanes alone have none; give --level op"),
        (gates and level == Level.PE,
         "--gates: the lanes alone are simulated as Verilog; leave --level out"),
        *[(level == Level.PE,
           f"--{name}: is of programs, the lanes alone have none; leave --level out")
          for name in covers],
    ]  # fmt: skip


def simulate(
    network: Network,
    overlay: Emission,
    stimuli: Stimuli,
    subject: Subject,
    given: bool,
    build: Build,
    *,
    folder: Path | None,
    cover: bool = False,
) -> tuple[Any, Sequence[Part]]:
    """The figures, and the one part.

    given: the number of images is the caller's
    """
    hardware = Hardware.of(overlay)
    compiled = None
    if subject.level == Level.NETWORK:
        compiled = fitted(compile_network(network, hardware.overlay), stream=subject.stream)
        program = compiled.program
        count = BATCHES * program.images + 1
        way = f", streamed to {hardware.overlay.program_depth:,}" if program.streamed else ""
        console.note(
            f"cosim: {len(program.prefix) + len(program.suffix):,} words of program{way}, batches"
            f" of {program.images}"
        )
        if not given and count > len(stimuli.images):
            stimuli = replace(stimuli, images=random_images(network, count, stimuli.seed))
    result = cosim(
        network, hardware, stimuli, subject, build, folder=folder, compiled=compiled, cover=cover
    )
    return result, [Part(subject.level, result)]


def edited(overlay: Emission) -> list[str]:
    """Files that are not what the manifest says."""
    return [f"{name}: edited" for name in edits.edited_files(overlay)]

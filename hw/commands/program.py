"""The subcommand program: a network for an overlay that exists."""

import time
from pathlib import Path
from typing import Any

import click

from hw import console, outputs
from hw.commands import plans
from hw.commands.options import FOLDER, network_argument, out_option
from hw.ir.network import Network
from hw.overlay.plan import OverlayPlan
from hw.overlay.program_file import ProgramFile


@click.command(cls=console.Command)
@network_argument
@click.option(
    "--overlay",
    "hardware",
    metavar="RTL|P",
    type=FOLDER,
    required=True,
    help="The overlay: its RTL folder, or its plan.",
)
@click.option("--stream", is_flag=True, help="Stream it though it could be stored.")
@out_option("The program's folder.")
@console.force_option
@console.json_option
def program(
    folder: Path, hardware: Path, stream: bool, out: Path, force: bool, as_json: bool
) -> None:
    """Compile NET for an overlay that exists already: no synthesis, nothing but the program.

    A program that is longer than the overlay's memory for it is streamed: it comes again with every
    batch.
    """
    from hw.ir import serialize
    from hw.overlay import program_file

    start = time.monotonic()
    outputs.require_absent(out, force)
    plan = plans.overlay_of(hardware)
    made = compiled(serialize.load(folder), plan, stream=stream)
    with outputs.folder(out, force) as target:
        program_file.save(made, target)
    result = {"out": out, **facts(made, plan), "seconds": round(time.monotonic() - start, 2)}
    if as_json:
        console.print_json(result)
    else:
        click.echo(f"{out}: {told(result)}, in {result['seconds']:.1f} s; {result['digest'][:12]}")


def compiled(network: Network, plan: OverlayPlan, *, stream: bool = False) -> ProgramFile:
    """The network's program for the hardware of a plan; `stream`: streamed in any case.

    Raises
    ------
    InputError: the network does not fit
    """
    from hw.overlay.programming import program_for

    return program_for(network, plan.hardware, stream=stream)


def facts(made: ProgramFile, plan: OverlayPlan) -> dict[str, Any]:
    """What there is to say of a program."""
    return {
        "digest": made.digest,
        "network_digest": made.program.network,
        "overlay_digest": made.program.hardware.digest,
        "words": len(made.program.prefix) + len(made.program.suffix),
        "streamed": made.program.streamed,
        "memory_words": made.memory,
        "batch": made.program.images,
        "cycles_per_batch": made.cycles_per_batch,
        "cycles_per_frame": made.cycles_per_frame,
        "latency_cycles": made.cycles_alone,
        "clock_mhz": plan.clock_mhz,
        "fps": plan.clock_mhz * 1e6 / made.cycles_per_frame,
    }


def told(result: dict[str, Any]) -> str:
    """The same in a line."""
    way = " streamed" if result["streamed"] else ""
    return (
        f"{result['words']:,} words{way}, {result['memory_words']:,} words of data memory,"
        f" {result['cycles_per_frame']:,.0f} cycles a frame in batches of {result['batch']},"
        f" {result['fps']:,.0f} frames/s at {result['clock_mhz']:g} MHz"
    )

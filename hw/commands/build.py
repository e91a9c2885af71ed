"""Subcommands that make hardware: emit, synth, bitstream."""

import time
from pathlib import Path

import click

from hw import console
from hw.commands.options import network_argument, out_option, plan_option
from hw.ir.network import Network
from hw.plan import Plan

DEFAULT_BOARD = "ulx3s-85f"


def load(folder: Path, plan_file: Path | None, board: str = DEFAULT_BOARD) -> tuple[Network, Plan]:
    """The network in `folder` and the plan in `plan_file`, or the one proposed for `board`."""
    from hw import boards
    from hw import plan as plans
    from hw.ir import serialize

    network = serialize.load(folder)
    if plan_file is not None:
        return network, plans.load(plan_file)
    return network, plans.propose(network, boards.board(board).name)


@click.command(cls=console.Command)
@network_argument
@plan_option
@out_option("The RTL folder.")
@console.force_option
@console.json_option
def emit(folder: Path, plan_file: Path | None, out: Path, force: bool, as_json: bool) -> None:
    """Write the Verilog of a NETWORK and manifest.json: ports, formats, digests, tool versions."""
    from hw import emit as emission

    start = time.monotonic()
    console.require_absent(out, force)
    emitted = emission.emit(*load(folder, plan_file))
    with console.output_folder(out, force) as target:
        emission.write(emitted, target)
    names = sorted([*emitted.files, emission.MANIFEST])
    seconds = round(time.monotonic() - start, 2)
    if as_json:
        console.print_json(
            {"out": out, "files": names, "seconds": seconds, "digest": emitted.digest}
        )
    else:
        click.echo(f"{out}: {', '.join(names)} in {seconds:.1f} s; digest {emitted.digest[:12]}")


@click.command(cls=console.Command)
@network_argument
@plan_option
@click.option("--target", type=click.Choice(["ecp5"]), default="ecp5", show_default=True)
@console.json_option
def synth(folder: Path, plan_file: Path | None, target: str, as_json: bool) -> None:
    """Synthesise: LUT, FF, RAM, DSP, carry; by layer. Nothing is placed."""
    from hw import emit as emission
    from hw.build import synth as synthesis

    report = synthesis.synthesise(emission.emit(*load(folder, plan_file)))
    console.print_json(report)


@click.command(cls=console.Command)
@network_argument
@click.option("--board", metavar="B", default=DEFAULT_BOARD, show_default=True)
@plan_option
@out_option("The folder of the bitstream.")
@console.force_option
@console.json_option
def bitstream(
    folder: Path, board: str, plan_file: Path | None, out: Path, force: bool, as_json: bool
) -> None:
    """Synthesise, place and route, pack: bitstream, Fmax, utilisation, manifest."""

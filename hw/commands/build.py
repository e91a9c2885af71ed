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

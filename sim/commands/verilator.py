"""The subcommand verilator."""

import os

import click

from hw import console, processes


@click.command(
    cls=console.Command,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", metavar="ARGUMENTS...", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def verilator(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Call the Verilator of the Python package; it gets all ARGUMENTS, and its exit code is ours.

    The package puts no `verilator` on the PATH, and its makefile does not compile without variables
    that it gets here: `shiftnas verilator --binary top.sv && obj_dir/Vtop`.
    """
    from sim import tools

    found = tools.find()
    environment = os.environ | tools.verilator_environment()
    with processes.started([found.verilator, *arguments], env=environment) as process:
        context.exit(process.wait())

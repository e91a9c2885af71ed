"""The subcommand verilator."""

import os

import click

from hw import console, processes


class PassedOn(console.Command):
    """A command whose arguments are another program's, all but a single `--help`.

    By themselves they would be taken for our options: there is an `h` in many a `-D`.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args if args == ["--help"] else ["--", *args])


@click.command(cls=PassedOn)
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

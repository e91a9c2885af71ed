"""`python -m nas search|train|convert|export`: those of `shiftnas`, as `torchrun` starts them."""

import signal

import click

from hw import console
from nas.cli import COMMANDS
from nas.convert.command import convert
from nas.distributed import launched, leave, processes


class _Processes(console.Group):
    def main(self, *args, **kwargs):
        try:
            return super().main(*args, **kwargs)
        except SystemExit as end:
            leave(end.code)
            raise

    def invoke(self, ctx: click.Context):
        if launched() > 1:
            # torchrun ends the others where one fails: at once, not when gloo lets Python run.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with processes():
            return super().invoke(ctx)


nas = _Processes(
    "nas",
    commands=[*COMMANDS.values(), convert],
    help="Search, training, conversion and export; under torchrun, the first three by many"
    " processes.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

if __name__ == "__main__":
    nas.main(prog_name="python -m nas")

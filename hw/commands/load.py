"""The subcommand load: another network's weights for loadable RTL."""

from pathlib import Path

import click

from hw import console, outputs
from hw.commands.options import FOLDER, network_argument, out_option


@click.command(cls=console.Command)
@network_argument
@click.option(
    "--rtl", type=FOLDER, required=True, help="RTL folder whose plan is loadable, of any network."
)
@out_option("The folder of the load image.")
@console.force_option
@console.json_option
def load(folder: Path, rtl: Path, out: Path, force: bool, as_json: bool) -> None:
    """Make the image that loads NET's weights into loadable RTL through its AXI4-Lite port.

    The RTL stays as it is; its network must have NET's structure and formats, its plan room for
    NET's scales and biases.
    """
    from hw.dataflow.loading import image
    from hw.ir import serialize
    from hw.verilog import rtl_folder

    outputs.require_absent(out, force)
    made = image.make(
        serialize.load(folder), rtl_folder.read(rtl).manifest, str(rtl / rtl_folder.MANIFEST)
    )
    with outputs.folder(out, force) as target:
        image.save(made, target)
    if as_json:
        console.print_json({"out": out, **made.summary})
    else:
        click.echo(
            f"{out}: {made.summary['writes']:,} writes of 32 bits, about"
            f" {made.summary['cycles']:,} cycles"
        )

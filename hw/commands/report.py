"""Subcommand report."""

from pathlib import Path

import click

from hw import console, outputs
from hw.commands.options import FOLDER, OUTPUT, out_option, plugin_option


@click.command(cls=console.Command)
@click.argument("run", type=FOLDER)
@out_option("The page; default: report.html in RUN.", required=False)
@click.option(
    "--plots",
    type=OUTPUT,
    metavar="DIR",
    help="A folder that gets each picture as files of its own, SVG and PNG.",
)
@plugin_option
@console.force_option
@console.json_option
def report(run: Path, out: Path | None, plots: Path | None, force: bool, as_json: bool) -> None:
    """One self-contained HTML page about a demo, a search, a training, a comparison."""
    from hw.report import page

    target = outputs.require_absent(out or run / "report.html", force, page.MARKS)
    if plots is not None:
        outputs.require_absent(plots, force, inside=True)
    content = page.read(run)
    text, files = page.page(content), []
    if plots is not None:
        with outputs.folder(plots, force) as folder:
            files = page.write_pictures(content, folder)
    outputs.write_atomic(target, text)
    if as_json:
        written = {} if plots is None else {"plots": [str(plots / name) for name in files]}
        console.print_json({"report": target, **written})
    else:
        click.echo(f"report: {target}")
        if plots is not None:
            click.echo(f"plots: {len(files)} files in {plots}")

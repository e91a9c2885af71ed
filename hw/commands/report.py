"""Subcommand report."""

from pathlib import Path

import click

from hw import console
from hw.commands.options import FOLDER, out_option


@click.command(cls=console.Command)
@click.argument("run", type=FOLDER)
@out_option("The page; default: report.html in RUN.", required=False)
@console.force_option
@console.json_option
def report(run: Path, out: Path | None, force: bool, as_json: bool) -> None:
    """One self-contained HTML page about a demo, a search or a training."""
    from hw.report import page

    known = page.read(run)
    target = console.require_absent(out or run / "report.html", force)
    console.write_atomic(target, page.render(known))
    if as_json:
        console.print_json({"report": target})
    else:
        click.echo(f"report: {target}")

"""Subcommand compare."""

from pathlib import Path

import click

from hw import console, outputs
from hw.commands.options import DATA, FOLDER, out_option, plugin_option


@click.command(cls=console.Command)
@click.argument("spec", metavar="SPEC", type=FOLDER)
@out_option("Folder of the comparison.")
@click.option("--data", type=DATA, metavar="D", help="Data set; default: what SPEC names.")
@click.option("--resume", is_flag=True, help="Go on with a comparison that was cut short.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="J",
    help="Runs at a time; default: one a core, or one a GPU.",
)
@plugin_option
@console.force_option
@console.json_option
def compare(
    spec: Path,
    out: Path,
    data: str | None,
    resume: bool,
    jobs: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Search and train by several strategies, genotypes or settings; one table."""
    from nas.compare import tables
    from nas.compare.compare import TABLES, compare
    from nas.compare.spec import load
    from nas.memory import enough_memory

    wanted = load(spec, data)
    if not resume:
        outputs.require_apart(out)
    with enough_memory("take a smaller batch, fewer channels or cells, or fewer --jobs"):
        content = compare(wanted, out, jobs=jobs, resume=resume, force=force)
    if as_json:
        console.print_json({**content, "out": out})
    else:
        click.echo(tables.markdown(content))
        click.echo(f"written to {out}: {', '.join([*TABLES, 'compare.json', 'report.html'])}")

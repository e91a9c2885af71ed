"""The subcommand coverage."""

from pathlib import Path

import click

from hw import console, outputs
from hw.commands.options import FOLDER, OUTPUT, Number
from hw.errors import CheckFailed

MISSING_SHOWN = 40


@click.command(cls=console.Command)
@click.argument("files", metavar="FILE...", type=FOLDER, nargs=-1, required=True)
@click.option(
    "--bar",
    type=Number(0, 100),
    default=0.0,
    show_default=True,
    help="Exit code 1 where less than this share of the bins was hit, in per cent.",
)
@click.option("--out", type=OUTPUT, help="Write the merged coverage to this file.")
@console.force_option
@console.json_option
def coverage(
    files: tuple[Path, ...], bar: float, out: Path | None, force: bool, as_json: bool
) -> None:
    """Merge the functional coverage of many runs; show what was never seen."""
    from sim.coverage import store

    if out is not None:
        outputs.require_absent(out, force, store.MARKS)
    total = store.Coverage()
    for file in files:
        total.add(store.load(file))
    if out is not None:
        store.save(total, out)
    missing = total.missing()
    if as_json:
        console.print_json(
            {
                "files": len(files),
                "bins": total.bins,
                "hit": total.bins - len(missing),
                "share": round(total.share, 2),
                "bar": bar,
                "groups": {g: {"hit": n, "bins": of} for g, (n, of) in total.shares().items()},
                "missing": [f"{group}: {name}" for group, name in missing],
            }
        )
    else:
        _print(total, missing)
    if total.share < bar:
        raise CheckFailed(
            f"coverage: {total.share:.1f} % of {total.bins} bins, the bar is {bar:g} %; "
            f"the first one missing is {': '.join(missing[0])}"
        )


def _print(total, missing: list[tuple[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_footer=True)
    table.add_column("group", footer="all")
    table.add_column("hit", justify="right", footer=str(total.bins - len(missing)))
    table.add_column("bins", justify="right", footer=str(total.bins))
    table.add_column("share", justify="right", footer=f"{total.share:.1f} %")
    for group, (hit, bins) in total.shares().items():
        table.add_row(group, str(hit), str(bins), f"{100 * hit / max(1, bins):.0f} %")
    Console().print(table)
    for group, name in missing[:MISSING_SHOWN]:
        click.echo(f"missing  {group}: {name}")
    if len(missing) > MISSING_SHOWN:
        click.echo(f"missing  {len(missing) - MISSING_SHOWN} more")

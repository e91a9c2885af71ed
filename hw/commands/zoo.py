"""Subcommand zoo."""

from typing import TYPE_CHECKING, Any

import click

from hw import console

if TYPE_CHECKING:
    from hw.networks.counts import Count
    from hw.networks.zoo import Row, Table

WEIGHT_BITS = 5
TABLES = ("1", "2", "3", "7")

ADDITIONS_NOTE = (
    "additions: one for each weight and output pixel, as published multiply-accumulates are "
    "counted. The paper's are about half of that: a weight that is 0 takes none, and about half "
    "of a bit-shift network's are."
)


@click.command(cls=console.Command)
@click.option(
    "--table", "number", type=click.Choice(TABLES), default="1", show_default=True, help="Which."
)
@console.json_option
def zoo(number: str, as_json: bool) -> None:
    """The networks of the paper's tables 1, 2, 3 and 7, counted beside its figures.

    Weights and additions in millions; multiplications are those of the layers after `export`;
    memory is that of the weights that become 0 or a power of two, at 5 bits each.
    """
    from hw.networks import zoo as networks

    table = networks.tables()[int(number)]
    rows = [_row(row, networks.counts(row, table)) for row in table.rows]
    if as_json:
        console.print_json({"table": table.number, "title": table.title, "rows": rows})
    else:
        _print(table, rows)


def _row(row: "Row", counts: "dict[int, Count]") -> dict[str, Any]:
    last = counts[max(counts)] if len(counts) == 1 else counts[10]
    return {
        "name": row.name,
        "network": row.network,
        "width": row.width,
        "weights": {str(classes): found.weights for classes, found in counts.items()},
        "multiplications": 0,
        "additions": last.additions,
        "memory_bytes": -(-last.kernel * WEIGHT_BITS // 8),
        "paper": {
            "weights_millions": row.weights,
            "weights100_millions": row.weights100,
            "additions_millions": row.additions,
            "accuracy_percent": dict(row.accuracy),
        },
        "note": row.note,
    }


def _print(table: "Table", rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table as Grid

    grid = Grid(title=f"Table {table.number}: {table.title}", title_justify="left")
    grid.add_column("network", no_wrap=True)
    columns = [("weights, M" if table.imagenet else f"{n} classes, M") for n in rows[0]["weights"]]
    for title in (*columns, "paper, M", "mult.", "additions, M", "paper, M", "memory, KiB"):
        grid.add_column(title, justify="right")
    grid.add_column("the paper's accuracy, %")
    for row in rows:
        paper = row["paper"]
        given = [paper["weights_millions"], paper["weights100_millions"]]
        weights = list(dict.fromkeys(str(value) for value in given if value is not None))
        accuracy = ", ".join(
            f"{name} {value:.2f}" for name, value in paper["accuracy_percent"].items()
        )
        grid.add_row(
            row["name"],
            *(f"{value / 1e6:.2f}" for value in row["weights"].values()),
            ", ".join(weights),
            str(row["multiplications"]),
            f"{row['additions'] / 1e6:,.0f}",
            "" if paper["additions_millions"] is None else f"{paper['additions_millions']:,}",
            f"{row['memory_bytes'] / 1024:,.0f}",
            accuracy,
        )
    Console().print(grid)
    for row in rows:
        if row["note"]:
            click.echo(f"{row['name']}: {row['note']}")
    click.echo(ADDITIONS_NOTE)

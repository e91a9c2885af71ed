"""Subcommand zoo."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hw import console
from hw.commands.options import FOLDER
from hw.errors import InputError

if TYPE_CHECKING:
    from hw.networks.counts import Count
    from hw.networks.effort import Effort
    from hw.networks.guesses import Tried
    from hw.networks.zoo import Row, Table

WEIGHT_BITS = 5
TABLES = ("1", "2", "3", "7")

ADDITIONS_NOTE = (
    "additions: one for each weight and output pixel, as published multiply-accumulates are "
    "counted. The paper's are about half of that: a weight that is 0 takes none, and about half "
    "of a bit-shift network's are."
)
STATISTICS_NOTE = (
    "with statistics: running means and variances of batch norms counted too, as DeepShift's "
    "summary does, by which the paper counts conventional networks."
)


@click.command(cls=console.Command)
@click.option("--table", "number", type=click.Choice(TABLES), help="Which.  [default: 1]")
@click.option(
    "--network",
    "folder",
    metavar="NET",
    type=FOLDER,
    help="Count this NETWORK instead: its zeros are known.",
)
@console.json_option
def zoo(number: str | None, folder: Path | None, as_json: bool) -> None:
    """The networks of the paper's tables 1, 2, 3 and 7, counted beside its figures.

    Weights and additions in millions; with statistics: running means and variances of batch norms
    too, as the paper counts conventional networks; what else was tried to find the paper's figure
    stands below the table, with its difference; multiplications are those of the layers after
    `export`; memory is that of the weights that become 0 or a power of two, at 5 bits each.

    With --network: shifts and additions of a NETWORK, all and without those of weights that are 0,
    its weights over the powers of two, and what its parameters take, as 32-bit numbers and now.
    """
    if folder is not None:
        if number is not None:
            raise InputError("--table: --network names what is counted; leave one of the two out")
        _count(folder, as_json)
        return
    from hw.networks import zoo as networks

    number = number or TABLES[0]
    table = networks.tables()[int(number)]
    rows = [
        _row(row, networks.counts(row, table), networks.tried(row, table)) for row in table.rows
    ]
    if as_json:
        console.print_json({"table": table.number, "title": table.title, "rows": rows})
    else:
        _print(table, rows)


def _row(row: "Row", counts: "dict[int, Count]", tried: "list[Tried]") -> dict[str, Any]:
    last = counts[max(counts)] if len(counts) == 1 else counts[10]
    return {
        "name": row.name,
        "network": row.network,
        "width": row.width,
        "weights": {str(classes): found.weights for classes, found in counts.items()},
        "weights_with_statistics": {
            str(classes): found.weights + found.statistics for classes, found in counts.items()
        },
        "multiplications": 0,
        "additions": last.additions,
        "memory_bytes": -(-last.kernel * WEIGHT_BITS // 8),
        "paper": {
            "weights_millions": row.weights,
            "weights100_millions": row.weights100,
            "additions_millions": row.additions,
            "accuracy_percent": dict(row.accuracy),
            "deviation_points": dict(row.deviation),
        },
        "note": row.note,
        "tried": [
            {
                "what": one.guess.what,
                "classes": one.guess.classes,
                "weights": one.weights,
                "difference_percent": round(100 * one.difference, 2),
            }
            for one in tried
        ],
    }


def _print(table: "Table", rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.table import Table as Grid

    title = f"Table {table.number}: {table.title}"
    grid = Grid(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    grid.add_column("network", no_wrap=True)
    columns = [("weights, M" if table.imagenet else f"{n} classes, M") for n in rows[0]["weights"]]
    weights = (*columns, "with statistics, M", "paper, M")
    for title in (*weights, "mult.", "additions, M", "paper, M", "memory, KiB"):
        grid.add_column(title, justify="right")
    of = ", ".join(rows[0]["paper"]["accuracy_percent"])
    grid.add_column(f"the paper's accuracy, %: {of}", min_width=6, overflow="fold")
    for row in rows:
        paper = row["paper"]
        given = [paper["weights_millions"], paper["weights100_millions"]]
        weights = list(dict.fromkeys(str(value) for value in given if value is not None))
        deviation = paper["deviation_points"]
        accuracy = ", ".join(
            f"{value:.2f} ± {deviation[name]:.2f}" if name in deviation else f"{value:.2f}"
            for name, value in paper["accuracy_percent"].items()
        )
        grid.add_row(
            row["name"],
            *(f"{value / 1e6:.2f}" for value in row["weights"].values()),
            ", ".join(f"{value / 1e6:.2f}" for value in row["weights_with_statistics"].values()),
            ", ".join(weights),
            str(row["multiplications"]),
            f"{row['additions'] / 1e6:,.0f}",
            "" if paper["additions_millions"] is None else f"{paper['additions_millions']:,}",
            f"{row['memory_bytes'] / 1024:,.0f}",
            accuracy,
        )
    console.print_grid(grid)
    for row in rows:
        if row["note"]:
            click.echo(f"{row['name']}: {row['note']}")
        for one in row["tried"]:
            click.echo(
                f"  tried, {one['classes']} classes: {one['what']}: {one['weights'] / 1e6:.2f} M, "
                f"{one['difference_percent']:+.1f} %"
            )
    click.echo(STATISTICS_NOTE)
    click.echo(ADDITIONS_NOTE)


def _count(folder: Path, as_json: bool) -> None:
    from hw.ir import serialize
    from hw.networks.effort import effort

    network = serialize.load(folder)
    content = _of_network(network.digest, network.arithmetic.weight_bits, effort(network))
    if as_json:
        console.print_json(content)
    else:
        _print_network(content)


def _of_network(digest: str, bits: int, found: "Effort") -> dict[str, Any]:
    from hw.networks.exponents import together

    all_weights, storage = together(found.layers.values()), found.storage
    return {
        "digest": digest,
        "weights": found.size.weights,
        "kernel_weights": found.size.kernel,
        "weight_bits": bits,
        "multiplications": 0,
        **vars(found.total),
        "zero_share": round(all_weights.zero_share, 6),
        "exponents": all_weights.to_mapping(),
        "storage_bytes": {
            "float32": -(-storage.before // 8),
            "after": -(-storage.after // 8),
            **{key: -(-getattr(storage, key) // 8) for key in ("weights", "scales", "biases")},
        },
        "layers": [
            {"name": name, **vars(found.operations[name]), **layer.to_mapping()}
            for name, layer in found.layers.items()
        ],
    }


BAR = 40
"""Characters of the longest bar of the histogram."""


def _print_network(content: dict[str, Any]) -> None:
    storage, exponents = content["storage_bytes"], content["exponents"]
    kernel, zeros = content["kernel_weights"], exponents["zeros"]
    rest = storage["after"] - storage["weights"]
    click.echo(
        f"weights       {content['weights']:,}, of which {kernel:,} are 0 or a power of two; "
        f"{zeros:,} are 0 ({zeros / kernel:.1%})\n"
        f"operations    0 multiplications; an image takes\n"
        f"shifts        {content['shifts']:,}; {content['needed_shifts']:,} without zeros\n"
        f"additions     {content['additions']:,}; {content['needed_additions']:,} without zeros\n"
        f"storage       {storage['float32'] / 1024:,.1f} KiB as 32-bit numbers; now "
        f"{storage['after'] / 1024:,.1f} KiB: {storage['weights'] / 1024:,.1f} of weights at "
        f"{content['weight_bits']} bits, {rest / 1024:,.1f} of scales and biases\n"
    )
    counts = {int(p): sum(both) for p, both in exponents["powers"].items()}
    rows = [("0", zeros), *((f"±2^{p}", counts[p]) for p in sorted(counts, reverse=True))]
    most = max(number for _, number in rows)
    for name, number in rows:
        bar = "#" * round(BAR * number / most)
        click.echo(f"{name:>6}  {number:>12,}  {number / kernel:6.1%}  {bar}".rstrip())

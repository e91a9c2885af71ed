"""The subcommand coverage."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import click

from hw import console, outputs
from hw.commands.options import FOLDER, OUTPUT, Number, plugin_option
from hw.errors import CheckFailed, InputError

SHOWN = 40
"""Bins that are named, of those that are missing and of those out of reach."""


class By(StrEnum):
    """What the bins are grouped by."""

    KIND = "kind"
    INSTANCE = "instance"
    TESTBENCH = "testbench"
    OVERLAY = "overlay"


@dataclass(frozen=True)
class Table:
    """Groups of bins that are held to the bar together.

    Parameters
    ----------
    title: of what they are
    groups: of `sim.coverage.group.Group`
    """

    title: str
    groups: Sequence[Any]

    @property
    def bins(self) -> int:
        """How many can be hit."""
        return sum(group.reachable for group in self.groups)

    @property
    def hit(self) -> int:
        return sum(group.hit_bins for group in self.groups)

    @property
    def share(self) -> float:
        """Bins hit of those that can be, in per cent."""
        return 100 * self.hit / max(1, self.bins)

    @property
    def missing(self) -> list[str]:
        return [f"{group.name}: {name}" for group in self.groups for name in group.missing()]

    @property
    def out_of_reach(self) -> dict[str, str]:
        """Bin -> why nothing can hit it."""
        return {
            f"{group.name}: {name}": reason
            for group in self.groups
            for name, reason in group.out_of_reach.items()
        }

    def as_dict(self) -> dict[str, Any]:
        """The documented JSON."""
        return {
            "bins": self.bins,
            "hit": self.hit,
            "share": round(self.share, 2),
            "groups": {
                group.name: {
                    "hit": group.hit_bins,
                    "bins": group.reachable,
                    "out_of_reach": len(group.out_of_reach),
                }
                for group in self.groups
            },
            "missing": self.missing,
            "out_of_reach": self.out_of_reach,
        }


@click.command(cls=console.Command)
@click.argument("files", metavar="FILE...", type=FOLDER, nargs=-1, required=True)
@click.option(
    "--by",
    type=click.Choice([*map(str, By)]),
    help="All networks in dataflow hardware, by kind of layer; each of them by its layers, against "
    "what they can reach; cover groups of testbenches; programs of overlays. Default: kind, "
    "or overlay where nothing else is there.",
)
@click.option(
    "--bar",
    type=Number(0, 100),
    default=0.0,
    show_default=True,
    help="Exit code 1 where less than this share of the bins within reach was hit, in per cent.",
)
@click.option("--out", type=OUTPUT, help="Write the merged coverage to this file.")
@plugin_option
@console.force_option
@console.json_option
def coverage(
    files: tuple[Path, ...],
    by: str | None,
    bar: float,
    out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Merge the functional coverage of many runs; show what was never seen."""
    from sim.coverage import store

    if out is not None:
        outputs.require_absent(out, force, store.MARKS)
    total = store.Coverage()
    for file in files:
        total.add(store.load(file))
    chosen = By(by) if by else _usual(total)
    tables = _tables(total, chosen)
    if out is not None:
        store.save(total, out)
    if as_json:
        console.print_json(_content(tables, chosen, len(files), bar))
    else:
        for table in tables:
            _print(table)
    for table in tables:
        if table.share < bar:
            raise CheckFailed(
                f"coverage: {table.title}: {table.share:.1f} % of {table.bins} bins, the bar is "
                f"{bar:g} %; the first one missing is {table.missing[0]}"
            )


def _usual(total: Any) -> By:
    """What is shown where the call does not say: of overlays alone theirs."""
    others = total.testbenches or total.networks or any(g.hit_bins for g in total.groups())
    return By.KIND if others or not total.overlays else By.OVERLAY


def _tables(total: Any, by: By) -> list[Table]:
    """What is shown.

    Raises
    ------
    InputError: nothing of that was measured
    """
    testbenches = list(total.testbenches.values())
    match by:
        case By.KIND:
            return [Table("all networks", [*total.groups(), *testbenches])]
        case By.INSTANCE:
            tables = [
                Table(f"network {digest[:12]}", [*layers.values()])
                for digest, layers in total.networks.items()
            ]
            if not tables:
                raise InputError(
                    "--by instance: no run of a network is in these files; add one: shiftnas cosim "
                    "NET --coverage FILE"
                )
            return tables + ([Table("testbenches", testbenches)] if testbenches else [])
        case By.TESTBENCH:
            if not testbenches:
                raise InputError(
                    "--by testbench: no cover group is in these files; a testbench adds its own "
                    "with sim.stream.CoverGroup"
                )
            return [Table("testbenches", testbenches)]
        case By.OVERLAY:
            if not total.overlays:
                raise InputError(
                    "--by overlay: no run of an overlay is in these files; add one: shiftnas cosim "
                    "NET --plan PLAN --coverage FILE, with an overlay's plan"
                )
            return [Table("overlays", [*total.overlays.values()])]


def _content(tables: Sequence[Table], by: By, files: int, bar: float) -> dict[str, Any]:
    content: dict[str, Any] = {"files": files, "by": by, "bar": bar}
    if by is By.INSTANCE:
        return content | {"tables": [{"title": t.title} | t.as_dict() for t in tables]}
    (table,) = tables
    return content | table.as_dict()


def _print(shown: Table) -> None:
    from rich.table import Table as Grid

    out_of_reach = shown.out_of_reach
    grid = Grid(show_footer=True, title=shown.title, title_justify="left")
    grid.add_column("group", footer="all")
    for heading, total in (
        ("hit", str(shown.hit)),
        ("bins", str(shown.bins)),
        ("share", f"{shown.share:.1f} %"),
        *([("out of reach", str(len(out_of_reach)))] if out_of_reach else []),
    ):
        grid.add_column(heading, justify="right", footer=total)
    for group in shown.groups:
        share = 100 * group.hit_bins / max(1, group.reachable)
        row = [group.name, str(group.hit_bins), str(group.reachable), f"{share:.0f} %"]
        grid.add_row(*row, *([str(len(group.out_of_reach))] if out_of_reach else []))
    console.print_grid(grid)
    _list("missing", shown.missing)
    _list("out of reach", [f"{name} ({reason})" for name, reason in out_of_reach.items()])


def _list(what: str, names: Sequence[str]) -> None:
    for name in names[:SHOWN]:
        click.echo(f"{what}  {name}")
    if len(names) > SHOWN:
        click.echo(f"{what}  {len(names) - SHOWN} more; --json names them")

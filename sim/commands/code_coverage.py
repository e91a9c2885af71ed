"""The subcommand code-coverage."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from hw import console, outputs
from hw.commands.options import FOLDER, OUTPUT, Number
from hw.errors import CheckFailed, InputError
from sim.commands.options import given, refuse

SECONDS = 60
"""Time for the proofs of a layer."""

SHOWN = 40
"""Modules and points that are named: those that miss most."""

INFO_MARKS = (b"TN:shiftnas\n",)
"""What a tracefile can be told by."""


@click.command("code-coverage", cls=console.Command)
@click.argument("files", metavar="FILE...", type=FOLDER, nargs=-1, required=True)
@click.option("--exclude", type=FOLDER, help="Points that need not be hit, with reasons: YAML.")
@click.option(
    "--rtl",
    type=FOLDER,
    help="The RTL folder that was simulated: bits that nothing can change are found by proof.",
)
@click.option(
    "--prove",
    "seconds",
    type=click.IntRange(min=0),
    metavar="SECONDS",
    default=SECONDS,
    show_default=True,
    help="With --rtl: time for the proofs of a layer that what was not counted there cannot come; "
    "0: constants only.",
)
@click.option(
    "--line-bar",
    type=Number(0, 100),
    default=0.0,
    show_default=True,
    help="Exit code 1 where less than this share of the lines was executed, in per cent.",
)
@click.option(
    "--toggle-bar",
    type=Number(0, 100),
    default=0.0,
    show_default=True,
    help="Exit code 1 where less than this share of the bits has changed, in per cent.",
)
@click.option("--info", type=OUTPUT, help="Write lcov's tracefile.")
@click.option("--html", type=OUTPUT, help="Write a page.")
@click.option("--out", type=OUTPUT, help="Write the merged code coverage to this file.")
@console.force_option
@console.json_option
def code_coverage(
    files: tuple[Path, ...],
    exclude: Path | None,
    rtl: Path | None,
    seconds: int,
    line_bar: float,
    toggle_bar: float,
    info: Path | None,
    html: Path | None,
    out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Merge the code coverage of runs of one RTL; show by module what was never exercised."""
    from hw.verilog import rtl_folder
    from sim.code_coverage import constants, exclusions, impossible, page, store, summary
    from sim.code_coverage import info as tracefile

    refuse((rtl is None and given("seconds"), "--prove: proofs are about the Verilog; add --rtl"))
    for path, marks in ((info, INFO_MARKS), (html, page.MARKS), (out, store.MARKS)):
        if path is not None:
            outputs.require_absent(path, force, marks)
    listed = [] if exclude is None else exclusions.load(exclude)
    total = store.load(files[0])
    for file in files[1:]:
        total.add(store.load(file))
    excluded: exclusions.Excluded = {}
    proved = None
    if rtl is not None:
        emission = rtl_folder.read(rtl, style=None)
        if store.digest_of(emission.files) != total.rtl:
            raise InputError(f"--rtl: {rtl}: not the RTL that {files[0]} is of; give that one")
        excluded |= constants.excluded(emission, total.counts)
        proved = impossible.found(emission, total.counts, excluded, seconds)
        excluded |= proved.excluded
    theirs = exclusions.excluded(listed, total.counts, excluded)
    excluded |= theirs
    left = {} if proved is None else proved.left_without(theirs)
    whole = summary.summary("all", total.counts, excluded)
    modules = summary.by_module(total.counts, excluded)
    if out is not None:
        store.save(total, out)
    if info is not None:
        outputs.write_atomic(info, tracefile.info(total.counts, excluded))
    if html is not None:
        outputs.write_atomic(html, page.page(total.rtl, whole, modules, excluded))
    if as_json:
        console.print_json(_content(len(files), total.rtl, whole, modules, excluded, left))
    else:
        _print(whole, modules, excluded, left)
    for what, share, bar in (
        ("lines", whole.lines, line_bar),
        ("bits", whole.toggles, toggle_bar),
    ):
        if share.percent < bar:
            raise CheckFailed(
                f"code-coverage: {share.percent:.2f} % of {share.of:,} {what}, the bar is {bar:g} %"
            )


def _content(
    files: int,
    rtl: str,
    whole: Any,
    modules: Sequence[Any],
    excluded: dict[Any, str],
    left: dict[str, int],
) -> dict[str, Any]:
    """The documented JSON."""
    from sim.code_coverage.exclusions import reasons

    return {
        "files": files,
        "rtl": rtl,
        **_figures(whole),
        "reasons": dict(reasons(excluded)),
        "left": left,
        "modules": [{"name": module.name} | _figures(module) for module in modules],
        "missing": [str(point) for point in whole.missing],
    }


def _figures(row: Any) -> dict[str, Any]:
    shares = {"lines": row.lines, "branches": row.branches, "toggles": row.toggles}
    return {
        name: {"hit": share.hit, "of": share.of, "share": round(share.percent, 2)}
        for name, share in shares.items()
    } | {"excluded": row.excluded}


def _print(
    whole: Any, modules: Sequence[Any], excluded: dict[Any, str], left: dict[str, int]
) -> None:
    from rich.table import Table

    from sim.code_coverage.exclusions import reasons

    grid = Table(show_footer=True)
    grid.add_column("module", footer="all")
    for heading, share in (
        ("lines", whole.lines),
        ("branches", whole.branches),
        ("bits", whole.toggles),
    ):
        grid.add_column(heading, justify="right", footer=_share(share))
    grid.add_column("excluded", justify="right", footer=str(whole.excluded))
    short = sorted((m for m in modules if m.missing), key=lambda m: -len(m.missing))
    for module in short[:SHOWN]:
        shares = (module.lines, module.branches, module.toggles)
        grid.add_row(module.name, *map(_share, shares), str(module.excluded))
    console.print_grid(grid)
    rest = f", those that miss most above; --json and --html have all {len(modules)}"
    click.echo(
        f"modules   {len(modules) - len(short)} of {len(modules)} have everything"
        f"{rest if len(short) > SHOWN else ''}"
    )
    for point in whole.missing[:SHOWN]:
        click.echo(f"missing   {point}")
    if len(whole.missing) > SHOWN:
        click.echo(f"missing   {len(whole.missing) - SHOWN} more; --json and --html name them")
    for reason, count in reasons(excluded):
        click.echo(f"excluded  {count} points: {reason}")
    for reason, count in left.items():
        click.echo(f"left      {count} changes of bits: {reason}")


def _share(share: Any) -> str:
    return f"{share.percent:.1f} % of {share.of}" if share.of else "-"

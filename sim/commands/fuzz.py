"""The subcommand fuzz."""

import itertools
import os
import re
import time
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from hw import console, documents, outputs
from hw.commands.options import FOLDER, OUTPUT, plugin_option
from hw.errors import CheckFailed, InputError
from hw.verilog.rtl_folder import DATAFLOW, OVERLAY
from sim import junit
from sim.commands.options import check_junit, given, junit_option, refuse

DEFAULT_CASES = 20
KINDS = ("cells", "layers", "model")
"""Those of `sim.fuzz.case.NETS`, which is imported when the command runs."""

STYLES = (DATAFLOW, OVERLAY)

GAPS_SHOWN = 6
"""Most values of an axis named that no case had."""

UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}


class Duration(click.ParamType):
    """A time such as 90, 90s, 10m or 2h, in seconds.

    Parameters
    ----------
    none: whether no time at all is one
    """

    name = "T"

    def __init__(self, *, none: bool = False):
        self.none = none

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|min|h|)", str(value))
        if match is None:
            self.fail(f"{value!r}: expected a time such as 90s, 10m or 2h", param, ctx)
        seconds = float(match[1]) * UNITS[match[2]]
        if not seconds and not self.none:
            self.fail(f"{value!r}: nothing is run in no time; expected more", param, ctx)
        return seconds


@click.command(cls=console.Command)
@click.option("--cases", type=click.IntRange(min=1), help=f"Cases to run [{DEFAULT_CASES}].")
@click.option(
    "--time",
    "duration",
    type=Duration(),
    help="Begin cases for this long: 90s, 10m, 2h; a number alone is seconds. With --cases: until "
    "either is reached.",
)
@click.option(
    "--of",
    "kind",
    type=click.Choice(KINDS),
    help="Draw networks of cells only, conventional ones (model), or any layers; default: all.",
)
@click.option(
    "--style",
    type=click.Choice(STYLES),
    default=DATAFLOW,
    show_default=True,
    help="The hardware: an engine for each layer, or an overlay and a program for it.",
)
@click.option("--published", is_flag=True, help="Run the published genotypes, with both stems.")
@click.option("--case", "case_file", type=FOLDER, help="Run this case.json.")
@click.option("--first", type=click.IntRange(min=0), default=0, help="Number of the first case.")
@click.option(
    "--jobs",
    type=click.IntRange(min=0),
    default=lambda: len(os.sched_getaffinity(0)),
    help="Cases side by side; default: one a core. 0: in this process.",
)
@click.option(
    "--shrink",
    "shrink_time",
    type=Duration(none=True),
    default="3m",
    show_default=True,
    help="Time for making a failing case smaller; 0: it stays as it was drawn.",
)
@click.option(
    "--coverage",
    "coverage_file",
    type=FOLDER,
    help="Add the functional coverage of all cases to this file (made if need be).",
)
@click.option("--stop-on-failure", is_flag=True, help="Begin no case after one has failed.")
@click.option(
    "--out",
    type=OUTPUT,
    default=Path("fuzz"),
    show_default=True,
    help="Folder for the reproducers; made when a case fails.",
)
@junit_option("case")
@console.seed_option
@plugin_option
@console.force_option
@console.json_option
def fuzz(
    cases: int | None,
    duration: float | None,
    kind: str | None,
    style: str,
    published: bool,
    case_file: Path | None,
    first: int,
    jobs: int,
    shrink_time: float,
    coverage_file: Path | None,
    stop_on_failure: bool,
    out: Path,
    junit_file: Path | None,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Random networks, formats, plans, stalls and images: RTL against the reference, every bit.

    A case that fails is made smaller and written to --out as a folder that runs again.
    """
    from sim import tools
    from sim.coverage import store
    from sim.fuzz import workers
    from sim.fuzz.tally import Tally

    named = "--published" if published else "--case" if case_file is not None else ""
    for option in ("cases", "duration", "kind", "style", "first", "seed"):
        flag = {"duration": "time", "kind": "of"}.get(option, option)
        refuse((bool(named) and given(option), f"--{flag}: {named} names the cases; leave it out"))
    tools.find()
    if not force:
        outputs.require_absent(out, force)
    outputs.require_apart(out)
    if coverage_file is not None:
        store.check(coverage_file)
    check_junit(junit_file, force)
    these = _given(published, case_file)
    total = len(these) if these else cases or (None if duration else DEFAULT_CASES)
    tally, start = Tally(), time.monotonic()

    def begins(number: int) -> bool:
        late = duration is not None and time.monotonic() - start >= duration
        return not late and not (stop_on_failure and tally.failed)

    numbers = itertools.count(first) if total is None else range(first, first + total)
    tasks = (
        workers.Task(
            number, seed, these[number - first] if these else None, out, shrink_time, kind, style
        )
        for number in itertools.takewhile(begins, numbers)
    )
    results = workers.side_by_side(tasks, jobs) if jobs else workers.in_turn(tasks)
    with junit.report(junit_file, "fuzz") as cases_run:
        interrupted = _count(results, tally, cases_run, total, duration)
        if coverage_file is not None:
            store.add(tally.coverage, coverage_file)
        content = {
            "seed": seed,
            **tally.as_dict(),
            "seconds": round(time.monotonic() - start, 1),
            "interrupted": interrupted,
        }
        if as_json:
            console.print_json(content)
        else:
            _print(content)
        if tally.failed:
            raise CheckFailed(f"fuzz: {tally.failed} of {tally.cases} cases failed; see {out}")
        if interrupted:
            raise KeyboardInterrupt
        if not tally.cases:
            raise CheckFailed("fuzz: no case was run; give more --time")


def _count(
    results: Generator[Any, None, None],
    tally: Any,
    cases: list[junit.Case],
    total: int | None,
    duration: float | None,
) -> bool:
    """Count the results as they come, with a progress display; true if Ctrl-C ended it.

    `cases` gets a case of the report for each.
    """
    steps = float((total if duration is None else duration) or 0)
    last = time.monotonic()
    with console.progress("fuzz", steps) as progress, closing(results):
        try:
            for result in results:
                tally.add(result)
                cases.append(_case(result))
                if result.outcome.failure is not None:
                    _report(result)
                now = time.monotonic()
                note = f"{tally.cases} cases, {tally.failed} failed"
                progress.advance(1 if duration is None else now - last, note)
                last = now
        except KeyboardInterrupt:
            return True
    return False


def _given(published: bool, case_file: Path | None) -> list:
    """The cases that the call names, if it does."""
    from sim.fuzz import case as descriptions
    from sim.fuzz import published as small

    if published and case_file:
        raise InputError("--case: --published names the cases too; give one of the two")
    if published:
        return small.cases()
    if case_file is None:
        return []
    try:
        content = documents.load_json(case_file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{case_file}: expected a fuzz case as JSON: {error}") from None
    try:
        return [descriptions.from_dict(content)]
    except InputError as error:
        raise InputError(f"{case_file}: {error}") from None


def _case(result: Any) -> junit.Case:
    """A result in the report."""
    outcome = result.outcome
    failure, where = outcome.failure, f"\n{result.folder}" if result.folder else ""
    return junit.Case(
        f"fuzz.{outcome.case.level}",
        f"case {outcome.number}",
        outcome.seconds,
        failure=f"{failure.message}{where}" if failure else "",
        kind=failure.kind if failure else "",
    )


def _report(result: Any) -> None:
    outcome = result.outcome
    shrunk = f" (shrunk in {result.tried} runs)" if result.tried else ""
    console.note(f"case {outcome.number}: {outcome.failure.message}{shrunk}: {result.folder}")


def _print(content: dict[str, Any]) -> None:
    bits, beats = f"{content['bits']:,}", f"{content['beats']:,}"
    click.echo(
        f"cases       {content['cases']}, {content['failed']} failed; "
        f"{content['refused']} draws refused by their formats\n"
        f"compared    {bits} bits, {beats} beats, {content['frames']} frames, "
        f"{content['layers']:,} layers; {content['mismatches']} cases with differing bits\n"
        f"time        {content['seconds']:.0f} s, {content['cpu_seconds']:.0f} s of CPU, "
        f"{content['cycles']:,} cycles"
    )
    for axis, values in content["hits"].items():
        hit = [f"{value} ×{count}" for value, count in values.items() if count]
        gaps = content["missing"].get(axis, [])
        missing = f"; not {', '.join(gaps)}" if 0 < len(gaps) <= GAPS_SHOWN else ""
        click.echo(f"{axis:17} {len(hit)} of {len(values)}: {', '.join(hit)}{missing}")

"""The subcommand mutate."""

import os
import time
from functools import partial
from pathlib import Path

import click

from hw import console, outputs
from hw.commands import plans
from hw.commands.options import OUTPUT, Number, network_argument, plan_option
from hw.errors import CheckFailed
from sim import junit
from sim.commands.options import check_junit, junit_option


@click.command(cls=console.Command)
@network_argument
@plan_option
@click.option(
    "--mutants", type=click.IntRange(min=1), default=120, show_default=True, help="How many."
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Simulations at a time; default: one for each processor.",
)
@click.option(
    "--layer",
    metavar="NAME",
    default="",
    help="Only in this layer, edge or cell; of an overlay: in this part.",
)
@click.option(
    "--bar",
    type=Number(0, 1),
    default=0.95,
    show_default=True,
    help="Score below which the exit code is 1.",
)
@click.option(
    "--prove",
    type=click.IntRange(min=0),
    metavar="SECONDS",
    default=60,
    show_default=True,
    help="Time for each proof that a survivor is no change; 0: no proofs.",
)
@click.option("--out", type=OUTPUT, help="Write the report and every survivor's diff here.")
@junit_option("mutant")
@console.seed_option
@console.force_option
@console.json_option
def mutate(
    folder: Path,
    plan_file: Path | None,
    mutants: int,
    jobs: int | None,
    layer: str,
    bar: float,
    prove: int,
    out: Path | None,
    junit_file: Path | None,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Change the RTL of a NETWORK in small ways and count what the testbench notices.

    Exit code 1 where it notices too few.
    """
    from hw.ir import serialize
    from hw.verilog import emit_overlay
    from sim import tools
    from sim.mutation import campaign, overlays, report

    tools.find()
    if out is not None:
        outputs.require_absent(out, force)
    check_junit(junit_file, force)
    chosen = {"mutants": mutants, "seed": seed, "prove_seconds": prove}
    chosen["jobs"] = jobs or len(os.sched_getaffinity(0))
    plan = plans.overlay(plan_file)
    if plan is not None:
        overlay = emit_overlay.emit(plan)
        run = partial(overlays.run, serialize.load(folder), overlay, part=layer, **chosen)
    else:
        run = partial(campaign.run, *plans.load(folder, plan_file), layer=layer, **chosen)
    with junit.report(junit_file, "mutate") as cases:
        start, before = time.monotonic(), os.times()
        found = run()
        cases += report.cases(found, bar)
        after = os.times()
        used = sum(after[:4]) - sum(before[:4])
        seconds = {"seconds": round(time.monotonic() - start, 1), "cpu_seconds": round(used, 1)}
        content = {**report.as_dict(found), "bar": bar, **seconds}
        if out is not None:
            with outputs.folder(out, force) as target:
                report.write(found, content, target)
        if as_json:
            console.print_json(content)
        else:
            click.echo(report.table(found))
            click.echo(f"\n{seconds['seconds']} s, {seconds['cpu_seconds']} s of processor time")
        if not found.changes:
            raise CheckFailed(
                f"mutate: not one of {len(found.verdicts)} mutants is a change, so nothing was "
                "tried; give more --mutants or another --seed"
            )
        if found.score < bar:
            raise CheckFailed(
                f"mutate: score {found.score:.1%}, the bar is {bar:.0%}; {len(found.survivors)} of "
                f"{len(found.verdicts)} mutants survived"
            )

"""The subcommand prove."""

from dataclasses import asdict
from pathlib import Path

import click

from hw import console, outputs
from hw.commands.options import OUTPUT
from hw.errors import CheckFailed
from sim import junit
from sim.commands.options import check_junit, junit_option, refuse
from sim.formal.proof import Failure, Result
from sim.formal.proof import prove as decide
from sim.formal.proofs import select
from sim.formal.trace import table

REASONS = {
    "counterexample": "a run from reset breaks",
    "induction": "no run from reset found, but the induction does not close, over",
    "path": "a combinational path from a reader's ready breaks",
    "cover": "not reached, so that the proof may say nothing:",
}
"""Kind of a failure -> what is said before the statements concerned."""


@click.command(cls=console.Command)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--list", "listing", is_flag=True, help="Print the names and subjects only.")
@click.option("--fresh", is_flag=True, help="Prove again what was proved before.")
@click.option("--out", type=OUTPUT, help="Folder for the counterexamples, NAME.vcd.")
@junit_option("proof")
@console.force_option
@console.json_option
def prove(
    names: tuple[str, ...],
    listing: bool,
    fresh: bool,
    out: Path | None,
    junit_file: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Prove the building blocks of the hardware right for all inputs, for all time.

    Windows, processing elements, requantisers, pools, joins, queues, the loading of weights.

    NAMEs choose proofs and may be patterns (`fifo-*`); default: all.
    """
    for option, asked in (("fresh", fresh), ("out", out), ("junit", junit_file)):
        clash = listing and bool(asked)
        refuse((clash, f"--{option}: --list proves nothing; leave one of the two out"))
    proofs = select(names)
    if listing:
        if as_json:
            console.print_json({proof.name: proof.subject for proof in proofs})
        else:
            width = max(len(proof.name) for proof in proofs)
            for proof in proofs:
                click.echo(f"{proof.name:<{width}}  {proof.subject}")
        return
    if out is not None:
        outputs.require_absent(out, force)
    check_junit(junit_file, force)
    results: list[Result] = []
    waves: dict[str, bytes] = {}
    with junit.report(junit_file, "prove") as cases:
        with console.progress("prove", len(proofs)) as display:
            for proof in proofs:
                result, trace = decide(proof, fresh=fresh)
                results.append(result)
                cases.append(_case(result))
                if trace is not None:
                    waves[proof.name] = trace
                if not as_json:
                    _print(result)
                display.advance(note=proof.name)
        if out is not None:
            with outputs.folder(out, force) as folder:
                for name, trace in waves.items():
                    (folder / f"{name}.vcd").write_bytes(trace)
        failed = [result.name for result in results if not result.proved]
        if as_json:
            console.print_json(_summary(results))
        elif not failed:
            click.echo(_total(results))
        if failed:
            raise CheckFailed(f"{len(failed)} of {len(results)} proofs fail: {', '.join(failed)}")


def _case(result: Result) -> junit.Case:
    """A proof in the report."""
    failure = result.failure
    return junit.Case(
        "prove",
        result.name,
        result.seconds,
        failure="" if failure is None else _explain(failure),
        kind="" if failure is None else failure.kind,
    )


def _print(result: Result) -> None:
    mark = "proved" if result.proved else "FAILS"
    time = f"{result.seconds:.2f} s" + (", cached" if result.cached else "")
    click.echo(f"{result.name}: {result.subject}: {mark}, k = {result.depth}, {time}")
    for label, statements in (
        ("proved" if result.proved else "stated", result.rules),
        ("lemmas", result.lemmas),
        ("assumed", result.assumptions),
        ("reached", tuple(f"{name} ({cycle})" for name, cycle in result.covers.items())),
    ):
        if statements:
            click.echo(f"  {label:<8} {', '.join(statements)}")
    if result.failure is not None:
        click.echo("\n".join(f"  {line}" for line in _explain(result.failure).splitlines()))


def _explain(failure: Failure) -> str:
    text = f"{REASONS[failure.kind]} {', '.join(failure.statements)}"
    return f"{text}\n{table(failure.trace)}" if failure.trace else text


def _summary(results: list[Result]) -> dict[str, object]:
    return {
        "proofs": len(results),
        "proved": sum(result.proved for result in results),
        "rules": sum(len(result.rules) for result in results),
        "cached": sum(result.cached for result in results),
        "seconds": round(sum(result.seconds for result in results), 2),
        "results": [asdict(result) for result in results],
    }


def _total(results: list[Result]) -> str:
    total = _summary(results)
    return (
        f"{total['proved']} proofs, {total['rules']} rules, {total['seconds']} s of processor time"
        f" ({total['cached']} proofs cached)"
    )

"""The subcommand equiv."""

import time
from pathlib import Path
from typing import Any

import click

from hw import console
from hw.commands.options import FOLDER, Number
from hw.errors import CheckFailed
from sim import junit
from sim.commands.options import check_junit, junit_option

SECONDS = 20
"""Time for a proof: those that are found are found sooner."""

SAID = {
    "text": "the same Verilog, comments aside: equal",
    "proof": "proved equal, cycle for cycle, on any input",
    "stimulus": "no difference on the same stimulus; compared, not proved",
}
"""How two versions were found to be equal -> what is said of it."""


@click.command(cls=console.Command)
@click.argument("one", metavar="A", type=FOLDER)
@click.argument("two", metavar="B", type=FOLDER)
@click.option(
    "--prove",
    type=click.IntRange(min=0),
    metavar="SECONDS",
    default=SECONDS,
    show_default=True,
    help="Time for the proof of each module that differs; 0: no proofs.",
)
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="Images that both get where there is no proof.",
)
@click.option(
    "--stall",
    type=Number(0, 1, max_open=True),
    default=0.25,
    show_default=True,
    help="Images run once more under stalls, the random ones with this chance; 0: they do not.",
)
@junit_option("comparison")
@console.seed_option
@console.force_option
@console.json_option
def equiv(
    one: Path,
    two: Path,
    prove: int,
    frames: int,
    stall: float,
    junit_file: Path | None,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Compare two RTL folders of one NETWORK: proved equal, or compared on the same stimulus.

    A and B may have other plans, other versions, or have been edited.
    """
    from hw.networks.images import full_range
    from hw.verilog import edits, rtl_folder
    from sim import equiv as equivalence
    from sim import tools
    from sim.stimuli import Stimuli

    tools.find()
    check_junit(junit_file, force)
    first, second = (rtl_folder.read(folder, allow_edited=True) for folder in (one, two))
    edited = [
        f"{folder / name}: edited since it was emitted"
        for folder, version in ((one, first), (two, second))
        for name in edits.edited_files(version)
    ]
    for line in edited:
        console.note(f"equiv: {line}")
    start = time.monotonic()
    images = full_range(tuple(first.manifest["input_shape"]), frames, seed)
    stimuli = Stimuli(images, stall, seed=seed, resets=2)
    with junit.report(junit_file, "equiv") as cases:
        found = equivalence.compare(first, second, stimuli, prove_seconds=prove)
        name = f"{one} and {two}: {found.how}"
        cases.append(junit.Case("equiv", name, failure=found.difference, kind="difference"))
        content: dict[str, Any] = {
            "equal": not found.difference,
            "how": found.how,
            "modules": list(found.modules),
            "difference": found.difference,
            "frames": found.frames,
            "beats": found.beats,
            "bits": found.bits,
            "cycles": list(found.cycles),
            "edited": edited,
            "seconds": round(time.monotonic() - start, 1),
        }
        if as_json:
            console.print_json(content)
        elif not found.difference:
            _print(content)
        if found.difference:
            raise CheckFailed(f"equiv: {one} and {two} differ: {found.difference}")


def _print(content: dict[str, Any]) -> None:
    modules = content["modules"]
    click.echo(SAID[content["how"]])
    if modules:
        click.echo(f"modules that are not the same text: {len(modules)}: {', '.join(modules)}")
    if content["how"] == "stimulus":
        cycles = " and ".join(f"{count:,}" for count in content["cycles"])
        click.echo(
            f"{content['frames']} frames, {content['beats']:,} beats, {content['bits']:,} bits of "
            f"every layer; {cycles} cycles"
        )

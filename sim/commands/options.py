"""Arguments that subcommands of the simulation side share."""

from pathlib import Path

import click

from hw import outputs
from hw.commands.options import OUTPUT
from sim import junit


def junit_option(each: str):
    """`--junit`, passed as `junit_file`; `each` says what makes a test case."""
    return click.option(
        "--junit",
        "junit_file",
        type=OUTPUT,
        metavar="FILE",
        help=f"Write a JUnit report, a test case for each {each}.",
    )


def check_junit(path: Path | None, force: bool) -> None:
    """InputError where no report may be written: ask before long work."""
    if path is not None:
        outputs.require_absent(path, force, junit.MARKS)

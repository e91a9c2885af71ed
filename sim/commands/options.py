"""Arguments that subcommands of the simulation side share."""

from pathlib import Path

import click
from click.core import ParameterSource

from hw import outputs
from hw.commands.options import OUTPUT
from hw.errors import InputError
from sim import junit


def given(parameter: str) -> bool:
    """Whether the call that runs names this option, which may have a default."""
    context = click.get_current_context()
    return context.get_parameter_source(parameter) is not ParameterSource.DEFAULT


def refuse(*rules: tuple[bool, str]) -> None:
    """InputError with the message of the first rule that is broken."""
    for broken, message in rules:
        if broken:
            raise InputError(message)


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

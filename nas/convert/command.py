"""Subcommand convert."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hw import console
from hw.commands.options import FILE_OR_NAME, FOLDER
from hw.errors import InputError
from nas.config import Config
from nas.run_options import (
    RunOptions,
    begin,
    domain_option,
    from_option,
    run_options,
    run_seeds_of,
    train_once,
)

if TYPE_CHECKING:
    from nas.importer import Imported

NOT_HERE = ("channels", "cells", "stem")
"""Settings of a training that say what network it is."""


@click.command(cls=console.Command)
@click.argument("factory", metavar="MODULE:FACTORY", type=FILE_OR_NAME)
@click.option("--check", is_flag=True, help="Say what would be done, layer by layer, and stop.")
@click.option(
    "--quantiser",
    type=click.Choice(("ps", "q", "inq")),
    help="What is trained behind a shift weight; same as --set shift.layer=...; default: ps.",
)
@click.option("--from-scratch", is_flag=True, help="New weights; default: those of the model.")
@click.option(
    "--pretrained",
    type=FOLDER,
    metavar="FILE",
    help="Give the model the state dict in FILE first.",
)
@from_option
@domain_option
@run_options
def convert(
    factory: str,
    check: bool,
    quantiser: str | None,
    from_scratch: bool,
    pretrained: Path | None,
    start: Path | None,
    domain: str,
    run: RunOptions,
) -> None:
    """Convert a model of your own to bit-shift layers, and train it.

    FACTORY(), in MODULE or FILE.py, gives a torch.nn.Module.
    """
    from nas.convert.pretrained import first_weights
    from nas.own import Own

    given = {"--from-scratch": from_scratch, "--pretrained": pretrained, "--from": start}
    weights = [option for option, value in given.items() if value]
    if len(weights) > 1:
        raise click.UsageError(f"{weights[0]}: not beside {weights[1]}; leave one of the two out")
    settings = run.settings({"--quantiser": ("shift.layer", quantiser)})
    run.refuse_settings(NOT_HERE, "of networks of cells; the factory says what is trained")
    if check:
        _print_table(_checked(factory, run, settings, pretrained), settings, domain, run.as_json)
        return
    begin(run, "train")
    found = _checked(factory, run, settings, pretrained)
    if run.seeds is not None:
        words = ["convert", factory, "--domain", domain]
        words += weights if from_scratch else [part for w in weights for part in (w, str(given[w]))]
        run_seeds_of(words, settings, run)
        return
    first = None if from_scratch else start or first_weights(factory, found)
    for line in found.notes:
        console.note(line)
    train_once(Own(factory, found.graph), first, settings, domain, run)


def _checked(place: str, run: RunOptions, settings: Config, weights: Path | None) -> "Imported":
    """The model as a graph; where it cannot be one, a line for each layer, and InputError."""
    from nas.convert.check import check
    from nas.importer import NotConvertible

    try:
        return check(place, run.data, settings, weights)
    except NotConvertible as error:
        for refusal in error.refusals:
            console.note(str(refusal))
        if run.as_json:
            console.print_json({"refused": [asdict(refusal) for refusal in error.refusals]})
        count = len(error.refusals)
        layers = "1 layer" if count == 1 else f"{count} layers"
        raise InputError(f"{place}: {layers} cannot be converted") from error


def _print_table(found: "Imported", settings: Config, domain: str, as_json: bool) -> None:
    from nas.convert.layers_table import rows, text

    table = rows(found, settings.shift, domain)
    if as_json:
        weights = sum(row.weights for row in table)
        layers = [row.as_dict() for row in table]
        console.print_json({"layers": layers, "weights": weights, "notes": list(found.notes)})
    else:
        click.echo(text(found, table))

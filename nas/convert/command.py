"""Subcommand convert."""

from dataclasses import asdict

import click

from hw import console
from hw.commands.options import DATA, plugin_option
from hw.errors import InputError


@click.command(cls=console.Command)
@click.argument("factory", metavar="MODULE:FACTORY")
@click.option("--data", type=DATA, metavar="D", required=True, help="Data set: name or folder.")
@click.option("--config", metavar="F", help="Settings: a YAML file or a preset.")
@click.option("--set", "overrides", metavar="K=V", multiple=True, help="One setting; repeatable.")
@click.option("--check", is_flag=True, help="Say what would be done, layer by layer, and stop.")
@plugin_option
@console.json_option
def convert(
    factory: str,
    data: str,
    config: str | None,
    overrides: tuple[str, ...],
    check: bool,
    as_json: bool,
) -> None:
    """Convert a model of your own: its convolutions and linear layers to bit-shift ones."""
    from nas.config import load_config
    from nas.convert import check as checking
    from nas.convert.layers_table import text
    from nas.importer import NotConvertible

    settings = load_config(config, overrides)
    try:
        found, table = checking.check(factory, data, settings)
    except NotConvertible as error:
        for refusal in error.refusals:
            console.note(str(refusal))
        if as_json:
            console.print_json({"refused": [asdict(refusal) for refusal in error.refusals]})
        raise InputError(f"{factory}: {len(error.refusals)} layers cannot be converted") from error
    if as_json:
        rows = [row.as_dict() for row in table]
        weights = sum(row.weights for row in table)
        console.print_json({"layers": rows, "weights": weights, "notes": list(found.notes)})
    else:
        click.echo(text(found, table))

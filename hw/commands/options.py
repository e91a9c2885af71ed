"""Arguments that several subcommands share."""

import math
import re
from pathlib import Path
from typing import Any

import click

from hw import plugins
from hw.data import NAMES
from hw.ir.graph import Shape
from hw.networks.conventional import MODELS
from hw.outputs import NameOrPath, Output

FOLDER = click.Path(path_type=Path)
OUTPUT = Output()
FILE_OR_NAME = NameOrPath()
"""A published genotype or its file, a preset or a file of settings."""
DATA = NameOrPath(NAMES)
"""A data set that comes with a package, or the path of one."""


class ImageShape(click.ParamType):
    """HxWxC, such as 28x28x1."""

    name = "HxWxC"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Shape:
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(\d+)x(\d+)x(\d+)", value)
        if match is None:
            self.fail(f"{value!r}: expected HxWxC, such as 28x28x1", param, ctx)
        height, width, channels = map(int, match.groups())
        return height, width, channels


class Number(click.FloatRange):
    """A real number of a range: not nan, which is in every range, and finite."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


def out_option(what: str, **options: Any):
    """`--out`, passed as `out`."""
    return click.option("--out", type=OUTPUT, help=what, **{"required": True, **options})


def _load_plugins(ctx: click.Context, param: click.Parameter, places: tuple[str, ...]) -> None:
    del ctx, param
    plugins.load_all(places)


model_option = click.option(
    "--model",
    "model_name",
    type=click.Choice(tuple(MODELS)),
    metavar="M",
    help=f"A conventional network instead: {', '.join(MODELS)}.",
)
width_option = click.option(
    "--width",
    type=Number(min=0, min_open=True),
    help="Of a conventional network's layers, as a share of the published channels; default: 1.",
)


def require_network(genotype: str | None, model: str | None, width: float | None) -> None:
    """UsageError unless there is one of both, and a width with the conventional one alone."""
    if genotype is None and model is None:
        raise click.UsageError("--genotype or --model: give one of them, the network to make")
    if genotype is not None and model is not None:
        raise click.UsageError("--genotype: not beside --model; its size is --width")
    if model is None and width is not None:
        raise click.UsageError("--width: of --model; a network of cells has channels")


plugin_option = click.option(
    "--plugin",
    "plugin",
    metavar="MODULE|FILE",
    multiple=True,
    # Before other options are read: they may name what it registers.
    is_eager=True,
    expose_value=False,
    callback=_load_plugins,
    help="Load operations, strategies, data sets, presets of one's own; repeatable.",
)

network_argument = click.argument("folder", metavar="NET", type=FOLDER)
optional_network_argument = click.argument("folder", metavar="[NET]", type=FOLDER, required=False)
"""Where hardware may be meant that is for no network: an overlay."""
plan_option = click.option(
    "--plan",
    "plan_file",
    metavar="P",
    type=FOLDER,
    help="plan.yaml; default: what `plan` proposes.",
)
allow_edited_option = click.option(
    "--allow-edited", is_flag=True, help="The files of --rtl may have been edited since; says how."
)
formats_option = click.option(
    "--formats",
    "formats_of",
    metavar="NET",
    type=FOLDER,
    help="Take the tensors' formats of this NETWORK, so that its loadable hardware fits.",
)
paper_option = click.option(
    "--paper",
    is_flag=True,
    help="The paper's arithmetic: 16.16 tensors, 6-bit weights, guard 0, floors.",
)

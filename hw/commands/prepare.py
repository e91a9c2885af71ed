"""The subcommand network: one of random weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import click

from hw import console, outputs
from hw.commands.options import (
    FILE_OR_NAME,
    ImageShape,
    Number,
    formats_option,
    model_option,
    out_option,
    paper_option,
    plugin_option,
    require_network,
    width_option,
)
from hw.errors import InputError
from hw.ir.graph import Graph, Shape
from hw.ir.paper import refuse_beside_paper
from hw.ir.parameters import Rounding
from hw.ir.validate import MAX_GUARD
from hw.networks.cells import Stem

ACT_BITS, WEIGHT_BITS = 8, 5

COUNT = click.IntRange(min=1)


@click.command(cls=console.Command)
@click.option(
    "--genotype",
    "genotype_name",
    type=FILE_OR_NAME,
    metavar="G",
    help="A network of these cells: a genotype's name or file.",
)
@click.option("--channels", type=COUNT, help="C, of the first cells' nodes.")
@click.option("--cells", type=COUNT, help="L.")
@model_option
@width_option
@click.option("--image", type=ImageShape(), required=True, help="Such as 28x28x1.")
@click.option("--classes", type=COUNT, required=True)
@click.option("--stem", type=click.Choice([*map(str, Stem)]), default=str(Stem.CIFAR))
@click.option("--act-bits", type=click.IntRange(2, 32), show_default=str(ACT_BITS))
@click.option("--scale-terms", type=click.IntRange(1, 4), default=3, show_default=True)
@click.option(
    "--guard", type=click.IntRange(0, MAX_GUARD), help="Guard bits; default: exact products."
)
@click.option("--weight-bits", type=click.Choice(["5", "6"]), show_default=str(WEIGHT_BITS))
@click.option(
    "--zeros",
    type=Number(min=0, max=1, max_open=True),
    metavar="SHARE",
    help="Of the weights that are zero; default: 0.25.",
)
@click.option(
    "--rounding",
    type=click.Choice([mode.value for mode in Rounding]),
    show_default=Rounding.HALF_UP.value,
    help="Of requantisations, additions and concatenations.",
)
@paper_option
@formats_option
@out_option("The NETWORK folder.")
@plugin_option
@console.seed_option
@console.force_option
@console.json_option
def network(
    genotype_name: str | None,
    channels: int | None,
    cells: int | None,
    model_name: str | None,
    width: float | None,
    image: Shape,
    classes: int,
    stem: str,
    act_bits: int | None,
    scale_terms: int,
    guard: int | None,
    weight_bits: str | None,
    rounding: str | None,
    zeros: float | None,
    paper: bool,
    formats_of: Path | None,
    out: Path,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Make a NETWORK with random weights and fitting formats, without training."""
    from hw.ir import constant, reference, serialize
    from hw.networks.counts import count
    from hw.networks.random_network import ZERO_SHARE, arithmetic_of, random_network

    outputs.require_absent(out, force)
    if paper:
        refuse_beside_paper(
            act_bits=act_bits, guard=guard, weight_bits=weight_bits, rounding=rounding
        )
    if formats_of is not None and act_bits is not None:
        raise InputError(
            "--act-bits: --formats brings the tensors' widths; leave one of the two out"
        )
    require_network(genotype_name, model_name, width)
    frame = _Frame(image, classes, Stem(stem))
    if model_name is None:
        assert genotype_name is not None
        graph, meta = _of_cells(frame, genotype_name, channels, cells)
    else:
        given = {"channels": channels, "cells": cells}
        graph, meta = _conventional(frame, model_name, width, given)
    settings = {
        "scale_terms": scale_terms,
        "guard": guard,
        "weight_bits": int(weight_bits or WEIGHT_BITS),
        "rounding": Rounding(rounding or Rounding.HALF_UP),
        "paper": paper,
    }
    formats = None
    if formats_of is not None:
        other = serialize.load(formats_of)
        formats = other.formats_for(graph.pruned(), arithmetic_of(**settings))
    made = random_network(
        graph,
        seed=seed,
        act_bits=act_bits or ACT_BITS,
        **settings,
        formats=formats,
        zeros=ZERO_SHARE if zeros is None else zeros,
    )
    meta |= {"image": image, "classes": classes, "stem": stem, "seed": seed, "weights": "random"}
    with outputs.folder(out, force) as folder:
        serialize.save(replace(made, meta=meta), folder)
    images = constant.probes(made.graph.input.shape, seed)
    same = constant.is_constant(images, reference.logits(made, images))
    if same:
        console.note(f"network: {constant.WARNING.format(count=len(images))}")
    result = {"out": out, "digest": made.digest, "nodes": len(made.graph)}
    result["weights"] = count(made.graph).weights
    if as_json:
        console.print_json(result)
    else:
        click.echo(f"{out}: {result['nodes']} nodes, {result['weights']:,} trainable weights")


class _Frame(NamedTuple):
    """What every network has, whatever stands between image and logits."""

    image: Shape
    classes: int
    stem: Stem


def _of_cells(
    frame: _Frame, genotype: str, channels: int | None, cells: int | None
) -> tuple[Graph, dict[str, Any]]:
    """Graph of a genotype, and what its network says of where it is from."""
    from hw.networks import genotypes
    from hw.networks.cells import build

    if channels is None or cells is None:
        missing = "--channels" if channels is None else "--cells"
        raise click.UsageError(f"{missing}: a network of cells needs it")
    found = genotypes.get(genotype)
    graph = build(found, channels=channels, cells=cells, **frame._asdict())
    origin = {"genotype": genotypes.to_mapping(found), "channels": channels, "cells": cells}
    return graph, origin


def _conventional(
    frame: _Frame, name: str, width: float | None, given: dict[str, Any]
) -> tuple[Graph, dict[str, Any]]:
    """The same of a conventional network; `given`: options that are not its own."""
    from hw.networks.conventional import Conventional

    for option, value in given.items():
        if value is not None:
            raise click.UsageError(f"--{option}: not beside --model; its size is --width")
    network = Conventional(name, 1.0 if width is None else width)
    return network.graph(*frame), {"model": name, "width": network.width}

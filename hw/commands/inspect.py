"""Subcommands that look and change nothing: doctor, genotypes, eval."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from hw import console
from hw.commands.options import network_argument, plugin_option
from hw.errors import CheckFailed, InputError
from hw.networks.genotypes import CIFAR10, IMAGENET

if TYPE_CHECKING:
    from hw.data import Classes
    from hw.ir.network import Network

PAPER_MILLIONS = {
    "NASNet": 3.3,
    "AmoebaNet": 2.3,
    "DARTS_V1": 3.2,
    "DARTS_V2": 3.5,
    "GDAS_V1": 2.5,
    "PDARTS": 3.4,
    "DARTS_MINUS_C10": 3.4,
    "DARTS_MINUS_C100": 3.5,
    "DOTS_C10": 3.7,
    "DOTS_C100": 4.2,
    "ShiftNAS_C10": 3.3,
    "ShiftNAS_C100": 3.8,
}
"""Weights in millions by table 1 of the ShiftNAS paper (the CIFAR-100 column for C100)."""

EVAL_BATCH = 250


@click.command(cls=console.Command)
@console.json_option
def doctor(as_json: bool) -> None:
    """Which tools are there, their versions, and the commands that install the missing ones."""
    from hw.commands import doctor as check_up

    tools = check_up.check()
    missing = [tool for tool in tools if not tool.found and not tool.optional]
    if as_json:
        console.print_json({"tools": [vars(tool) for tool in tools], "missing": len(missing)})
    else:
        _print_tools(tools)
    if missing:
        raise CheckFailed(f"missing: {', '.join(tool.name for tool in missing)}")


@click.command(cls=console.Command)
@click.argument("name", required=False)
@plugin_option
@console.json_option
def genotypes(name: str | None, as_json: bool) -> None:
    """List the published genotypes, or show the one called NAME (or in a genotype.yaml).

    Trainable weights and additions are those of the CIFAR-10 network (36 channels, 20 cells,
    32x32x3) and of the ImageNet network (48 channels, 14 cells, 224x224x3); the paper's figure
    stands beside ours.
    """
    from hw.networks import genotypes as library

    names = [name] if name is not None else list(library.published())
    entries = [_describe(entry) for entry in names]
    if as_json:
        console.print_json({"genotypes": entries})
    elif name is not None:
        click.echo(library.to_yaml(library.get(name)), nl=False)
        for key in ("cifar10", "imagenet"):
            size = entries[0][key]
            click.echo(
                f"# {key}: {size['weights']:,} trainable weights, {size['additions']:,} additions"
            )
    else:
        _print_genotypes(entries)


@click.command("eval", cls=console.Command)
@network_argument
@click.option("--data", "data_set", metavar="D", required=True, help="Data set or folder.")
@click.option("--images", type=click.IntRange(min=1), help="Only the first so many images.")
@click.option(
    "--other-images",
    is_flag=True,
    help="Images of the same classes other than those the network was exported with.",
)
@console.json_option
def evaluate(
    folder: Path, data_set: str, images: int | None, other_images: bool, as_json: bool
) -> None:
    """Accuracy of the integer reference over the test images, or the validation images of data
    without any."""
    from hw import data
    from hw.ir import reference, serialize

    network = serialize.load(folder)
    shape = network.graph.input.shape
    split = data.evaluated(data_set)
    test = data.load(data_set, split, size=shape[:2])
    if test.image_shape != shape:
        raise InputError(
            f"{data_set}: images are {_by(test.image_shape)}, {folder} takes {_by(shape)}; "
            "use the data it was trained on"
        )
    unlike = test.known_classes.difference(_recorded_classes(network, folder))
    if unlike is not None:
        raise InputError(f"{data_set}: not the classes that {folder} tells apart: {unlike}")
    judged, digest = _recorded_images(network)
    if not other_images and digest not in (None, test.digest):
        unlike = "other content" if split == judged else f"it has {split} images in their place"
        raise InputError(
            f"{data_set}: not the {judged} images that {folder} was exported with: {unlike}; "
            "--other-images evaluates on others of the same classes"
        )
    chosen, labels = test.images[:images], test.labels[:images]
    right = 0
    with console.progress("eval", len(chosen)) as bar:
        for start in range(0, len(chosen), EVAL_BATCH):
            batch = slice(start, start + EVAL_BATCH)
            right += int(np.sum(reference.classify(network, chosen[batch]) == labels[batch]))
            bar.advance(len(chosen[batch]))
    accuracy = right / len(chosen)
    if as_json:
        figures = {"accuracy": accuracy, "images": len(chosen), "right": right, "split": split}
        console.print_json(figures)
    else:
        click.echo(
            f"accuracy {100 * accuracy:.2f} % over {len(chosen)} {split} images of {test.name}"
        )


def _recorded_classes(network: "Network", folder: Path) -> "Classes":
    """Those that the network tells apart, with their names if it was exported with them."""
    from hw.data import Classes

    try:
        return Classes.from_plain(network.graph.output.shape[2], network.meta.get("class_names"))
    except ValueError as error:
        raise InputError(f"{folder / 'network.json'}: meta: {error}; export it again") from error


def _recorded_images(network: "Network") -> tuple[str, str | None]:
    """The split that the network's run was judged by, and the digest of its images; None where
    nothing is recorded.

    A run of an older version called the images of a folder without `test` its test images.
    """
    digests = network.meta.get("digests")
    digests = digests if isinstance(digests, dict) else {}
    judged = "test" if "test" in digests else "validation"
    return judged, digests.get(judged)


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _describe(name: str) -> dict:
    """A genotype's entry: cells, and the size of the two standard networks."""
    from hw.networks import genotypes as library
    from hw.networks.cells import Stem, build
    from hw.networks.counts import count

    genotype = library.get(name)
    known = library.published().get(name)
    entry = {
        "name": name,
        "source": known.source if known else "",
        "genotype": library.to_mapping(genotype),
        "paper_millions": PAPER_MILLIONS.get(name),
    }
    for key, sizes, stem in (
        ("cifar10", CIFAR10, Stem.CIFAR),
        ("imagenet", IMAGENET, Stem.IMAGENET),
    ):
        size = count(build(genotype, **sizes, stem=stem))
        entry[key] = {"weights": size.weights, "additions": size.additions}
    return entry


def _print_genotypes(entries: list[dict]) -> None:
    from rich.table import Table

    table = Table()
    table.add_column("genotype", no_wrap=True)
    for title in (
        "CIFAR-10 weights",
        "paper, M",
        "additions, M",
        "ImageNet weights",
        "additions, M",
    ):
        table.add_column(title, justify="right")
    for entry in entries:
        cifar, imagenet, paper = entry["cifar10"], entry["imagenet"], entry["paper_millions"]
        table.add_row(
            entry["name"],
            f"{cifar['weights']:,}",
            f"{paper:g}" if paper else "",
            f"{cifar['additions'] / 1e6:.0f}",
            f"{imagenet['weights']:,}",
            f"{imagenet['additions'] / 1e6:.0f}",
        )
    console.print_grid(table)


def _print_tools(tools: list) -> None:
    from rich.table import Table

    table = Table()
    for title in ("tool", "version", "for", "install with"):
        table.add_column(title, overflow="fold")
    for tool in tools:
        absent = "missing (optional)" if tool.optional else "[red]missing[/]"
        version = tool.version if tool.found else absent
        table.add_row(tool.name, version, tool.purpose, "" if tool.found else tool.install)
    console.print_grid(table)

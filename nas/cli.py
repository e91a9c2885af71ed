"""The subcommands that need PyTorch: search, train, export."""

import time
from pathlib import Path

import click

from hw import console, outputs
from hw.commands.options import (
    DATA,
    FILE_OR_NAME,
    FOLDER,
    formats_option,
    model_option,
    out_option,
    paper_option,
    plugin_option,
    require_network,
    width_option,
)
from hw.errors import InputError
from hw.ir.paper import refuse_beside_paper
from hw.ir.parameters import Rounding
from hw.ir.validate import MAX_GUARD
from nas.config import STRATEGIES
from nas.run_options import (
    RunOptions,
    begin,
    domain_option,
    from_option,
    resumable,
    run_options,
    run_seeds_of,
    train_once,
)

ACT_BITS = 8
"""Bits of an exported network's tensors."""


class _Strategy(click.Choice):
    """The strategies there are when the option is read: after `--plugin`."""

    @property
    def choices(self) -> tuple[str, ...]:
        return tuple(STRATEGIES)

    @choices.setter
    def choices(self, value: object) -> None:
        """Set by click once, when nothing is loaded yet."""


@click.command(cls=console.Command)
@click.option(
    "--strategy",
    type=_Strategy(()),
    help="Same as --set search.strategy=...; default: shiftnas.",
)
@domain_option
@run_options
def search(strategy: str | None, domain: str, run: RunOptions) -> None:
    """Search a genotype of bit-shift operations."""
    from hw.networks import genotypes
    from nas import search as searching

    settings = run.settings({"--strategy": ("search.strategy", strategy)})
    start = time.monotonic()
    begin(run, "search")
    if run.seeds is not None:
        run_seeds_of(["search", "--domain", domain], settings, run)
        return
    with resumable(run.out):
        genotype = searching.search(run.data, run.out, settings, domain=domain, **run.manner())
    if run.as_json:
        console.print_json(
            {
                "genotype": genotypes.to_mapping(genotype),
                "out": run.out,
                "seconds": round(time.monotonic() - start, 1),
            }
        )
    else:
        click.echo(genotypes.to_yaml(genotype), nl=False)
        click.echo(f"written to {run.out / 'genotype.yaml'}")


@click.command(cls=console.Command)
@click.option(
    "--genotype",
    "genotype_name",
    type=FILE_OR_NAME,
    metavar="G",
    help="A network of these cells: a genotype's name or file.",
)
@model_option
@width_option
@from_option
@domain_option
@run_options
def train(
    genotype_name: str | None,
    model_name: str | None,
    width: float | None,
    start: Path | None,
    domain: str,
    run: RunOptions,
) -> None:
    """Train the network of a genotype, or a conventional one, with bit-shift weights."""
    from hw.networks import genotypes
    from hw.networks.conventional import OF_CELLS, Conventional

    require_network(genotype_name, model_name, width)
    settings = run.settings()
    if model_name is None:
        assert genotype_name is not None
        network, words = genotypes.get(genotype_name), ["--genotype", genotype_name]
    else:
        run.refuse_settings(
            OF_CELLS[:2], "of networks of cells; the size of --model is its --width"
        )
        network = Conventional(model_name, 1.0 if width is None else width)
        words = ["--model", model_name, "--width", str(network.width)]
    begin(run, "train")
    if run.seeds is not None:
        words = ["train", *words, "--domain", domain]
        run_seeds_of(words + ([] if start is None else ["--from", str(start)]), settings, run)
        return
    train_once(network, start, settings, domain, run)


@click.command(cls=console.Command)
@click.argument("run", metavar="RUN", type=FOLDER)
@out_option("The NETWORK folder.")
@click.option(
    "--data",
    type=DATA,
    metavar="D",
    help="The run's data set, by its name or where it is now; to test on.",
)
@click.option("--act-bits", type=click.IntRange(2, 32), show_default=str(ACT_BITS))
@click.option(
    "--scale-terms",
    type=click.IntRange(1, 4),
    help="Powers of two a scale is the sum of; default: as trained (shift.scale_terms), or 3.",
)
@click.option(
    "--guard", type=click.IntRange(0, MAX_GUARD), help="Guard bits; default: exact products."
)
@click.option(
    "--rounding",
    type=click.Choice([mode.value for mode in Rounding]),
    help="Of requantisations, additions and concatenations; default: as trained (train.rounding),"
    " or half_up.",
)
@paper_option
@formats_option
@plugin_option
@console.force_option
@console.json_option
def export(
    run: Path,
    out: Path,
    data: str | None,
    act_bits: int | None,
    scale_terms: int | None,
    guard: int | None,
    rounding: str | None,
    paper: bool,
    formats_of: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Turn a trained network into a NETWORK of integers."""
    from hw.ir import serialize
    from nas import export as exporting
    from nas.memory import enough_memory

    outputs.require_absent(out, force)
    if paper:
        refuse_beside_paper(act_bits=act_bits, guard=guard, rounding=rounding)
    if formats_of is not None and act_bits is not None:
        raise InputError(
            "--act-bits: --formats brings the tensors' widths; leave one of the two out"
        )
    like = serialize.load(formats_of) if formats_of is not None else None
    with enough_memory("export where there is more"):
        network = exporting.export(
            run,
            data=data,
            act_bits=act_bits or ACT_BITS,
            scale_terms=scale_terms,
            guard=guard,
            rounding=None if rounding is None else Rounding(rounding),
            paper=paper,
            like=like,
        )
    with outputs.folder(out, force) as folder:
        serialize.save(network, folder)
    meta = network.meta
    if as_json:
        keys = ("accuracy_float", "accuracy_integer", "split", "test_images", "validation_images")
        result = {key: meta.get(key) for key in (*keys, "weights")}
        console.print_json({**result, "digest": network.digest, "out": out})
    elif "split" not in meta:
        click.echo(f"accuracy not measured; written to {out}")
    else:
        split = meta["split"]
        click.echo(
            f"accuracy on {meta[f'{split}_images']} {split} images: "
            f"float {100 * meta['accuracy_float']:.2f} %, "
            f"integer {100 * meta['accuracy_integer']:.2f} %; written to {out}"
        )


COMMANDS = {"search": search, "train": train, "export": export}

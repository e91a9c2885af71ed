"""Subcommands export-onnx and import-onnx."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from hw import console, outputs
from hw.commands.options import DATA, FOLDER, network_argument, out_option
from hw.errors import CheckFailed, InputError
from hw.ir.parameters import Rounding

if TYPE_CHECKING:
    from onnx import ModelProto

    from hw.ir.network import Network

MARKS = (b"\x12\x08shiftnas",)
"""In the head of every ONNX file of ours: the name of what produced it."""

RANDOM_IMAGES, DATA_IMAGES = 16, 100
"""Images that are compared unless asked otherwise."""


@click.command("export-onnx", cls=console.Command)
@network_argument
@out_option("The ONNX file.")
@click.option("--check", is_flag=True, help="Compare every tensor with the reference's first.")
@click.option(
    "--data", "data_set", type=DATA, metavar="D", help="Compare on its images; default: random."
)
@click.option("--images", type=click.IntRange(min=1), help="How many of them.")
@console.seed_option
@console.force_option
@console.json_option
def export_onnx(
    folder: Path,
    out: Path,
    check: bool,
    data_set: str | None,
    images: int | None,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Write a NETWORK as an ONNX file of standard integer operators.

    With --check onnxruntime runs it and every integer is compared; where one differs, no file is
    written.
    """
    from hw.exchange.model import OPSET, to_bytes, to_model
    from hw.ir import serialize

    outputs.require_absent(out, force, MARKS)
    if not check and (data_set is not None or images is not None):
        option = "--images" if data_set is None else "--data"
        raise click.UsageError(f"{option}: of what is compared; give --check too")
    network = serialize.load(folder)
    try:
        model = to_model(network)
    except InputError as error:
        raise InputError(f"{folder}: {error}") from error
    result: dict[str, Any] = {
        "out": out,
        "digest": network.digest,
        "opset": OPSET,
        "operators": len(model.graph.node),
        "check": None,
    }
    if check:
        result["check"] = _check(network, model, data_set, images, seed)
    outputs.write_atomic(out, to_bytes(model))
    if as_json:
        console.print_json(result)
        return
    click.echo(f"{out}: {len(network.graph)} nodes, {result['operators']:,} ONNX operators")
    if check:
        click.echo(
            "onnxruntime: {values:,} integers of {tensors} tensors on {images} images compared, "
            "{mismatches} differ".format(**result["check"])
        )


def _check(
    network: "Network", model: "ModelProto", data_set: str | None, count: int | None, seed: int
) -> dict[str, Any]:
    """What was compared. CheckFailed where an integer differs."""
    from hw.exchange.judge import judge
    from hw.ir import constant, reference

    images = _images(network, data_set, count, seed)
    verdict = judge(network, model, images)
    if verdict.mismatches:
        raise CheckFailed(
            f"{verdict.first}: onnxruntime gives other integers than the reference, "
            f"{verdict.mismatches:,} of {verdict.values:,} in all tensors; no file was written; "
            "`shiftnas doctor` tells the version to report"
        )
    if constant.is_constant(images, reference.logits(network, images)):
        console.note(f"export-onnx: {constant.WARNING.format(count=len(images))}")
    return {**vars(verdict), "data": data_set}


def _images(network: "Network", data_set: str | None, count: int | None, seed: int) -> np.ndarray:
    """Images (N, H, W, C) of a data set, or of noise, with a dark and a bright one."""
    from hw import data
    from hw.ir import constant, reference

    shape = network.graph.input.shape
    if data_set is None:
        count = RANDOM_IMAGES if count is None else count
        noise = np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)
        return np.concatenate([constant.probes(shape, seed)[2:], noise])[:count]
    loaded = data.load(data_set, data.evaluated(data_set), size=shape[:2])
    images = loaded.images[: DATA_IMAGES if count is None else count]
    try:
        reference.check_images(network, images)
    except InputError as error:
        raise InputError(f"{data_set}: {error}") from error
    return images


@click.command("import-onnx", cls=console.Command)
@click.argument("file", type=FOLDER)
@out_option("The NETWORK folder.")
@click.option(
    "--rounding",
    type=click.Choice([mode.value for mode in Rounding]),
    help="Of another tool's file: ONNX rounds to even, which a NETWORK cannot.",
)
@console.force_option
@console.json_option
def import_onnx(file: Path, out: Path, rounding: str | None, force: bool, as_json: bool) -> None:
    """Read a NETWORK from an ONNX file.

    One that export-onnx wrote is the same to the digest. Of other tools: quantised graphs whose
    scales and weights are powers of two (QuantizeLinear and DequantizeLinear, QLinearConv, QONNX).
    """
    from hw.exchange import files
    from hw.exchange.quantised.read import read
    from hw.exchange.restore import is_ours, restore
    from hw.ir import serialize

    outputs.require_absent(out, force)
    model = files.load(file)
    ours = is_ours(model)
    if ours and rounding is not None:
        raise InputError(f"--rounding: {file} says its own; leave the option out")
    if ours:
        network = restore(model, file)
    else:
        network = read(model, file, None if rounding is None else Rounding(rounding))
    with outputs.folder(out, force) as folder:
        serialize.save(network, folder)
    result = {"out": out, "digest": network.digest, "nodes": len(network.graph), "restored": ours}
    if as_json:
        console.print_json(result)
    else:
        click.echo(f"{out}: {result['nodes']} nodes, digest {network.digest[:12]}")

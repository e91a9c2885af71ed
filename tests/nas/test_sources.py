"""Data of a run: too little of it, or less than a batch, is a line each."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from nas.cli import COMMANDS

SEARCH, TRAIN = ("search",), ("train", "--genotype", "GDAS_V1")
BOTH = pytest.mark.parametrize("command", [SEARCH, TRAIN])


def images(folder: Path, *counts: int) -> Path:
    """An image folder with so many training images in each class, and a test image in each."""
    rng = np.random.default_rng(2)
    for split in ("train", "val"):
        for number, count in enumerate(counts):
            place = folder / split / f"class{number}"
            place.mkdir(parents=True)
            for image in range(count if split == "train" else 1):
                pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
                Image.fromarray(pixels).save(place / f"{image}.png")
    return folder


def call(command, data, out, *settings):
    name, *rest = command
    words = [f"--set={setting}" for setting in ("folder.size=8", *settings)]
    return CliRunner().invoke(
        COMMANDS[name],
        [*rest, "--data", str(data), "--config", "tiny", "--out", str(out), *words],
    )


@BOTH
@pytest.mark.parametrize("counts", [(1, 1), (2, 1)])
def test_fewer_than_four_images(tmp_path, command, counts):
    data = images(tmp_path / "data", *counts)
    result = call(command, data, tmp_path / "run")
    assert (result.exit_code, result.output) == (
        2,
        f"shiftnas: error: data: {data}: training images: {sum(counts)}, expected at least 4\n",
    )
    assert not (tmp_path / "run").exists()


@BOTH
def test_four_images_are_enough(tmp_path, command):
    result = call(command, images(tmp_path / "data", 2, 2), tmp_path / "run")
    assert result.exit_code == 0, result.output
    entries = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert entries and all(np.isfinite(entry["loss"]) for entry in entries)


@BOTH
@pytest.mark.parametrize("count", [1, 9])
def test_one_class(tmp_path, command, count):
    data = images(tmp_path / "data", count)
    result = call(command, data, tmp_path / "run")
    assert (result.exit_code, result.output) == (
        2,
        f"shiftnas: error: data: {data}: one class; there is nothing to tell apart, give two\n",
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("command", "images"), [(SEARCH, 20), (TRAIN, 40)])
def test_a_batch_larger_than_the_data_is_told(tmp_path, command, images):
    """Half of the images in a search: the others are the architecture's."""
    kind = command[0]
    settings = (f"{kind}.images=40", "search.bilevel=true")
    larger = call(command, "digits", tmp_path / "a", *settings, f"{kind}.batch={images + 1}")
    line = (
        f"{kind}.batch: {images + 1} is more than the {images} images: each step takes all of them"
    )
    assert larger.exit_code == 0 and line in larger.output.splitlines()
    equal = call(command, "digits", tmp_path / "b", *settings, f"{kind}.batch={images}")
    assert equal.exit_code == 0 and "is more than" not in equal.output


def test_inq_that_would_never_freeze_a_weight(tmp_path):
    result = call(TRAIN, "digits", tmp_path / "run", "shift.layer=inq", "train.epochs=1")
    assert result.exit_code == 2
    assert result.output == (
        "shiftnas: error: train.epochs: 1: shift.layer inq begins with real weights and freezes "
        "the last of them in the last epoch; expected at least 2, or layer ps or q\n"
    )
    assert not (tmp_path / "run").exists()
    two = call(TRAIN, "digits", tmp_path / "run", "shift.layer=inq", "train.epochs=2")
    assert two.exit_code == 0, two.output
    network = tmp_path / "net"
    exported = CliRunner().invoke(
        COMMANDS["export"], [str(tmp_path / "run"), "--out", str(network)]
    )
    assert exported.exit_code == 0, exported.output

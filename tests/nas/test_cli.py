"""The commands that need PyTorch, as a user calls them."""

import json
import re
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from interrupted import tensors_of

from hw.ir import serialize
from hw.networks import genotypes
from nas.cli import COMMANDS


def invoke(*arguments):
    return CliRunner().invoke(COMMANDS[arguments[0]], [str(a) for a in arguments[1:]])


def test_command_writes_what_it_says(run, tmp_path):
    out = tmp_path / "net"
    result = invoke("export", run, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    network = serialize.load(out)
    assert figures["digest"] == network.digest
    assert figures["accuracy_integer"] == network.meta["accuracy_integer"]
    again = invoke("export", run, "--out", out)
    assert again.exit_code == 2 and "exists already" in again.output
    assert len(again.output.strip().splitlines()) == 1


def test_search_and_train_commands(tmp_path):
    search_out, train_out = tmp_path / "s", tmp_path / "t"
    small = ("--data", "digits", "--config", "tiny", "--seed", str(2**64 - 1), "--json")
    sizes = ("--set", "search.images=32", "--set", "search.cells=1", "--set", "search.batch=16")
    found = invoke("search", *small, *sizes, "--out", search_out)
    assert found.exit_code == 0, found.output
    genotype = genotypes.load(search_out / "genotype.yaml")
    assert json.loads(found.stdout)["genotype"] == genotypes.to_mapping(genotype)
    result = invoke(
        "train", *small, "--genotype", search_out / "genotype.yaml", "--out", train_out,
        "--set", "train.images=64", "--set", "train.epochs=1",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["images"] == 359
    assert genotypes.load(train_out / "genotype.yaml") == genotype


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "--genotype", "nope", "--data", "digits", "--out", "o"), "nope"),
        (("train", "--data", "digits", "--out", "o"), "--genotype or --model: give one of them"),
        (
            (
                "train",
                "--genotype",
                "GDAS_V1",
                "--model",
                "resnet8",
                "--data",
                "digits",
                "--out",
                "o",
            ),
            "--genotype: not beside --model; its size is --width",
        ),
        (("train", "--model", "resnet9", "--data", "digits", "--out", "o"), "'resnet9' is not one"),
        (
            ("train", "--genotype", "GDAS_V1", "--width", "2", "--data", "digits", "--out", "o"),
            "--width: of --model; a network of cells has channels",
        ),
        (("train", "--model", "resnet8", "--width", "0", "--data", "digits", "--out", "o"), "x>0"),
        (
            ("train", "--model", "vgg16", "--data", "digits", "--out", "o"),
            "image: 8x8 is too small",
        ),
        (
            tuple("train --model resnet8 --data digits --out o --set train.cells=3".split()),
            "--set train.cells: of networks of cells; the size of --model is its --width",
        ),
        (
            tuple("train --model resnet8 --data digits --out o --set train.auxiliary=0.4".split()),
            "train.auxiliary: 0.4: the auxiliary head reads a reduction cell, and this network",
        ),
        (("train", "--genotype", "GDAS_V1", "--data", "empty", "--out", "o"), "empty folder"),
        (("search", "--data", "digits", "--out", "o", "--set", "x=1"), "x: not a field"),
        (("search", "--data", "digits", "--out", "o", "--seeed", "3"), "No such option"),
        (
            ("search", "--data", "digits", "--out", "o", "--strategy", "enas"),
            "'enas' is not one of",
        ),
        (("search", "--data", "digits", "--out", "o", "--config", "cifar11"), "one of cifar10, "),
        (("search", "--data", "digits", "--out", "o", "--config", "cifar100"), "image 8x8x1, but"),
        (
            ("search", "--data", "digits", "--out", "o", "--set", "search.cells=2.5"),
            "search.cells: e",
        ),
        (("search", "--data", "digits", "--out", "o", "--config", "no.yaml"), "no.yaml"),
        (("search", "--data", "digits", "--out", "full"), "exists already"),
        (("export", "full", "--out", "o"), "not a run"),
        (("export", "full", "--out", "o", "--guard", "33"), "not in the range 0<=x<=32"),
        (("export", "full", "--out", "o", "--rounding", "up"), "'half_up', 'floor'"),
        (
            ("export", "full", "--out", "o", "--formats", "full", "--act-bits", "8"),
            "--act-bits: --formats brings the tensors' widths",
        ),
        (("search", "--data", "digits", "--out", "o", "--seed", "-1"), "0<=x<=1844674407370955161"),
        (
            ("search", "--data", "digits", "--out", "o", "--set", "seed=18446744073709551616"),
            "seed: expected at most 18446744073709551615",
        ),
        (
            ("search", "--data", "digits", "--out", "o", "--seeds", "2", "--seed", str(2**64 - 1)),
            "--seeds: 2 seeds from 18446744073709551615 on end above the largest",
        ),
        (
            ("search", "--data", "digits", "--out", "o", "--seed", "2", "--set", "seed=3"),
            "--seed: --set seed says the same; leave one of the two out",
        ),
        (
            tuple(
                "search --data digits --out o --strategy dots --set search.strategy=darts".split()
            ),
            "--strategy: --set search.strategy says the same",
        ),
    ],
)
def test_wrong_calls_end_in_one_line(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("full").mkdir()
    Path("full/file").write_text("x")
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert not Path("o").exists()


@pytest.mark.parametrize("kind", ["search", "train"])
def test_a_diverging_run_says_where_and_keeps_what_was_good(tmp_path, kind):
    """An absurd learning rate: real weights become infinite, exit code 1, one line."""
    out = tmp_path / "run"
    genotype = ("--genotype", "GDAS_V1") if kind == "train" else ()
    small = ("search.images=32", "search.cells=1", "train.images=128", "train.epochs=3")
    sets = [
        word
        for setting in (*small, "train.lr=1e-3", "search.lr=1e-3")
        for word in ("--set", setting)
    ]
    wild = ["--set", f"{kind}.lr=1e38", "--set", f"{kind}.clip=0"]
    arguments = ("--data", "digits", "--config", "tiny", "--domain", "real", "--out", out)
    result = invoke(kind, *genotype, *arguments, *sets, *wild)
    assert result.exit_code == 1, result.output
    line = result.output.strip().splitlines()[-1]
    assert line.startswith(f"shiftnas: error: {out}: ")
    assert re.search(r"epoch \d of \d, (step \d+: the loss is|last step: a weight became)", line)
    assert f"begin again (--force) with a smaller {kind}.lr" in line
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        state = tensors_of(torch.load(checkpoint, weights_only=True))
        assert all(value.isfinite().all() for value in state.values())
    else:
        assert "nothing is kept" in line


def test_wrong_settings_name_file_line_and_field(tmp_path):
    path = tmp_path / "mine.yaml"
    for text, message in (
        (
            "seed: 1\nsearch:\n  lr: fast\n",
            f"{path}: line 3: search.lr: expected float, found 'fast'",
        ),
        ("seed: 1\nsearch:\n  cells: 0\n", f"{path}: line 3: search.cells: expected at least 1"),
        ("strategy: darts\n", f"{path}: line 1: strategy: not a field"),
    ):
        path.write_text(text)
        result = invoke("search", "--data", "digits", "--out", tmp_path / "o", "--config", path)
        assert result.exit_code == 2
        assert result.output.startswith(f"shiftnas: error: {message}")
        assert len(result.output.strip().splitlines()) == 1


def test_a_checkpoint_of_another_architecture(tmp_path):
    arguments = ("search", "--data", "digits", "--config", "tiny", "--set", "search.images=32")
    sizes = {name: ("--set", f"search.cells={name[-1]}") for name in ("cells1", "cells2")}
    for name, size in sizes.items():
        assert invoke(*arguments, *size, "--out", tmp_path / name).exit_code == 0
    (tmp_path / "cells2/checkpoint.pt").rename(tmp_path / "cells1/checkpoint.pt")
    result = invoke(*arguments, *sizes["cells1"], "--out", tmp_path / "cells1", "--resume")
    assert result.exit_code == 2
    assert "checkpoint of another run (search.cells is 2 there, 1 here)" in result.output
    assert len(result.output.strip().splitlines()) == 1
    result = invoke(*arguments, *sizes["cells2"], "--out", tmp_path / "cells1", "--resume")
    assert result.exit_code == 2 and "config.yaml: not the run asked for" in result.output

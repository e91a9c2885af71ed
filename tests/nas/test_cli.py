"""The commands that need PyTorch, as a user calls them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hw import genotypes
from hw.ir import serialize
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
    small = ("--data", "digits", "--config", "tiny", "--seed", "3", "--json")
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
        (("train", "--genotype", "GDAS_V1", "--data", "empty", "--out", "o"), "empty folder"),
        (("search", "--data", "digits", "--out", "o", "--set", "x=1"), "x: not a field"),
        (("search", "--data", "digits", "--out", "o", "--config", "no.yaml"), "no.yaml"),
        (("search", "--data", "digits", "--out", "full"), "exists already"),
        (("export", "full", "--out", "o"), "not a run"),
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

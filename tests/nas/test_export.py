"""Export of a trained network, and the commands around it."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from hw import data, genotypes
from hw.errors import InputError
from hw.ir import reference, serialize
from nas.cli import COMMANDS
from nas.config import load_config
from nas.exact import ExactModel
from nas.export import export
from nas.search import search
from nas.train import load_trained, train

SETTINGS = (
    "train.channels=4",
    "train.cells=3",
    "train.epochs=3",
    "train.lr=0.1",
    "train.batch=32",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("train") / "run"
    train(genotypes.get("ShiftNAS_C10"), "digits", folder, load_config("tiny", SETTINGS))
    return folder


def invoke(*arguments):
    return CliRunner().invoke(COMMANDS[arguments[0]], [str(a) for a in arguments[1:]])


def test_integer_accuracy_is_close_to_float_and_true(run):
    network, test = export(run), data.load("digits", "test")
    meta = network.meta
    assert meta["accuracy_float"] > 0.4
    assert abs(meta["accuracy_float"] - meta["accuracy_integer"]) < 0.03
    classes = np.argmax(
        ExactModel(load_trained(run, (8, 8, 1), 10), network).logits(test.images), 1
    )
    assert float((classes == test.labels).mean()) == meta["accuracy_integer"]
    assert genotypes.from_mapping(meta["genotype"]) == genotypes.get("ShiftNAS_C10")


def test_exact_evaluation_of_a_trained_network_equals_the_reference(run):
    network, images = export(run), data.load("digits", "test").images
    ours = ExactModel(load_trained(run, (8, 8, 1), 10), network).codes(images)
    expected = reference.run(network, images)
    for node in network.graph:
        assert np.array_equal(ours[node.name], expected[node.name]), node.name


def test_settings_reach_the_network(run):
    network = export(run, act_bits=6, scale_terms=2, guard=3)
    assert network.arithmetic.guard == 3 and network.arithmetic.scale_terms == 2
    assert {f.width for name, f in network.formats.items() if name != "input"} == {6}


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


def test_a_search_is_no_training_run(tmp_path):
    settings = ("search.images=32", "search.cells=1", "search.batch=16")
    search("digits", tmp_path / "s", load_config("tiny", settings))
    with pytest.raises(InputError, match="no trained network"):
        export(tmp_path / "s")

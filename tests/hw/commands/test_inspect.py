"""doctor, genotypes, eval."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from hw import data
from hw.commands import inspect
from hw.ir import reference, serialize
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.random_network import random_network
from shiftnas import subcommand


def run(name, *arguments):
    return CliRunner().invoke(subcommand(name), [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """A network for digits."""
    graph = build(genotypes.get("ShiftNAS_C10"), channels=2, cells=1, image=(8, 8, 1), classes=10)
    folder = tmp_path_factory.mktemp("net") / "net"
    serialize.save(random_network(graph, seed=1), folder)
    return folder


def test_eval_is_the_reference_over_the_test_images(net, monkeypatch):
    monkeypatch.setattr(inspect, "EVAL_BATCH", 100)
    test = data.load("digits", "test")
    right = reference.classify(serialize.load(net), test.images) == test.labels
    result = run("eval", net, "--data", "digits", "--json")
    assert result.exit_code == 0, result.output
    expected = {"accuracy": np.mean(right), "images": len(test), "right": np.sum(right)}
    expected["split"] = "test"
    assert json.loads(result.stdout) == expected
    text = run("eval", net, "--data", "digits", "--images", 50).stdout
    assert text == f"accuracy {100 * np.mean(right[:50]):.2f} % over 50 test images of digits\n"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("none", "--data", "digits"), ["none"]),
        (("net", "--data", "mnist5k"), ["mnist5k: images are 28x28x1", "takes 8x8x1"]),
        (("net", "--data", "nowhere"), ["nowhere"]),
        (("net", "--data", "digits", "--images", "0"), ["--images"]),
        (("net",), ["--data"]),
    ],
)
def test_eval_of_wrong_calls(net, tmp_path, monkeypatch, arguments, parts):
    monkeypatch.chdir(net.parent)
    result = run("eval", *arguments)
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.startswith("shiftnas: error: ") and result.stderr.count("\n") == 1
    for part in parts:
        assert part in result.stderr


def test_an_empty_data_folder(net, tmp_path):
    result = run("eval", net, "--data", tmp_path)
    assert result.exit_code == 2 and "empty folder" in result.stderr


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_weights_cut_short(net, tmp_path, share):
    content = (net / "weights.npz").read_bytes()
    (tmp_path / "network.json").write_bytes((net / "network.json").read_bytes())
    (tmp_path / "weights.npz").write_bytes(content[: int(share * len(content))])
    result = run("eval", tmp_path, "--data", "digits")
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert "weights.npz" in result.stderr


def test_genotypes_lists_the_published_ones():
    result = run("genotypes", "--json")
    entries = {entry["name"]: entry for entry in json.loads(result.stdout)["genotypes"]}
    assert entries.keys() == genotypes.published().keys()
    for name, known in genotypes.published().items():
        assert entries[name]["cifar10"]["weights"] == known.weights_cifar10
        assert entries[name]["imagenet"]["weights"] == known.weights_imagenet
        assert genotypes.from_mapping(entries[name]["genotype"]) == known.genotype
    assert set(inspect.PAPER_MILLIONS) <= entries.keys()
    table = run("genotypes").stdout
    assert all(name in table for name in entries)


def test_genotypes_shows_one(tmp_path):
    result = run("genotypes", "ShiftNAS_C10")
    file = tmp_path / "genotype.yaml"
    file.write_text(result.stdout)
    assert genotypes.get(file) == genotypes.get("ShiftNAS_C10")
    assert "# cifar10: 3,661,030 trainable weights" in result.stdout
    assert "# cifar10: 3,661,030 trainable weights" in run("genotypes", file).stdout
    unknown = run("genotypes", "ShiftNAS_C11")
    assert unknown.exit_code == 2 and "ShiftNAS_C11" in unknown.stderr

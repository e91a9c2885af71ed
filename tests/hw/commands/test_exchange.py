"""export-onnx, import-onnx."""

import json

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import numpy_helper
from quantised_models import qdq, qonnx

from hw.exchange import judge, model
from hw.ir import serialize
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.random_network import random_network
from shiftnas import subcommand


def run(name, *arguments):
    return CliRunner().invoke(subcommand(name), [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """A network for digits."""
    graph = build(genotypes.get("DARTS_V1"), channels=2, cells=1, image=(8, 8, 1), classes=10)
    folder = tmp_path_factory.mktemp("net") / "net"
    serialize.save(random_network(graph, seed=1), folder)
    return folder


def test_there_and_back(net, tmp_path):
    file, out = tmp_path / "x.onnx", tmp_path / "again"
    result = run("export-onnx", net, "--out", file, "--check", "--data", "digits", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    network = serialize.load(net)
    assert told["digest"] == network.digest and told["operators"] > len(network.graph)
    assert told["check"]["images"] == 100 and told["check"]["mismatches"] == 0
    assert told["check"]["data"] == "digits" and told["check"]["tensors"] == len(network.graph) - 1
    result = run("import-onnx", file, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["digest"] == network.digest
    for name in ("network.json", "weights.npz"):
        assert (out / name).read_bytes() == (net / name).read_bytes()


def test_the_file_is_written_again_with_force_only(net, tmp_path):
    file = tmp_path / "x.onnx"
    text = run("export-onnx", net, "--out", file).stdout
    assert text.startswith(f"{file}: ") and "compared" not in text
    first = file.read_bytes()
    assert "--force" in run("export-onnx", net, "--out", file).stderr
    result = run("export-onnx", net, "--out", file, "--force", "--check", "--images", "3")
    assert result.exit_code == 0 and "on 3 images compared, 0 differ" in result.stdout
    assert file.read_bytes() == first
    file.write_bytes(b"something else")
    assert run("export-onnx", net, "--out", file, "--force").exit_code == 2


def test_a_difference_ends_with_1_and_no_file(net, tmp_path, monkeypatch):
    honest = model.to_model

    def lying(network):
        made = honest(network)
        (bias,) = [one for one in made.graph.initializer if one.name == "classifier/bias"]
        bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + 1, bias.name))
        return made

    monkeypatch.setattr(model, "to_model", lying)
    result = run("export-onnx", net, "--out", tmp_path / "x.onnx", "--check")
    assert result.exit_code == 1 and result.stdout == ""
    assert "classifier: onnxruntime gives other integers" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_random_images_are_the_seeds(net, tmp_path, monkeypatch):
    seen = []

    def look(network, made, images):
        seen.append(images)
        return judge.Verdict(len(images), 1, 1, 0, "")

    monkeypatch.setattr(judge, "judge", look)
    for seed in (1, 1, 2):
        run("export-onnx", net, "--out", tmp_path / "x", "--check", "--seed", seed, "--force")
    first, again, other = seen
    assert (first == again).all() and (first != other).any()
    assert first.shape == (16, 8, 8, 1) and first.min() == 0 and first.max() == 255
    assert len(np.unique(first[2])) > 10


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("none",), ["none", "network.json"]),
        (("net", "--data", "digits"), ["--data: of what is compared; give --check too"]),
        (("net", "--images", "3"), ["--images: of what is compared; give --check too"]),
        (("net", "--check", "--data", "mnist5k"), ["mnist5k", "28, 28, 1", "8, 8, 1"]),
        (("net", "--check", "--data", "nowhere"), ["nowhere"]),
    ],
)
def test_export_of_wrong_calls(net, tmp_path, monkeypatch, arguments, parts):
    monkeypatch.chdir(net.parent)
    result = run("export-onnx", *arguments, "--out", tmp_path / "x.onnx")
    assert result.exit_code == 2 and result.stdout == ""
    for part in parts:
        assert part in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (None, "No such file"),
        (b"", "not"),
        (b"{}", "not an ONNX file"),
        (b"\x08\x08", "not a valid ONNX model"),
    ],
)
def test_import_of_what_is_no_model(tmp_path, content, part):
    file = tmp_path / "x.onnx"
    if content is not None:
        file.write_bytes(content)
    result = run("import-onnx", file, "--out", tmp_path / "out")
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert part in result.stderr and str(file) in result.stderr
    assert not (tmp_path / "out").exists()


def test_import_of_an_edited_file(net, tmp_path):
    file = tmp_path / "x.onnx"
    run("export-onnx", net, "--out", file)
    edited = onnx.load(file)
    (bias,) = [one for one in edited.graph.initializer if one.name == "classifier/bias"]
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + 1, bias.name))
    onnx.save(edited, file)
    result = run("import-onnx", file, "--out", tmp_path / "out")
    assert result.exit_code == 2 and f"{file}: graph: classifier/bias: not what" in result.stderr
    assert not (tmp_path / "out").exists()


def test_import_of_another_tools_file(tmp_path):
    file, out = tmp_path / "x.onnx", tmp_path / "net"
    onnx.save(qdq(), file)
    result = run("import-onnx", file, "--out", out)
    assert result.exit_code == 2 and "choose --rounding half_up or floor" in result.stderr
    result = run("import-onnx", file, "--out", out, "--rounding", "floor", "--json")
    assert result.exit_code == 0, result.output
    network = serialize.load(out)
    told = json.loads(result.stdout)
    assert (told["digest"], told["restored"]) == (network.digest, False)
    assert network.arithmetic.rounding == "floor"
    onnx.save(qonnx(), file)
    assert run("import-onnx", file, "--out", tmp_path / "q", "--rounding", "floor").exit_code == 0


def test_our_own_file_has_its_rounding(net, tmp_path):
    file = tmp_path / "x.onnx"
    run("export-onnx", net, "--out", file)
    result = run("import-onnx", file, "--out", tmp_path / "net", "--rounding", "floor")
    assert result.exit_code == 2 and "--rounding: " in result.stderr

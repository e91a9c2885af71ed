"""Export of a trained network."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from exact_model import ExactModel

from hw import data
from hw.errors import InputError
from hw.ir import reference
from hw.ir.parameters import Arithmetic, Rounding
from hw.networks import genotypes
from nas.cli import COMMANDS
from nas.config import load_config
from nas.export import export
from nas.search import search
from nas.train import load_trained, train


def test_integer_accuracy_is_close_to_float_and_true(run):
    network, test = export(run), data.load("digits", "test")
    meta = network.meta
    assert meta["accuracy_float"] > 0.4
    assert abs(meta["accuracy_float"] - meta["accuracy_integer"]) < 0.03
    classes = np.argmax(ExactModel(load_trained(run), network).logits(test.images), 1)
    assert float((classes == test.labels).mean()) == meta["accuracy_integer"]
    assert genotypes.from_mapping(meta["genotype"]) == genotypes.get("ShiftNAS_C10")


def test_exact_evaluation_of_a_trained_network_equals_the_reference(run):
    network, images = export(run), data.load("digits", "test").images
    ours = ExactModel(load_trained(run), network).codes(images)
    expected = reference.run(network, images)
    for node in network.graph:
        assert np.array_equal(ours[node.name], expected[node.name]), node.name


def test_settings_reach_the_network(run):
    network = export(run, act_bits=6, scale_terms=2, guard=3)
    assert network.arithmetic.guard == 3 and network.arithmetic.scale_terms == 2
    assert {f.width for name, f in network.formats.items() if name != "input"} == {6}


def test_rounding_to_the_floor(run):
    """PyTorch's side and the reference, each in its own arithmetic."""
    network, images = export(run, rounding=Rounding.FLOOR), data.load("digits", "test").images
    assert network.arithmetic.rounding is Rounding.FLOOR
    ours = ExactModel(load_trained(run), network).codes(images)
    floor, up = reference.run(network, images), reference.run(export(run), images)
    for node in network.graph:
        assert np.array_equal(ours[node.name], floor[node.name]), node.name
    assert not np.array_equal(floor["stem/conv"], up["stem/conv"])


def test_paper_mode_is_the_papers_arithmetic_in_torch_and_in_the_reference(run):
    network, images = export(run, paper=True, scale_terms=2), data.load("digits", "test").images
    assert network.arithmetic == Arithmetic(6, 0, Rounding.FLOOR, 2)
    formats = {str(f) for name, f in network.formats.items() if name != "input"}
    assert formats == {"s32.16"} and network.meta["accuracy_integer"] > 0.4
    ours = ExactModel(load_trained(run), network).codes(images[:100])
    expected = reference.run(network, images[:100])
    for node in network.graph:
        assert np.array_equal(ours[node.name], expected[node.name]), node.name


def test_options_that_contradict_paper_mode(run, tmp_path):
    options = [str(run), "--out", str(tmp_path / "net"), "--paper", "--rounding", "half_up"]
    done = CliRunner().invoke(COMMANDS["export"], options)
    assert done.exit_code == 2 and "--rounding: half_up contradicts --paper" in done.stderr


def test_formats_of_another_network(run):
    """What hardware with loadable weights asks of a new training."""
    given = export(run, act_bits=5)
    assert export(run, like=given).formats == given.formats
    with pytest.raises(InputError, match="--formats: the network has another arithmetic"):
        export(run, guard=1, like=given)


def test_a_search_is_no_training_run(tmp_path):
    settings = ("search.images=32", "search.cells=1", "search.batch=16")
    search("digits", tmp_path / "s", load_config("tiny", settings))
    with pytest.raises(InputError, match="no trained network"):
        export(tmp_path / "s")


@pytest.fixture
def moved(image_folder, tmp_path):
    """A training on data that is then gone, and where the data is now."""
    old, new = tmp_path / "old", tmp_path / "new"
    shutil.copytree(image_folder, old)
    small = ("folder.size=16", "train.channels=2", "train.batch=8", "train.epochs=1")
    train(genotypes.get("GDAS_V1"), str(old), tmp_path / "run", load_config("tiny", small))
    first = export(tmp_path / "run")
    old.rename(new)
    return tmp_path / "run", new, first


def test_without_its_data_a_run_is_exported_and_not_measured(moved, capsys):
    run, _, first = moved
    capsys.readouterr()
    network = export(run)
    assert network.digest == first.digest
    measured = {"accuracy_float", "accuracy_integer", "split", "validation_images"}
    assert network.meta == {k: v for k, v in first.meta.items() if k not in measured}
    assert measured < first.meta.keys()
    said = capsys.readouterr().err
    assert "old' is neither a folder nor" in said and "no accuracy is measured: --data" in said
    assert said.count("\n") == 1


def test_with_its_data_at_another_place_it_is_measured(moved):
    run, new, first = moved
    network = export(run, data=str(new))
    assert network.meta == first.meta and network.digest == first.digest


def test_other_data_is_refused(moved, capsys):
    run, new, _ = moved
    (new / "val/n01440764/n01440764_1.jpg").unlink()
    with pytest.raises(
        InputError, match="new: not the data of the run: its validation images differ"
    ):
        export(run, data=str(new))
    with pytest.raises(InputError, match="digits: not the data of the run"):
        export(run, data="digits")
    new.rename(run.parent / "old")
    assert "accuracy_float" not in export(run).meta
    assert "old: not the data of the run" in capsys.readouterr().err


def test_the_command_says_that_nothing_was_measured(moved, tmp_path):
    run, new, _ = moved
    result = CliRunner().invoke(COMMANDS["export"], [str(run), "--out", str(tmp_path / "a")])
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == f"accuracy not measured; written to {tmp_path / 'a'}"
    result = CliRunner().invoke(
        COMMANDS["export"], [str(run), "--out", str(tmp_path / "b"), "--json"]
    )
    printed = json.loads(result.stdout)
    measured = ("accuracy_float", "accuracy_integer", "split", "test_images", "validation_images")
    assert [printed[name] for name in measured] == [None] * 5
    assert printed["weights"] > 0
    result = CliRunner().invoke(
        COMMANDS["export"], [str(run), "--out", str(tmp_path / "c"), "--data", str(new)]
    )
    assert result.exit_code == 0 and "accuracy on 10 validation images" in result.output

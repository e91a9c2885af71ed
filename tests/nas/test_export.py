"""Export of a trained network."""

import numpy as np
import pytest

from hw import data
from hw.errors import InputError
from hw.ir import reference
from hw.ir.parameters import Rounding
from hw.networks import genotypes
from nas.config import load_config
from nas.exact import ExactModel
from nas.export import export
from nas.search import search
from nas.train import load_trained


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


def test_rounding_to_the_floor(run):
    """PyTorch's side and the reference, each in its own arithmetic."""
    network, images = export(run, rounding=Rounding.FLOOR), data.load("digits", "test").images
    assert network.arithmetic.rounding is Rounding.FLOOR
    ours = ExactModel(load_trained(run, (8, 8, 1), 10), network).codes(images)
    floor, up = reference.run(network, images), reference.run(export(run), images)
    for node in network.graph:
        assert np.array_equal(ours[node.name], floor[node.name]), node.name
    assert not np.array_equal(floor["stem/conv"], up["stem/conv"])


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

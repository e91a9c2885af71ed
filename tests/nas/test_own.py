"""A user's own model in a task: known by its graph, read back as it was, refused where damaged."""

from dataclasses import replace

import pytest

from hw.errors import InputError
from hw.networks.cells import Stem
from hw.networks.conventional import MODELS, model
from hw.networks.conventional.sizes import Sizes
from nas.own import Own

SIZES = Sizes((8, 8, 1), 10, Stem.CIFAR, 1 / 16)
OWN = Own("mine.py:net", model("resnet8", SIZES))


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "shufflenet_v2_x0_5", "mobilenet_v2"])
def test_every_kind_of_node_is_read_back(name):
    sizes = replace(SIZES, image=(64, 64, 3), stem=Stem.IMAGENET)
    own = Own("a.b:c", MODELS[name](sizes))
    assert Own.from_mapping(own.to_mapping()) == own


def test_the_graph_is_of_its_images_and_classes():
    assert OWN.graph((8, 8, 1), 10, "imagenet") is OWN.nodes
    for image, classes in (((8, 8, 3), 10), ((8, 8, 1), 9)):
        with pytest.raises(InputError, match="made for images of 8x8x1 in 10 classes; the data"):
            OWN.graph(image, classes, "cifar")


def test_the_digest_is_of_the_graph_alone():
    assert replace(OWN, place="elsewhere:net").digest == OWN.digest
    other = model("resnet8", replace(SIZES, width=1 / 8))
    assert replace(OWN, nodes=other).digest != OWN.digest


def damaged(**values):
    return {**OWN.to_mapping(), **values}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"own": "x"}, "expected own and nodes, found own"),
        (damaged(more=1), "expected own and nodes, found own, nodes, more"),
        (damaged(own=3), "own: expected the place of a factory"),
        (damaged(nodes={}), "in nodes a list"),
        (damaged(nodes=[{"type": "Gate"}]), r"nodes\[0\]: type: expected one of"),
        (damaged(nodes=OWN.to_mapping()["nodes"][1:]), "nodes: the first node must be an Input"),
    ],
)
def test_what_is_no_model_of_ones_own(values, said):
    with pytest.raises(InputError, match=f"^{said}|{said}$"):
        Own.from_mapping(values)

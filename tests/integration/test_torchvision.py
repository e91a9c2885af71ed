"""torchvision as the judge of the conventional networks, and of the importer."""

from dataclasses import replace

import pytest
import torch
import torchvision_models

from hw.ir.graph import Conv, Graph
from hw.networks.cells import Stem
from hw.networks.conventional import MODELS, model
from hw.networks.conventional.sizes import Sizes
from nas.importer import import_module
from nas.importer.agreement import TOLERANCE, disagreement

OWN = {"resnet8", "resnet20", "resnet56"}
"""Networks for CIFAR alone, which torchvision has not."""

JUDGED = sorted(MODELS.keys() - OWN)

SMALL = {
    "resnet18": 64,
    "resnet50": 64,
    "mobilenet_v2": 64,
    "shufflenet_v2_x0_5": 64,
    "googlenet": 64,
    "squeezenet1_0": 64,
    "vgg16": 224,  # its adaptive pool makes 7x7 pixels of 7x7 only there
}
"""Side of the images that floats are compared on."""


def canonical(graph: Graph):
    """Nodes in the order in which they are met from the output backwards, named by numbers."""
    order: dict[str, int] = {}
    todo = [graph.output.name]
    while todo:
        ahead = [name for name in graph[todo[-1]].inputs if name not in order]
        if ahead:
            todo.append(ahead[0])
        else:
            order.setdefault(todo.pop(), len(order))
    return [
        replace(graph[name], name=str(n), inputs=tuple(str(order[i]) for i in graph[name].inputs))
        for name, n in order.items()
    ]


@pytest.mark.parametrize("name", JUDGED)
def test_equal_node_by_node(name):
    with torch.device("meta"):
        module = torchvision_models.make(name)
    found = import_module(module, (224, 224, 3)).graph
    expected = model(name, Sizes((224, 224, 3), 1000, Stem.IMAGENET))
    assert canonical(found) == canonical(expected)
    assert len(found) == len(expected)


def test_a_graph_that_differs_is_told_apart():
    expected = model("resnet18", Sizes((64, 64, 3), 10, Stem.IMAGENET))
    node = expected["stage2/block0/conv2"]
    assert isinstance(node, Conv)
    for change in ({"padding": (0, 2)}, {"clip": "relu"}, {"groups": 2}, {"bias": True}):
        other = Graph(tuple(replace(n, **change) if n is node else n for n in expected))
        assert canonical(other) != canonical(expected)


@pytest.mark.parametrize(
    ("name", "side"),
    [
        pytest.param(*one, marks=pytest.mark.thorough) if one[0] == "vgg16" else one
        for one in SMALL.items()
    ],
)
def test_floats_agree(name, side):
    torch.manual_seed(3)
    module = torchvision_models.make(name, **({} if name == "vgg16" else {"num_classes": 10}))
    images = torch.randint(0, 256, (1, 3, side, side)) / 256
    found = import_module(module, (side, side, 3))
    assert disagreement(module, found, images) < TOLERANCE
    first = found.graph.nodes[1]
    assert isinstance(first, Conv) and first.clip is not None
    other = Graph(tuple(replace(n, clip=None) if n is first else n for n in found.graph))
    assert disagreement(module, replace(found, graph=other), images) > 1e-3


def test_every_family_is_compared():
    families = {name.rstrip("0123456789_x").removesuffix("_v2") for name in JUDGED}
    assert families == {name.rstrip("0123456789_x").removesuffix("_v2") for name in SMALL}


def test_auxiliary_classifiers_are_left_out():
    with torch.device("meta"):
        module = torchvision_models.make("googlenet", aux_logits=True)
    found = import_module(module.train(), (224, 224, 3))
    plain = model("googlenet", Sizes((224, 224, 3), 1000, Stem.IMAGENET))
    assert canonical(found.graph) == canonical(plain)
    assert "not used in evaluation, left out: aux1.conv.conv" in found.notes[-1]
    assert module.training

"""Processing elements on their own: every kind, every format, without their window."""

import dataclasses

import numpy as np
import pytest

from hw.board.boards import device
from hw.dataflow.design.design import design
from hw.dataflow.layers import elements
from hw.dataflow.planner import propose
from hw.errors import CheckFailed, InputError
from hw.ir.graph import Add, Concat
from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.networks.space import Genotype
from sim.cosim import Subject, cosim
from sim.processing_elements import taps_of
from sim.stimuli import Stimuli, random_images

GENOTYPE = Genotype(
    normal=(("sep_conv_3x3", 0), ("avg_pool_3x3", 1)), normal_concat=(2,),
    reduce=(("max_pool_3x3", 0), ("skip_connect", 1)), reduce_concat=(2,),
)  # fmt: skip


def made(**settings):
    graph = build(GENOTYPE, channels=2, cells=2, image=(5, 4, 1), classes=3, stem="cifar")
    return random_network(graph, seed=4, **settings)


def with_elements(network, element: str, pe: int):
    plan = propose(network, device("ulx3s-85f")).plan
    layers = {}
    for name, chosen in plan.layers.items():
        node = network.graph[name]
        dense = getattr(node, "groups", 1) == 1
        lanes = pe if dense and element == "barrel" and node.shape[2] % pe == 0 else 1
        kind = chosen.element if chosen.element == "pool" else element
        layers[name] = dataclasses.replace(chosen, element=kind, pe=lanes)
    return dataclasses.replace(plan, layers=layers)


@pytest.mark.parametrize(("element", "pe", "settings"), [
    ("horner", 1, {}),
    ("barrel", 2, {"act_bits": 6}),
    ("barrel", 2, {"guard": 2, "weight_bits": 6}),
    pytest.param("barrel", 2, {"paper": True}, marks=pytest.mark.slow),
])  # fmt: skip
def test_all_elements_of_a_network(element, pe, settings):
    network = made(**settings)
    plan = with_elements(network, element, pe)
    stimuli = Stimuli(random_images(network, 2, seed=1), stall=0.3, corners=6)
    result = cosim(network, design(network, plan), stimuli, Subject("pe"))
    joins = [node.name for node in network.graph if isinstance(node, Add | Concat)]
    nodes = [node.name for node in network.graph.nodes[1:] if node.name not in joins]
    assert [layer.layer for layer in result.compared] == [f"{name} (sums)" for name in nodes]
    assert (result.frames, result.mismatches) == (16, 0)


def test_only_the_elements_asked_for():
    network = made()
    plan = with_elements(network, "horner", 1)
    chosen = ["classifier", "stem/conv"]
    stimuli = Stimuli(random_images(network, 1, seed=1), stall=0)
    result = cosim(network, design(network, plan), stimuli, Subject("pe", chosen))
    assert [layer.layer for layer in result.compared] == ["stem/conv (sums)", "classifier (sums)"]
    with pytest.raises(InputError, match="only: 'cell0/node2'; expected a name of level pe: stem"):
        cosim(network, design(network, plan), stimuli, Subject("pe", ["cell0/node2"]))
    with pytest.raises(InputError, match="only: level network simulates everything"):
        cosim(network, design(network, plan), stimuli, Subject(only=["cell0"]))


def test_a_wrong_element_is_found(monkeypatch):
    """The sign of every product lost: the first sum with a negative weight shows it."""
    right = elements.add_signed
    monkeypatch.setattr(
        elements, "add_signed", lambda m, a, b, negative, name: right(m, a, b, 0, name=name)
    )
    network = made()
    plan = with_elements(network, "horner", 1)
    stimuli = Stimuli(random_images(network, 1, seed=1), stall=0)
    with pytest.raises(CheckFailed, match=r"stem/conv \(sums\): frame 0, pixel"):
        cosim(network, design(network, plan), stimuli, Subject("pe"))


def test_taps_are_those_of_the_padded_window():
    """Against np.pad: the stem's 3×3 window, ReLU off."""
    network = made()
    plan = with_elements(network, "horner", 1)
    stem = design(network, plan).engines["stem/conv"]
    image = np.arange(20).reshape(1, 5, 4, 1)
    x, real = taps_of(stem, image)
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for step, tap in enumerate(stem.program):
        expected = padded[:, tap.ky : tap.ky + 5, tap.kx : tap.kx + 4, tap.channel]
        assert np.array_equal(x[..., step], expected)
    assert not real[0, 0, 0].all() and real[0, 2, 2].all()

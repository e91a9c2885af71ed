"""The torch network of a graph."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hw.ir.graph import Conv, FactorizedReduce, Graph
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.counts import count
from hw.networks.parts import edge_ends
from nas.model import GraphModel, ReduceUnit, factorized_kernel, image_tensor, pad_to_even
from nas.shift import RealWeight, ShiftSettings, ShiftWeight

SIZES = {"channels": 4, "cells": 3, "image": (9, 8, 1), "classes": 5}


@pytest.mark.parametrize("name", sorted(genotypes.published()))
def test_every_published_genotype_has_the_shapes_and_weights_of_its_graph(name):
    graph = build(genotypes.get(name), **SIZES)
    model = GraphModel(graph)
    latent = sum(w.power.numel() for w in model.shift_weights().values())
    assert sum(p.numel() for p in model.parameters()) - latent == count(graph).weights
    pixels = torch.randint(0, 256, (2, 9, 8, 1), dtype=torch.uint8)
    tensors = model.tensors(image_tensor(pixels))
    assert set(tensors) == {node.name for node in graph.pruned()}
    for node in graph.pruned():
        height, width, channels = node.shape
        expected = (2, channels) if node.name == "classifier" else (2, channels, height, width)
        assert tensors[node.name].shape == expected, node.name


def test_image_bytes_become_multiples_of_a_256th():
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1)
    x = image_tensor(pixels)
    assert x.shape == (1, 1, 16, 16)
    assert torch.equal(x.flatten(), torch.arange(256) / 256)


def test_imagenet_stem_runs():
    graph = build(genotypes.get("ShiftNAS_C10"), **{**SIZES, "image": (32, 40, 3)}, stem="imagenet")
    pixels = torch.zeros(2, 32, 40, 3, dtype=torch.uint8)
    assert GraphModel(graph)(image_tensor(pixels)).shape == (2, 5)


def test_real_domain_and_switches():
    graph = build(genotypes.get("GDAS_V1"), **SIZES)
    assert not GraphModel(graph, "real").shift_weights()
    mixed = GraphModel(graph, settings=ShiftSettings(stem=False, classifier=False))
    weights = mixed.shift_weights()
    assert "stem/conv" not in weights and "classifier" not in weights
    assert isinstance(mixed.units["stem/conv"].conv.weight, RealWeight)
    assert isinstance(mixed.units["cell0/preprocess0"].conv.weight, ShiftWeight)


@pytest.mark.parametrize("side", [6, 7])
def test_factorized_reduce_is_two_strided_convolutions(side):
    node = FactorizedReduce(name="r", inputs=("x",), shape=((side + 1) // 2, (side + 1) // 2, 5))
    unit = ReduceUnit(node, 3, "shift", True, ShiftSettings()).eval()
    x, w = torch.randn(2, 3, side, side), unit.conv.weight().detach()
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (0, side % 2), (0, side % 2)))
    first = np.einsum("nchw,oc->nohw", padded[:, :, ::2, ::2], w[:2, :, 0, 0])
    second = np.einsum("nchw,oc->nohw", padded[:, :, 1::2, 1::2], w[2:, :, 0, 0])
    got = torch.nn.functional.conv2d(pad_to_even(x), factorized_kernel(w), stride=2)
    torch.testing.assert_close(got, torch.from_numpy(np.concatenate((first, second), 1)))


def test_nothing_depends_on_the_names_of_nodes():
    """Neither what drop-path acts on nor which weights are real."""
    graph = build(genotypes.get("ShiftNAS_C10"), **SIZES)
    names = {node.name: f"n{number}" for number, node in enumerate(graph)}
    renamed = Graph(
        tuple(
            replace(node, name=names[node.name], inputs=tuple(names[i] for i in node.inputs))
            for node in graph
        )
    )
    pixels = torch.randint(0, 256, (8, 9, 8, 1), dtype=torch.uint8)
    found = []
    for same in (graph, renamed):
        torch.manual_seed(0)
        settings = ShiftSettings(stem=False)
        model = GraphModel(same, settings=settings, edges=edge_ends(same)).train()
        model.drop_path = 0.5
        found.append((model.shift_weights(), model.tensors(image_tensor(pixels))))
    (weights, tensors), (renamed_weights, renamed_tensors) = found
    assert renamed_weights.keys() == {names[name] for name in weights}
    assert all(torch.equal(x, renamed_tensors[names[name]]) for name, x in tensors.items())


def test_drop_path_spares_identities():
    graph = build(genotypes.get("ShiftNAS_C10"), **SIZES)
    model = GraphModel(graph, edges=edge_ends(graph)).train()
    pixels = torch.randint(0, 256, (64, 9, 8, 1), dtype=torch.uint8)
    model.drop_path = 0.5
    torch.manual_seed(0)
    tensors = model.tensors(image_tensor(pixels))
    both_skips, with_convolutions = graph["cell1/node2"], graph["cell0/node3"]
    # Cell 1 reduces, so its skips are FactorizedReduces and can be dropped.
    assert all("/edge" in name for name in both_skips.inputs)
    plain = sum(tensors[name] for name in with_convolutions.inputs)
    assert not torch.equal(tensors["cell0/node3"], plain)
    identities = graph["cell0/node2"]
    assert not any("/edge" in name for name in identities.inputs)
    assert torch.equal(tensors["cell0/node2"], sum(tensors[name] for name in identities.inputs))
    model.eval()
    tensors = model.tensors(image_tensor(pixels))
    assert torch.equal(
        tensors["cell0/node3"], sum(tensors[name] for name in with_convolutions.inputs)
    )


def test_every_convolution_reads_a_rectified_tensor_where_the_graph_says_so():
    graph = build(genotypes.get("PDARTS"), **SIZES)
    model = GraphModel(graph).eval()
    tensors = model.tensors(image_tensor(torch.randint(0, 256, (2, 9, 8, 1), dtype=torch.uint8)))
    for node in graph.pruned():
        if isinstance(node, Conv):
            x = tensors[node.inputs[0]]
            x = x.clamp(min=0) if node.relu_in else x
            assert torch.equal(tensors[node.name], model.units[node.name](x)), node.name

"""hw.networks.counts: published weight counts, and small graphs counted by hand."""

import pytest

from hw.ir.graph import (
    Add,
    AvgPool,
    Concat,
    Conv,
    FactorizedReduce,
    GlobalPool,
    Graph,
    Input,
    Linear,
    MaxPool,
)
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.counts import count

CIFAR = {"channels": 36, "cells": 20, "image": (32, 32, 3), "classes": 10}
IMAGENET = {
    "channels": 48,
    "cells": 14,
    "image": (224, 224, 3),
    "classes": 1000,
    "stem": "imagenet",
}


@pytest.mark.parametrize("name", list(genotypes.published()))
def test_published_weight_counts(name):
    entry = genotypes.published()[name]
    assert count(build(entry.genotype, **CIFAR)).weights == entry.weights_cifar10
    assert count(build(entry.genotype, **IMAGENET)).weights == entry.weights_imagenet


def test_the_counts_in_the_package_are_the_published_ones():
    # Pinned here too, so that the file and the wiring cannot drift together.
    counts = {
        name: (entry.weights_cifar10, entry.weights_imagenet)
        for name, entry in genotypes.published().items()
    }
    assert counts == {
        "NASNet": (3830950, 5564320),
        "AmoebaNet": (3145078, 4627360),
        "DARTS_V1": (3169414, 4510432),
        "DARTS_V2": (3349342, 4718752),
        "GDAS_V1": (3368782, 4969216),
        "PDARTS": (3433798, 4944352),
        "DARTS_MINUS_C10": (3454318, 4860256),
        "DARTS_MINUS_C100": (3368998, 4790368),
        "DOTS_C10": (3526030, 5023456),
        "DOTS_C100": (4009438, 5650912),
        "DOTS_IMAGENET": (3750454, 5348032),
        "ShiftNAS_C10": (3661030, 5238784),
        "ShiftNAS_C100": (3882862, 5492224),
    }


def test_every_kind_of_node_by_hand():
    graph = Graph(
        (
            Input(name="input", inputs=(), shape=(4, 6, 2)),
            Conv(
                name="conv",
                inputs=("input",),
                shape=(4, 6, 8),
                kernel=(3, 1),
                padding=(1, 0),
                groups=2,
                batch_norm=False,
            ),
            FactorizedReduce(name="reduce", inputs=("conv",), shape=(2, 3, 6)),
            MaxPool(name="max", inputs=("reduce",), shape=(2, 3, 6)),
            AvgPool(name="avg", inputs=("reduce",), shape=(2, 3, 6)),
            Add(name="add", inputs=("max", "avg"), shape=(2, 3, 6)),
            Concat(name="concat", inputs=("add", "max"), shape=(2, 3, 12)),
            GlobalPool(name="pool", inputs=("concat",), shape=(1, 1, 12)),
            Linear(name="classifier", inputs=("pool",), shape=(1, 1, 5)),
        )
    )
    counts = count(graph)
    assert {name: (node.weights, node.additions) for name, node in counts.nodes.items()} == {
        "input": (0, 0),
        "conv": (8 * 1 * 3, 24 * 8 * 1 * 3),
        "reduce": (6 * 8 + 12, 6 * 6 * 8),
        "max": (0, 0),
        "avg": (0, 9 * 36),
        "add": (0, 36),
        "concat": (0, 0),
        "pool": (0, 6 * 12),
        "classifier": (5 * 12 + 5, 5 * 12 + 5),
    }
    assert counts.weights == 24 + 60 + 65
    assert counts.additions == 576 + 288 + 324 + 36 + 72 + 65


def test_pruning_takes_unread_weights_away():
    graph = build(genotypes.get("DOTS_IMAGENET"), channels=4, cells=3, image=(8, 8, 1), classes=10)
    assert count(graph).weights == count(graph.pruned()).weights
    cut = Graph(
        (*graph.nodes[:1], Conv(name="x", inputs=("input",), shape=(8, 8, 4)), *graph.nodes[1:])
    )
    assert count(cut).weights == count(graph).weights + 4 + 8
    assert count(cut.pruned()).weights == count(graph).weights

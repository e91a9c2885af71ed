"""From a search of each strategy to its hardware: the genotype found is one that can be built."""

import pytest

from hw.board.boards import device
from hw.dataflow.planner import propose
from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.verilog import emit
from nas.config import load_config
from nas.search import search
from nas.strategies.registry import STRATEGIES
from sim.cosim import Subject, cosim
from sim.stimuli import Stimuli, random_images

SMALL = ("search.images=64", "search.cells=1", "search.channels=1", "search.pdarts.cells=[1,1,1]")
SIZES = {"channels": 1, "cells": 3, "image": (4, 4, 1), "classes": 2}
"""Of the network built: a normal and two reduction cells."""

SIMULATED = ("gdas", "pdarts")
"""For the others it has to do that the Verilog is written: a model takes long to build."""

QUICK = ("gdas", "random", "shiftnas")
"""Those in `make test`."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.thorough)
        for name in STRATEGIES
    ],
)
def test_what_is_found_becomes_hardware(tmp_path, strategy):
    config = load_config("tiny", (*SMALL, f"search.strategy={strategy}"))
    genotype = search("digits", tmp_path / "run", config)
    network = random_network(build(genotype, **SIZES), seed=1)
    design = propose(network, device("none"))
    emitted = emit.emit(design)
    assert emitted.manifest["network_digest"] == network.digest
    if strategy in SIMULATED:
        stimuli = Stimuli(random_images(network, 1, seed=1), stall=0)
        ran = cosim(network, design, stimuli, Subject(emission=emitted))
        assert (ran.frames, ran.mismatches) == (1, 0)
        assert ran.layers >= len(network.graph) - 1

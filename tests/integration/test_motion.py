"""A published genotype in motion: frames without bubbles, stalls, resets in mid-frame, and a FIFO a
beat smaller than the deadlock depth."""

from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from hw.board.boards import device
from hw.dataflow import cost, plan_file
from hw.dataflow.design.design import design
from hw.dataflow.flow import deadlock
from hw.dataflow.flow.timing import pipelines
from hw.dataflow.plan import Plan
from hw.dataflow.planner import propose
from hw.errors import CheckFailed
from hw.ir import serialize
from hw.ir.network import Network
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.random_network import random_network
from shiftnas import shiftnas
from sim import designs
from sim.cosim import cosim
from sim.simulation import Run, Simulation
from sim.stimuli import Stimuli, random_images

FRAMES = 5

pytestmark = pytest.mark.slow


def network_of(name: str, cells: int) -> Network:
    sizes = {"channels": 2, "cells": cells, "image": (6, 6, 1), "classes": 3, "stem": "cifar"}
    return random_network(build(genotypes.get(name), **sizes), seed=1)


@dataclass(frozen=True)
class Moving:
    """A network whose second cell reads the stem too, built for speed, and its model."""

    network: Network
    plan: Plan
    simulation: Simulation

    @property
    def period(self) -> int:
        return cost.predict(design(self.network, self.plan)).cycles_per_frame

    def run(self, folder: Path, stall: float, resets: int, seed: int = 1) -> Run:
        images = random_images(self.network, FRAMES, seed)
        self.simulation.write(folder, Stimuli(images, stall, seed=seed, resets=resets))
        return self.simulation.run(folder)


@pytest.fixture(scope="module")
def moving() -> Moving:
    network = network_of("DARTS_V2", cells=2)
    plan = propose(network, device("none")).plan
    bench = designs.bench(network, design(network, plan), "network")
    return Moving(network, plan, Simulation.build(network, bench))


def test_frames_follow_without_a_bubble(moving, tmp_path):
    ends = moving.run(tmp_path, 0, 0).ends[0]
    # The first frames may come sooner than the steady state's.
    assert np.diff(ends)[1:].tolist() == [moving.period] * (FRAMES - 2)


@pytest.mark.parametrize("stall", [0.25, 0.75])
def test_stalls_cost_no_more_than_the_stream_that_stalls(moving, tmp_path, stall):
    """Source and sink pausing, for single cycles and in long bursts, frames take no longer than
    their beats at the source's pace, or the slowest layer."""
    run = moving.run(tmp_path, stall, 0)
    stalled = np.diff(run.ends[0])[FRAMES:]
    source = prod(moving.network.graph.input.shape) / (1 - stall)
    assert stalled.mean() < 1.05 * max(moving.period, source)


def test_resets_in_mid_frame_leave_nothing_behind(moving, tmp_path):
    """Cut off again and again at any moment, the frames after it are right, bit for bit."""
    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        run = moving.run(folder, 0.25, 5, seed=number + 1)
        assert sum(layer.mismatches for layer in run.compared) == 0
        assert all(layer.beats == layer.expected_beats for layer in run.compared)


# --- deadlock


@pytest.fixture(scope="module")
def tight() -> tuple[Network, Plan, tuple[str, int]]:
    """A cell with the depths that just exclude a deadlock, and a FIFO that cannot be smaller."""
    network = network_of("ShiftNAS_C10", cells=1)
    plan = propose(network, device("none"), fps=1).plan
    stores = {name: layer.store for name, layer in plan.layers.items()}
    held = pipelines(design(network, plan))
    plan = replace(plan, fifos=deadlock.depths(network.graph, stores, held))
    places = [(name, k) for name, depths in plan.fifos.items() for k in range(len(depths))]
    place = max(places, key=lambda place: plan.fifos[place[0]][place[1]])
    return network, plan, place


def without_one(plan: Plan, place: tuple[str, int]) -> Plan:
    depths = list(plan.fifos[place[0]])
    depths[place[1]] -= 1
    return replace(plan, fifos={**plan.fifos, place[0]: tuple(depths)})


def test_the_deadlock_depths_run_under_stalls(tight):
    network, plan, place = tight
    assert plan.fifos[place[0]][place[1]] > 8
    result = cosim(network, design(network, plan), Stimuli(random_images(network, 2, 1), stall=0.4))
    assert result.mismatches == 0


def test_a_beat_less_than_the_deadlock_depth_locks_up(tight):
    network, plan, (name, position) = tight
    less = without_one(plan, (name, position))
    with pytest.raises(CheckFailed, match="hang: nothing moved for 3000 cycles") as caught:
        cosim(
            network,
            design(network, less),
            Stimuli(random_images(network, 1, 1), stall=0, patience=3000),
        )
    source = network.graph[name].inputs[position]
    lines = caught.value.lines
    assert f"full FIFO: {name} input {position} ({source})" in lines
    assert f"empty FIFO: {name} input {position} ({source})" not in lines
    assert any(line.startswith(f"empty FIFO: {name} input ") for line in lines)


def test_a_plan_that_would_lock_up_is_refused(tight, tmp_path):
    network, plan, (name, position) = tight
    serialize.save(network, tmp_path / "net")
    plan_file.save(without_one(plan, (name, position)), tmp_path / "plan.yaml")
    arguments = ["emit", tmp_path / "net", "--plan", tmp_path / "plan.yaml", "--out"]
    result = CliRunner().invoke(shiftnas, [*map(str, arguments), str(tmp_path / "rtl")])
    depth = plan.fifos[name][position]
    assert result.exit_code == 2
    (line,) = result.stderr.strip().splitlines()
    assert f"fifos: {name}: input {position}: {depth - 1} beats lock the network up" in line
    assert line.endswith(f"give it {depth} or more")

"""The free-running agents' stall patterns: all give the same beats, each in its own time."""

from itertools import pairwise

import pytest

from sim import designs, harness
from sim.simulation import Simulation
from sim.stalls import PATTERNS
from sim.stimuli import Stimuli, random_images


@pytest.fixture(scope="module")
def simulation(hardware) -> Simulation:
    bench = designs.bench(hardware.network, hardware.design, "network", emission=hardware.emission)
    return Simulation.build(hardware.network, bench)


def run(simulation, folder, pattern, seed=1):
    images = random_images(simulation.network, 3, seed=1)
    simulation.write(folder, Stimuli(images, pattern=pattern, seed=seed))
    return simulation.run(folder)


@pytest.mark.slow
def test_every_pattern_gives_the_same_beats_in_its_own_time(simulation, tmp_path):
    runs = {pattern: run(simulation, tmp_path, pattern) for pattern in harness.STALL_PATTERNS}
    beats = {sum(stream.beats for stream in found.compared) for found in runs.values()}
    assert len(beats) == 2  # without a stalled pass, and with one
    assert not any(stream.mismatches for found in runs.values() for stream in found.compared)
    free = runs["never"].ends[0]
    assert len({found.ends for found in runs.values()}) == len(runs)
    assert all(found.ends[0][:3] == free for found in runs.values())
    for first, second in pairwise(run(simulation, tmp_path, "adversarial", 2) for _ in range(2)):
        assert first.ends == second.ends != runs["adversarial"].ends


def test_patterns_have_the_numbers_that_the_agents_know():
    text = harness.AGENTS.read_text()
    for number, name in enumerate((*PATTERNS, "mixed")):
        assert f"{name.upper()} = {number}" in text
        assert harness.STALL_PATTERNS[number] == name

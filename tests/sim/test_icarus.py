"""Icarus takes what Verilator takes, unchanged, and agrees with it beat for beat and cycle for
cycle.
"""

import pytest
from amaranth import signed

from hw.dataflow.design.design import design
from hw.dataflow.layers.streams import Fork, Skid
from hw.errors import CheckFailed, InputError
from sim import tools
from sim.component import check
from sim.cosim import Subject, cosim
from sim.runner import Build
from sim.stimuli import Stimuli, random_images

pytestmark = pytest.mark.icarus
SIMULATORS = ("verilator", "icarus")


@pytest.mark.parametrize(
    "level", ["network", "cell", pytest.param("op", marks=pytest.mark.thorough), "pe"]
)
def test_same_beats_in_the_same_cycles(hardware, level, tmp_path):
    network, plan = hardware.network, hardware.plan
    corners = 3 if level in ("op", "pe") else 0
    stimuli = Stimuli(random_images(network, 1, seed=1), corners=corners)
    first, second = (
        cosim(
            network,
            design(network, plan),
            stimuli,
            Subject(level),
            Build(name),
            folder=tmp_path / name,
        )
        for name in SIMULATORS
    )
    assert second.mismatches == 0
    for field in ("beats", "bits", "cycles", "latency", "compared"):
        assert getattr(first, field) == getattr(second, field)
    files = sorted(path.name for path in (tmp_path / "icarus").glob("tap_*.bin"))
    assert len(files) == first.layers
    for name in files:
        one, two = ((tmp_path / simulator / name).read_bytes() for simulator in SIMULATORS)
        assert one == two


def test_components_take_the_same_cycles():
    beats = [(37 * k) % 256 - 128 for k in range(60)]
    runs = [check(Skid(signed(8)), {"i": beats}, beats, simulator=name) for name in SIMULATORS]
    assert runs[0].cycles == runs[1].cycles
    check(Fork(signed(8), 2), {"i": beats}, {"o0": beats, "o1": beats}, simulator="icarus")
    with pytest.raises(CheckFailed, match="o: beat 18: expected 27, got 26"):
        wrong = [*beats[:18], 27, *beats[19:]]
        check(Skid(signed(8)), {"i": beats}, wrong, simulator="icarus")


def test_waves(tmp_path):
    check(Skid(signed(8)), {"i": [1]}, [1], simulator="icarus", waves=tmp_path, stalls=[(0, 0)])
    assert "$var" in (tmp_path / "dump.vcd").read_text()


def test_missing_icarus_is_one_line(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="no iverilog on PATH; install it with: apt-get install"):
        tools.find_icarus()

"""The gate level: equal to the reference, and a single wrong gate is found."""

# The stubs of amaranth do not know integer attributes of a memory.
# pyright: reportArgumentType=false, reportCallIssue=false

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from amaranth import Cat, Module, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.board.boards import device
from hw.dataflow.design.design import design
from hw.dataflow.planner import propose
from hw.errors import CheckFailed, InputError
from hw.ir.graph import AvgPool, MaxPool
from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.networks.space import Genotype
from sim import component, designs, gates, runner
from sim.cosim import Subject, cosim
from sim.simulation import Simulation
from sim.stimuli import Stimuli, random_images

LAYER = "cell0/edge0_sep_conv_3x3/pw2"
WIDTHS = {1: 16384, 2: 8192, 4: 4096, 9: 2048, 18: 1024, 36: 512}
"""Width and depth of each shape of the block RAM."""


def run(hardware, bench: designs.Bench, folder) -> None:
    """Simulate a bench as `cosim` does."""
    simulation = Simulation.build(hardware.network, bench)
    simulation.write(folder, stimuli(hardware.network))
    simulation.run(folder)


def stimuli(network) -> Stimuli:
    return Stimuli(random_images(network, 2, seed=1), stall=0.3, corners=0)


def with_init(text: str, module: str, parameter: str, number: int) -> str:
    """The netlist with the lowest bit of one such parameter of a module inverted."""
    start = text.index(f"module \\{module} ")
    found = list(re.finditer(rf"\.{parameter}\(16'h(\w{{4}})\)", text[start:]))
    match = found[number]
    value = int(match[1], 16) ^ 1
    begin, end = (start + position for position in match.span(1))
    return f"{text[:begin]}{value:04x}{text[end:]}"


@pytest.mark.slow
def test_network_with_all_its_layers(hardware):
    subject = Subject(emission=hardware.emission, gates=gates.HIERARCHY)
    result = cosim(hardware.network, hardware.design, stimuli(hardware.network), subject)
    assert (result.frames, result.stalled_frames, result.mismatches) == (4, 2, 0)
    assert result.layers == len(hardware.network.graph.nodes)
    kinds = set(result.gates)
    assert {"LUT4", "CCU2C", "PFUMX", "L6MUX21", "TRELLIS_FF", "DP16KD"} <= kinds
    assert not [kind for kind in kinds if kind.startswith("MULT")]


@pytest.mark.thorough
def test_flat_netlist_is_compared_at_its_ports(hardware):
    subject = Subject(emission=hardware.emission, gates=gates.FLAT)
    result = cosim(hardware.network, hardware.design, stimuli(hardware.network), subject)
    assert (result.frames, result.mismatches) == (4, 0)
    assert [layer.layer for layer in result.compared] == ["classifier (m_axis)"]


@pytest.mark.slow
def test_pools_and_layers_of_a_reduction_on_their_own():
    """The kinds of layer that the network above has not."""
    edges = (("max_pool_3x3", 0), ("avg_pool_3x3", 1))
    genotype = Genotype(edges, (2,), edges, (2,))
    graph = build(genotype, channels=2, cells=1, image=(5, 6, 1), classes=3, stem="cifar")
    network = random_network(graph, seed=4)
    plan = propose(network, device("ulx3s-85f")).plan
    only = [node.name for node in graph if isinstance(node, MaxPool | AvgPool)]
    subject = Subject("op", only, gates=gates.HIERARCHY)
    result = cosim(network, design(network, plan), stimuli(network), subject)
    assert {layer.layer for layer in result.compared} == set(only)
    assert len(only) >= 2
    assert (result.frames, result.mismatches) == (4, 0)


def test_element_on_its_own(hardware):
    subject = Subject("pe", [LAYER], gates=gates.HIERARCHY)
    result = cosim(hardware.network, hardware.design, stimuli(hardware.network), subject)
    assert (result.layers, result.frames, result.mismatches) == (1, 4, 0)


@pytest.mark.parametrize(("parameter", "number"), [("INIT", 0), ("INIT0", 0)])
def test_one_wrong_bit_is_found_and_its_layer_named(hardware, tmp_path, parameter, number):
    """INIT is a LUT's table, INIT0 a carry cell's."""
    bench = designs.bench(hardware.network, hardware.design, "op", only=[LAYER])
    mapped = gates.of(bench)
    text = mapped.sources["dut0.v"]
    wrong = with_init(text, "dut0.elements", parameter, number)
    assert wrong != text
    with pytest.raises(CheckFailed) as caught:
        run(hardware, replace(mapped, sources={**mapped.sources, "dut0.v": wrong}), tmp_path)
    message = str(caught.value)
    assert message.startswith(f"cosim: {LAYER}: frame 0, pixel (")
    for word in ("channel", "expected", "got"):
        assert word in message


def test_kept_until_a_source_changes(hardware, monkeypatch):
    bench = designs.bench(hardware.network, hardware.design, "op", only=[LAYER])
    first = gates.of(bench)
    calls = []
    monkeypatch.setattr(gates.yosys, "run", lambda *arguments: calls.append(arguments))
    assert gates.of(bench).sources == first.sources
    assert not calls
    changed = {name: f"{text}\n// changed\n" for name, text in bench.sources.items()}
    with pytest.raises(FileNotFoundError):
        gates.of(replace(bench, sources=changed))
    assert len(calls) == 1


def test_names_of_modules_and_ports_stay(hardware):
    bench = designs.bench(hardware.network, hardware.design, "op", only=[LAYER])
    mapped = gates.of(bench)
    assert mapped.designs == bench.designs
    modules = r"^module (\\\S+|\w+)"
    before, after = (
        set(re.findall(modules, text.sources["dut0.v"], re.M)) for text in (bench, mapped)
    )
    assert after <= before
    assert {"dut0", "\\dut0.window", "\\dut0.elements", "\\dut0.requantise"} <= after
    assert not re.search(r"^\s*(always|reg) ", mapped.sources["dut0.v"], re.M)


def test_unknown_form(hardware):
    bench = designs.bench(hardware.network, hardware.design, "op", only=[LAYER])
    with pytest.raises(InputError, match="gates: 'round'; expected one of hierarchy, flat"):
        gates.of(bench, "round")


class Rams(wiring.Component):
    """Block RAMs of all shapes, written and read at once; reads return what was stored before."""

    def __init__(self, contents: Mapping[int, Sequence[int]]):
        self.contents = contents
        self.layout = data.StructLayout({"write": 1, "to": 14, "data": 36, "from": 14})
        super().__init__(
            {
                "i": In(stream.Signature(self.layout.size)),
                "o": Out(stream.Signature(sum(contents))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        order = data.View(self.layout, self.i.payload)
        accept = self.i.valid & self.i.ready
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid)
        outputs = []
        for width, init in self.contents.items():
            memory = Memory(
                shape=unsigned(width),
                depth=len(init),
                init=init,
                attrs={"ram_style": "block", "no_rw_check": 1},
            )
            m.submodules[f"ram{width}"] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.addr.eq(order.to),
                write.data.eq(order.data),
                write.en.eq(accept & order.write),
                read.addr.eq(order["from"]),
                read.en.eq(accept),
            ]
            outputs.append(read.data)
        m.d.comb += self.o.payload.eq(Cat(outputs))
        return m


def orders(
    contents: Mapping[int, Sequence[int]], *, collide: bool
) -> tuple[Rams, list[int], list[int]]:
    """Component, orders and answers: at random, but reads and writes of one order never meet in any
    of the memories, unless asked to in the last order."""
    rng = np.random.default_rng(3)
    stored = {width: list(init) for width, init in contents.items()}
    sent, expected = [], []
    recent = [0]
    for number in range(300):
        to = int(rng.integers(1 << 14))
        # Half of the reads go where something was written before.
        source = int(recent[rng.integers(len(recent))] if number % 2 else rng.integers(1 << 14))
        source ^= (source ^ to) & 511 == 0
        if collide and number == 299:
            source = to
        value = int(rng.integers(1 << 36))
        sent.append(1 | to << 1 | value << 15 | source << 51)
        answer, position = 0, 0
        for width, words in stored.items():
            answer |= words[source % len(words)] << position
            position += width
            words[to % len(words)] = value & (1 << width) - 1
        expected.append(answer)
        recent.append(to)
    return Rams(contents), sent, expected


@pytest.fixture
def at_gate_level(monkeypatch):
    """`component.check` simulates the netlist."""
    build = runner.build
    found = []

    def mapped(sources, top, how, **options):
        netlist = gates.netlists(sources, [top])
        found.append(netlist)
        return build(netlist, top, how, **options)

    monkeypatch.setattr(runner, "build", mapped)
    return found


@pytest.mark.thorough
def test_block_ram_of_every_width(at_gate_level):
    rng = np.random.default_rng(5)
    contents = {
        width: [int(word) for word in rng.integers(1 << width, size=depth)]
        for width, depth in WIDTHS.items()
    }
    ram, sent, expected = orders(contents, collide=False)
    component.check(ram, {"i": sent}, expected, stalls=((0.3, 0.3),))
    widths = re.findall(r"\.DATA_WIDTH_B\(32'd(\d+)\)", at_gate_level[0]["dut.v"])
    assert sorted(map(int, widths)) == sorted(WIDTHS)
    # The RTL returns what was stored; on the chip nobody knows.
    ram, sent, expected = orders(contents, collide=True)
    with pytest.raises(CheckFailed, match="expected"):
        component.check(ram, {"i": sent}, expected, stalls=((0, 0),))

"""Weights loaded through AXI4-Lite in co-simulation: bit-exact, read back, and a fault seen."""

import dataclasses
import os
import re
import subprocess
from pathlib import Path

import pytest
from loadable_cases import other_weights, wider

from hw.board.boards import device
from hw.dataflow.design.design import design
from hw.dataflow.planner import propose
from hw.errors import CheckFailed, InputError
from hw.ir.graph import Conv, GlobalPool, Graph, Input, Linear, Node
from hw.networks.random_network import random_network
from hw.verilog import emit
from sim import harness, loading, tools
from sim.cosim import Subject, cosim
from sim.loading import Access
from sim.stimuli import Stimuli, random_images


@pytest.fixture(scope="module")
def loadable(hardware):
    """The network of `hardware` as loadable RTL, and other weights for it."""
    network = hardware.network
    plan = propose(network, device("ulx3s-85f"), loadable=True).plan
    plan = wider(plan, scale=(-11, 7), bias=26)
    return network, other_weights(network, 8), plan, emit.emit(design(network, plan))


@pytest.mark.slow
def test_as_emitted_loaded_and_loaded_back(loadable):
    """Three runs of one model, each with resets in mid-frame, at full speed and under stalls."""
    network, other, plan, emission = loadable
    for sent, load in ((network, ()), (other, (other,)), (network, (other, network))):
        stimuli = Stimuli(random_images(sent, 2, seed=1))
        result = cosim(sent, design(sent, plan), stimuli, Subject(emission=emission, load=load))
        assert (result.mismatches, result.frames, result.layers) == (0, 4, 13)
        assert (result.load_cycles > 0) == bool(load)


@pytest.mark.slow
def test_agents_wait_until_a_long_chain_has_let_go():
    """Of hops to the loader: the network is held hops + 2 cycles longer than STATUS says, and the
    first run, after loading, has to look as those after a reset."""
    nodes: list[Node] = [Input(name="input", inputs=(), shape=(2, 2, 2))]
    for number in range(12):
        before = nodes[-1].name
        nodes.append(Conv(name=f"n{number}", inputs=(before,), shape=(2, 2, 2), batch_norm=False))
    pool = GlobalPool(name="pool", inputs=(nodes[-1].name,), shape=(1, 1, 2))
    graph = Graph((*nodes, pool, Linear(name="classifier", inputs=("pool",), shape=(1, 1, 2))))
    network = random_network(graph, seed=1, scale_terms=1)
    plan = propose(network, device("none"), fps=1, loadable=True).plan
    made = design(network, plan)
    stimuli = Stimuli(random_images(network, 1, seed=1))
    result = cosim(network, made, stimuli, Subject(emission=emit.emit(made), load=(network,)))
    assert result.mismatches == 0 and result.load_cycles > 0


@pytest.mark.slow
def test_a_word_that_is_not_stored_is_found_on_reading_back(loadable):
    """The RTL broken on purpose: one bit of what is written to memories is lost on the bus."""
    _, other, plan, emission = loadable
    path = "shiftnas_top.load_stem"
    start = emission.verilog.index(f"module \\{path} ")
    module = emission.verilog[start : emission.verilog.index("endmodule", start)]
    broken = module.replace("o__data <= i__data;", "o__data <= i__data & ~32'd4;")
    assert broken != module
    files = {**emission.files, "shiftnas_top.v": emission.verilog.replace(module, broken)}
    subject = Subject(emission=dataclasses.replace(emission, files=files), load=(other,))
    with pytest.raises(CheckFailed, match=r"^cosim: load: read of 0x\w+: expected 0x\w+ and resp"):
        cosim(other, design(other, plan), Stimuli(random_images(other, 1, seed=1)), subject)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["cell", "op", "pe"])
def test_parts_of_a_loadable_network(loadable, level):
    network, _, plan, _ = loadable
    result = cosim(
        network, design(network, plan), Stimuli(random_images(network, 2, seed=1)), Subject(level)
    )
    assert result.mismatches == 0


def test_another_network_has_to_be_loaded(loadable):
    network, other, plan, emission = loadable
    stimuli = Stimuli(random_images(network, 1, seed=1))
    with pytest.raises(InputError, match="or load its weights with --load"):
        cosim(other, design(other, plan), stimuli, Subject(emission=emission))
    with pytest.raises(InputError, match="load: expected the network itself"):
        cosim(other, design(other, plan), stimuli, Subject(emission=emission, load=(network,)))
    with pytest.raises(InputError, match="load: expected an RTL folder"):
        cosim(other, design(other, plan), stimuli, Subject(load=(other,)))


@pytest.fixture(scope="module")
def slave(tmp_path_factory):
    """The program with the master and a slave that is wrong on demand."""
    folder = tmp_path_factory.mktemp("slave")
    support = Path(__file__).parents[1] / "support"
    found = tools.find()
    arguments = [found.verilator, "--binary", "--timing", "-Wno-fatal", "--top-module"]
    arguments += ["axil_bench", "-CFLAGS", "-O0", harness.AGENTS, loading.MASTER]
    environment = os.environ | tools.verilator_environment()
    subprocess.run(
        [*arguments, support / "axil_faults.sv"], cwd=folder, env=environment, check=True
    )
    return folder / "obj_dir" / "Vaxil_bench"


@pytest.mark.parametrize(("fault", "message"), [
    (0, None),
    (1, r"load: write to 0x0: bvalid comes before address and data are taken"),
    (2, r"load: write to 0x0: rvalid comes before the address is taken"),
    (3, r"load: write to 0x\w+: bvalid is withdrawn before it is taken"),
    (4, r"load: read of 0x\w+: rvalid is withdrawn before it is taken"),
    (5, r"load: write to 0x\w+: bresp changes before it is taken"),
    (6, r"load: read of 0x\w+: rdata or rresp changes before it is taken"),
    (7, r"load: read of 0x\w+: rdata or rresp changes before it is taken"),
    (9, r"load: \w+ \w+ 0x\w+: bvalid comes before address and data are taken"),
])  # fmt: skip
def test_the_master_holds_responses_to_their_rules(slave, tmp_path, fault, message):
    lines = [Access(kind, 4 * k, 77 * k) for _ in range(9) for kind in (0, 1) for k in range(4)]
    (tmp_path / loading.LIST).write_text("".join(one.line for one in lines))
    subprocess.run([slave, f"+fault={fault}"], cwd=tmp_path, check=True)
    found = loading.failure(tmp_path)
    assert found is None if message is None else re.fullmatch(message, found or "")


def test_verdicts_of_the_master(tmp_path):
    assert loading.failure(tmp_path) is None
    assert loading.cycles(tmp_path) == 0
    lines = [Access(loading.WRITE, 8, 1), Access(loading.READ, 0x40, 0xAB)]
    (tmp_path / loading.LIST).write_text("".join(one.line for one in lines))
    assert loading.failure(tmp_path) == "load: the AXI4-Lite port never answered"
    for text, message in (
        ("ok 2 99", None),
        ("ok 1 99", "load: 1 of 2 accesses"),
        ("bad 0 00000000 2", "load: write to 0x8: expected response 0, got 2"),
        (
            "bad 1 000000aa 0",
            "load: read of 0x40: expected 0x000000ab and response 0, got 0x000000aa and 0",
        ),
        ("rule 1 rdata_changed", "load: read of 0x40: rdata or rresp changes before it is taken"),
        (
            "rule 2 bvalid_early",
            "load: after the last access: bvalid comes before address and data are taken",
        ),
    ):
        (tmp_path / loading.RESULT).write_text(text)
        assert loading.failure(tmp_path) == message
    (tmp_path / loading.RESULT).write_text("ok 2 99")
    assert loading.cycles(tmp_path) == 99

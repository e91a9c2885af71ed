"""The testbench of single layers: what it feeds them, and what it finds in Icarus."""

import re
import subprocess
from math import prod

import numpy as np
import pytest
from cell_bugs import small_cell
from planted_bugs import CLAMP, EDGE, Bug, literal, wraps

from hw.ir import reference
from hw.verilog import cut, emit, layer_testbench

LAYERS = 12
QUEUE = r"(assign w_rdy = level != \d+'h)([0-9a-f]+)"
TOP = "shiftnas_top_layers_tb"

BUGS = {
    "+128 wraps in a pointwise layer, cell0/edge0_sep_conv_3x3/pw1: frame": Bug(
        "", f"{EDGE}.pw1.requantise", CLAMP, wraps(128)
    ),
    "-129 wraps in an addition, cell0/node2: frame": Bug("", "cell0.node2", CLAMP, wraps(-129)),
    "a FIFO is shallower, cell0/node2 input 1 (cell0/edge1_skip_connect/reduce): ": Bug(
        "", "cell0.node2.fifo1.queue", QUEUE, literal(-1)
    ),
    "a FIFO of one input alone is shallower, cell0/concat input 0 (cell0/node2): ": Bug(
        "", "cell0.concat.fifo0.queue", QUEUE, literal(-1)
    ),
}


@pytest.fixture(scope="module")
def cell():
    network, built = small_cell()
    return network, emit.emit(built)


@pytest.fixture(scope="module")
def made(cell):
    network, emission = cell
    return layer_testbench.files(emission, network, seed=1)


def simulated(folder, verilog: str, files: dict[str, str]) -> str:
    """What it says in Icarus."""
    for name, text in {"top.v": verilog, **files}.items():
        (folder / name).write_text(text)
    subprocess.run(
        ["iverilog", "-g2012", "-s", TOP, "-o", "x", f"{TOP}.sv", "top.v"], cwd=folder, check=True
    )
    return subprocess.run(["vvp", "-n", "x"], cwd=folder, capture_output=True, text=True).stdout


def test_every_layer_gets_what_the_reference_computes(cell):
    """The vectors are those of the node's own function."""
    network, emission = cell
    layers = layer_testbench.layers(emission, network, seed=1)
    assert [layer.node for layer in layers] == list(network.graph.nodes[1:])
    for layer in layers:
        shapes = network.graph.in_shapes(layer.node)
        inputs = [
            port.beats.reshape(layer.frames, *shape)
            for port, shape in zip(layer.inputs, shapes, strict=True)
        ]
        given = reference.operation(network, layer.node.name)(inputs)
        assert np.array_equal(np.ravel(given), layer.output.beats)
        assert layer.output.frame == prod(layer.node.shape)
        assert cut.input_ports(layer.node) == [port.name for port in layer.inputs]


def test_what_a_fifo_takes_on_its_own(cell):
    network, emission = cell
    fills = {layer.node.name: layer.fills for layer in layer_testbench.layers(emission, network, 1)}
    depths = {
        name: [fifo["depth"] for fifo in fifos]
        for name, fifos in emission.manifest["fifos"].items()
    }
    assert fills["cell0/node2"] == tuple(depths["cell0/node2"])
    assert fills["cell0/concat"] == (depths["cell0/concat"][0] + 1,)
    assert fills["stem/conv"] == ()


def test_vectors_have_room(cell, monkeypatch):
    """The smallest layers come first; what is left out is told."""
    network, emission = cell
    words = layer_testbench.files(emission, network, 1)[f"{TOP}_vectors.hex"].count("\n")
    for most in (words, words // 3, 300):
        monkeypatch.setattr(layer_testbench, "WORDS", most)
        files = layer_testbench.files(emission, network, 1)
        assert 0 < files[f"{TOP}_vectors.hex"].count("\n") <= most
    said = re.search(r"^// (\d+) of 12 layers \((\d+) more are too large", files[f"{TOP}.sv"], re.M)
    assert said and int(said[1]) + int(said[2]) == LAYERS and int(said[1]) < LAYERS


@pytest.mark.icarus
def test_right_verilog_passes(cell, made, tmp_path):
    said = simulated(tmp_path, cell[1].verilog, made)
    assert re.search(rf"^PASS: {LAYERS} layers on their own, ", said, re.M), said


@pytest.mark.icarus
@pytest.mark.parametrize("what", BUGS, ids=lambda what: what.partition(",")[0])
def test_what_a_testbench_at_the_ports_does_not_see(cell, made, what, tmp_path):
    said = simulated(tmp_path, BUGS[what].plant(cell[1].verilog), made)
    assert f"FAIL: {what.partition(', ')[2]}" in said and "PASS" not in said


@pytest.mark.icarus
@pytest.mark.parametrize("line", [0, -1])
def test_a_vector_that_is_another_one_fails(cell, made, line, tmp_path):
    """The first is an input, the last is what the last layer gives."""
    name = f"{TOP}_vectors.hex"
    lines = made[name].splitlines()
    lines[line] = f"{int(lines[line], 16) ^ 0x10:x}"
    said = simulated(tmp_path, cell[1].verilog, made | {name: "\n".join(lines) + "\n"})
    assert "FAIL: " in said and "PASS" not in said
    said = simulated(tmp_path, cell[1].verilog, made | {name: "\n".join(lines[:-1]) + "\n"})
    assert f"FAIL: {name}: not found or cut short" in said

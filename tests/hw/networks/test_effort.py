"""What a network takes, counted by hand."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from hw.ir import serialize
from hw.ir.format import Format
from hw.ir.graph import Conv, GlobalPool, Graph, Input, Linear
from hw.ir.network import Network
from hw.ir.parameters import Arithmetic, LayerParams, Rounding
from hw.ir.weights import encode
from hw.networks.effort import Operations, effort
from shiftnas import subcommand


def network() -> Network:
    """A 2x1 convolution with batch norm on 4x3 pixels of a channel, to two channels; a mean; a
    classifier of three."""
    nodes = (
        Input(name="input", inputs=(), shape=(4, 3, 1)),
        Conv(name="conv", inputs=("input",), shape=(3, 3, 2), kernel=(2, 1)),
        GlobalPool(name="pool", inputs=("conv",), shape=(1, 1, 2)),
        Linear(name="out", inputs=("pool",), shape=(1, 1, 3)),
    )
    conv = LayerParams(
        # 1, 0 and -1/4, 1/2
        codes=encode(np.array([1, 0, -1, 1]), np.array([0, 0, -2, -1]), 5).reshape(2, 1, 2, 1),
        scale_sign=np.array([[1, -1], [1, 0]], np.int8),
        scale_exp=np.array([[3, -2], [0, 0]], np.int16),
        bias=(5, -9),
    )
    none = np.zeros((3, 0), np.int8), np.zeros((3, 0), np.int16)
    # Two of six weights are not zero.
    sign = np.array([[0, 1], [0, 0], [-1, 0]])
    out = LayerParams(encode(sign, np.full((3, 2), -2), 5), *none, (0, 0, 0))
    formats = {"input": Format(False, 8, 8), "conv": Format(True, 8, 4), "pool": Format(True, 8, 4)}
    arithmetic = Arithmetic(weight_bits=5, guard=None, rounding=Rounding.HALF_UP, scale_terms=2)
    return Network(Graph(nodes), formats, {"conv": conv, "out": out}, arithmetic)


def test_operations():
    found = effort(network())
    # 9 pixels, of 4 weights, 3 of them not zero.
    assert found.operations["conv"] == Operations(36, 36, 27, 27)
    # The mean of 9 pixels of two channels has no weights.
    assert found.operations["pool"] == Operations(0, 18, 0, 18)
    # Six products and three biases.
    assert found.operations["out"] == Operations(6, 9, 2, 5)
    assert found.total == Operations(42, 63, 29, 50)
    assert found.total.additions == found.size.additions


def test_storage():
    storage = effort(network()).storage
    # 4 + 6 weights, two numbers for each of two channels, three biases: 32 bits each.
    assert storage.before == 17 * 32
    assert storage.weights == 10 * 5
    # Four terms: a sign of two bits, exponents -2 to 3, which lie up to 5 apart: three bits.
    assert storage.scales == 4 * (2 + 3)
    # 5 and -9 in five bits each; a classifier's biases that are all 0 take none.
    assert storage.biases == 2 * 5
    assert storage.after == 50 + 20 + 10


def test_the_command(tmp_path):
    serialize.save(network(), tmp_path / "net")
    result = CliRunner().invoke(subcommand("zoo"), ["--network", str(tmp_path / "net"), "--json"])
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert (content["shifts"], content["needed_shifts"]) == (42, 29)
    assert (content["additions"], content["needed_additions"]) == (63, 50)
    assert (content["weights"], content["kernel_weights"]) == (17, 10)
    assert content["zero_share"] == 0.5
    assert content["exponents"] == {"zeros": 5, "powers": {"-2": [2, 1], "-1": [0, 1], "0": [0, 1]}}
    assert content["storage_bytes"] == {
        "float32": 68, "after": 10, "weights": 7, "scales": 3, "biases": 2
    }  # fmt: skip
    conv = content["layers"][0]
    assert (conv["name"], conv["zeros"], conv["needed_shifts"]) == ("conv", 1, 27)
    plain = CliRunner().invoke(subcommand("zoo"), ["--network", str(tmp_path / "net")])
    lines = plain.stdout.splitlines()
    assert "5 are 0 (50.0%)" in lines[0]
    assert lines[-4:] == [
        f"     0             5   50.0%  {'#' * 40}",
        f"  ±2^0             1   10.0%  {'#' * 8}",
        f" ±2^-1             1   10.0%  {'#' * 8}",
        f" ±2^-2             3   30.0%  {'#' * 24}",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--network", "none"], "none"),
        (["--network", "none", "--table", "2"], "--table: --network names what is counted"),
    ],
)
def test_wrong_calls(arguments, message):
    result = CliRunner().invoke(subcommand("zoo"), arguments)
    assert result.exit_code == 2 and message in result.stderr
    assert len(result.stderr.splitlines()) == 1

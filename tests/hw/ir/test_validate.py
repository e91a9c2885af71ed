import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hw.errors import InputError
from hw.ir.clip import Clip
from hw.ir.format import Format
from hw.ir.graph import (
    Add,
    AvgPool,
    Concat,
    Conv,
    GlobalPool,
    Graph,
    Input,
    Linear,
    MaxPool,
    Select,
)
from hw.ir.parameters import Arithmetic
from hw.ir.validate import validate
from hw.networks.random_network import random_network

INPUT = Input(name="input", inputs=(), shape=(5, 4, 2))
CONV = Conv(name="conv", inputs=("input",), shape=(5, 4, 4), kernel=(3, 3), padding=(1, 1))
DEPTHWISE = Conv(
    name="dw", inputs=("conv",), shape=(3, 2, 4), kernel=(3, 3), padding=(1, 1), stride=(2, 2),
    groups=4, relu_in=True, batch_norm=False,
)  # fmt: skip
POOL = GlobalPool(name="pool", inputs=("dw",), shape=(1, 1, 4))
LINEAR = Linear(name="linear", inputs=("pool",), shape=(1, 1, 3))
NODES = (INPUT, CONV, DEPTHWISE, POOL, LINEAR)


@pytest.fixture(scope="module")
def network():
    return random_network(Graph(NODES), seed=0)


def refused(network, pattern, folder=None):
    with pytest.raises(InputError, match=pattern) as error:
        validate(network, folder)
    assert "\n" not in str(error.value)


def test_valid(network):
    validate(network)


def test_message_names_the_folder(network):
    broken = dataclasses.replace(network, arithmetic=Arithmetic(weight_bits=4))
    refused(broken, r"^nets/a/network\.json: arithmetic: weight_bits: 4", Path("nets/a"))


def edited(node, **changes):
    return dataclasses.replace(node, **changes)


@pytest.mark.parametrize(
    ("nodes", "pattern"),
    [
        ((), "first node must be an Input"),
        ((CONV,), "first node must be an Input"),
        ((INPUT, edited(INPUT, name="b")), "b: only the first node"),
        ((INPUT, edited(CONV, name="a b")), "name 'a b'"),
        ((INPUT, edited(CONV, name="a//b")), "name 'a//b'"),
        ((INPUT, CONV, CONV), "conv: the name is used twice"),
        ((INPUT, CONV, edited(DEPTHWISE, name="conv/x")), "conv/x: lies inside conv"),
        ((INPUT, edited(CONV, inputs=("dw",)), DEPTHWISE), "'dw' is not the name of an earlier"),
        ((INPUT, edited(CONV, inputs=("conv",))), "'conv' is not the name of an earlier"),
        ((INPUT, edited(CONV, inputs=())), "conv: inputs: 0 tensors; a Conv reads 1"),
        ((INPUT, edited(CONV, inputs=("input",) * 2)), "2 tensors; a Conv reads 1"),
        ((INPUT, Add(name="s", inputs=("input",), shape=(5, 4, 2))), "an? Add reads 2 or more"),
        ((edited(INPUT, inputs=("input",)),), "'input' is not the name of an earlier"),
        ((INPUT, edited(CONV, shape=(5, 4, 0))), r"conv: shape: \[5, 4, 0\]; expected three"),
        ((INPUT, edited(CONV, shape=(4, 4, 4))), r"\[4, 4, 4\]; its inputs make \[5, 4, 4\]"),
        ((INPUT, edited(CONV, kernel=(0, 3))), r"conv: kernel: \[0, 3\]; expected two integers 1"),
        ((INPUT, edited(CONV, stride=(1, 0))), "conv: stride"),
        ((INPUT, edited(CONV, padding=(-1, 0))), "conv: padding"),
        ((INPUT, edited(CONV, dilation=(0, 1))), "conv: dilation"),
        ((INPUT, edited(CONV, groups=0)), "conv: groups: 0; expected an integer 1 or more"),
        ((INPUT, edited(CONV, groups=4)), "groups: 4 must divide 2 channels in and 4 out"),
        (
            (INPUT, MaxPool(name="p", inputs=("input",), shape=(7, 6, 2), padding=(2, 2))),
            r"p: padding: \[2, 2\]; a pool's must be at most half",
        ),
        (
            (INPUT, AvgPool(name="p", inputs=("input",), shape=(5, 4, 3))),
            r"p: shape: \[5, 4, 3\]; its inputs make \[5, 4, 2\]",
        ),
        (
            (INPUT, CONV, Add(name="s", inputs=("conv", "input"), shape=(5, 4, 4))),
            r"s: inputs: shapes \[\[5, 4, 4\], \[5, 4, 2\]\] do not go together",
        ),
        (
            (INPUT, CONV, Concat(name="s", inputs=("conv", "input"), shape=(5, 4, 5))),
            r"s: shape: \[5, 4, 5\]; its inputs make \[5, 4, 6\]",
        ),
        ((INPUT, CONV, edited(LINEAR, inputs=("conv",))), r"a Linear reads \[1, 1, C\]"),
        (
            (*NODES, Add(name="s", inputs=("linear",) * 2, shape=(1, 1, 3))),
            "linear: a Linear must be the last node",
        ),
        ((INPUT, CONV, edited(DEPTHWISE, name="b"), DEPTHWISE), "b: is never read"),
    ],
)
def test_graph(network, nodes, pattern):
    refused(dataclasses.replace(network, graph=Graph(nodes)), pattern)


@pytest.mark.parametrize(
    ("settings", "pattern"),
    [
        ({"weight_bits": 7}, "weight_bits: 7; expected 5 or 6"),
        ({"guard": -1}, "guard: -1; expected null"),
        ({"guard": 33}, "guard: 33; expected null"),
        ({"rounding": "even"}, "rounding: 'even'; expected half_up or floor"),
        ({"scale_terms": 5}, "scale_terms: 5; expected an integer 1 to 4"),
    ],
)
def test_arithmetic(network, settings, pattern):
    refused(dataclasses.replace(network, arithmetic=Arithmetic(**settings)), pattern)


@pytest.mark.parametrize(
    ("name", "value", "pattern"),
    [
        ("conv", None, "formats: conv: is missing"),
        ("linear", Format(True, 8, 4), "formats: linear: names no tensor that has a format"),
        ("conv", Format(True, 1, 4), "formats: conv: width: 1; expected an integer 2 to 32"),
        ("conv", Format(True, 33, 4), "formats: conv: width: 33"),
        ("conv", Format(True, 8, 300), "formats: conv: frac: 300"),
        ("input", Format(True, 8, 8), r"formats: input: s8\.8; an image's format is u8\.8"),
        ("pool", Format(True, 9, 4), "formats: pool: s9.4; a GlobalPool keeps its input's format"),
    ],
)
def test_formats(network, name, value, pattern):
    formats = {**network.formats, name: value}
    if value is None:
        del formats[name]
    refused(dataclasses.replace(network, formats=formats), pattern)


def filled(network, name, key, index, value):
    array = getattr(network.params[name], key).copy()
    array[index] = value
    return {key: array}


@pytest.mark.parametrize(
    ("name", "changes", "pattern"),
    [
        ("conv", lambda n: filled(n, "conv", "codes", 0, 32), "conv/codes: holds a value that is"),
        ("conv", lambda n: filled(n, "conv", "codes", 0, 16), "conv/codes: holds a value that is"),
        (
            "conv",
            lambda n: {"codes": n.params["conv"].codes[:, :1]},
            r"conv/codes: uint8 of shape \[4, 1, 3, 3\]; expected uint8 of \[4, 2, 3, 3\]",
        ),
        (
            "conv",
            lambda n: {"codes": n.params["conv"].codes.astype(np.int16)},
            r"conv/codes: int16 of shape",
        ),
        ("conv", lambda n: filled(n, "conv", "scale_sign", (0, 0), 2), "value other than -1, 0"),
        ("conv", lambda n: filled(n, "conv", "scale_sign", 0, 0), "and 0 where scale_sign"),
        ("conv", lambda n: filled(n, "conv", "scale_exp", (0, 0), 300), "expected -256 to 256"),
        (
            "conv",
            lambda n: {"scale_sign": np.array([[0, 1, 0]] * 4, np.int8),
                       "scale_exp": np.zeros((4, 3), np.int16)},
            "unused terms must come last",
        ),
        (
            "conv",
            lambda n: {"scale_sign": np.ones((4, 4), np.int8)},
            r"conv/scale_sign: shape \[4, 4\]; expected \[channels, 1 to 3 terms\]",
        ),
        ("conv", lambda n: {"bias": (0,) * 3}, "conv/bias: 3 values; expected 4"),
        ("conv", lambda n: {"bias": (1 << 600, 0, 0, 0)}, "conv/bias: a value has more than 512"),
        ("dw", lambda n: {"bias": (1, 0, 0, 0)}, "without batch norm and bias has none"),
        ("dw", lambda n: filled(n, "dw", "scale_exp", (0, 0), 1), "without batch norm the scale"),
        (
            "linear",
            lambda n: {"scale_sign": np.zeros((3, 1), np.int8)},
            r"linear/scale_sign: int8 of shape \[3, 1\]; expected int8 of \[3, 0\]",
        ),
    ],
)  # fmt: skip
def test_params(network, name, changes, pattern):
    params = dataclasses.replace(network.params[name], **changes(network))
    broken = dataclasses.replace(network, params={**network.params, name: params})
    refused(broken, r"weights\.npz: .*" + pattern)


def test_params_of_the_wrong_nodes(network):
    params = {k: v for k, v in network.params.items() if k != "dw"}
    refused(dataclasses.replace(network, params=params), "dw/codes: is missing")
    params = {**network.params, "pool": network.params["dw"]}
    refused(dataclasses.replace(network, params=params), "pool/codes: belongs to no node")


# Clips and biases ------------------------------------------------------------------------------

CLIPPED = edited(CONV, clip=Clip.RELU6)
BIASED = edited(DEPTHWISE, bias=True)


@pytest.fixture(scope="module")
def clipped():
    return random_network(Graph((INPUT, CLIPPED, BIASED, POOL, LINEAR)), seed=0)


def test_clips_and_biases_are_valid(clipped):
    validate(clipped)
    assert not clipped.formats["conv"].signed and any(clipped.params["dw"].bias)


@pytest.mark.parametrize(
    ("name", "fmt", "pattern"),
    [
        ("conv", Format(True, 8, 3), r"conv: s8.3; a tensor clipped by relu6 has u8.3<=48"),
        ("conv", Format(False, 8, 3), r"conv: u8.3; a tensor clipped by relu6 has u8.3<=48"),
        ("conv", Format(False, 8, 7, 128), r"conv: u8.7<=128; a tensor clipped by relu6 has u8.7"),
        ("conv", Format(False, 8, -6, 0), r"conv: limit: 0; expected an integer 1 to 254"),
        ("conv", Format(False, 8, 3, True), r"conv: limit: True; expected an integer"),
        ("dw", Format(False, 8, 3, 48), r"dw: u8.3<=48; a tensor clipped by nothing has u8.3"),
        ("pool", Format(False, 8, 3, 48), r"pool: u8.3<=48; a GlobalPool keeps its input's format"),
    ],
)
def test_formats_of_clipped_tensors(clipped, name, fmt, pattern):
    formats = {**clipped.formats, name: fmt}
    if name == "dw":
        formats["pool"] = fmt
    refused(dataclasses.replace(clipped, formats=formats), pattern)


def test_a_bias_beside_a_batch_norm(clipped):
    nodes = (INPUT, edited(CLIPPED, bias=True), BIASED, POOL, LINEAR)
    refused(dataclasses.replace(clipped, graph=Graph(nodes)), "conv: bias: with a batch norm")


# Padding that differs by side --------------------------------------------------------------------

WIDE = MaxPool(name="max", inputs=("conv",), shape=(3, 2, 4), kernel=(2, 2), stride=(2, 2),
               padding=(0, 0), padding_end=(1, 0))  # fmt: skip


@pytest.mark.parametrize(
    ("node", "pattern"),
    [
        (edited(WIDE, padding_end=(2, 0)), r"max: padding_end: \[2, 0\]; a pool's must be smaller"),
        (edited(WIDE, padding_end=(0, 0)), r"max: shape: \[3, 2, 4\]; its inputs make \[2, 2, 4\]"),
        (
            edited(WIDE, padding_end=(-1, 0)),
            r"max: padding_end: \[-1, 0\]; expected two integers 0",
        ),
    ],
)
def test_padding_at_the_end(node, pattern):
    nodes = (INPUT, CONV, WIDE, edited(POOL, inputs=("max",)), LINEAR)
    network = random_network(Graph(nodes), seed=0)
    validate(network)
    broken = Graph(tuple(node if one is WIDE else one for one in nodes))
    refused(dataclasses.replace(network, graph=broken), pattern)


@pytest.mark.parametrize("channels", [(), (4,), (-1, 0), (True, 0)])
def test_channels_that_there_are_not(channels):
    select = Select(name="x", inputs=("conv",), shape=(5, 4, 2), channels=(3, 0))
    nodes = (INPUT, CONV, select, edited(POOL, inputs=("x",), shape=(1, 1, 2)), LINEAR)
    network = random_network(Graph(nodes), seed=0)
    broken = Graph(tuple(edited(n, channels=channels) if n is select else n for n in nodes))
    refused(dataclasses.replace(network, graph=broken), "x: channels: expected one or more")

import subprocess
import sys

import numpy as np
import pytest

from hw.errors import CheckFailed, InputError
from hw.ir import reference
from hw.ir.arithmetic import accumulation, requantisation
from hw.ir.format import Format
from hw.ir.graph import Add, AvgPool, Concat, Conv, GlobalPool, Graph, Input, Linear, MaxPool
from hw.ir.parameters import Arithmetic, Rounding
from hw.ir.validate import validate
from hw.ir.weights import decode
from hw.networks import genotypes, random_network
from hw.networks.cells import build
from hw.networks.exponents import of_network, together


def graph(channels=2, cells=3, image=(12, 10, 3), name="DARTS_V2"):
    return build(genotypes.get(name), channels=channels, cells=cells, image=image, classes=10)


def make(channels=2, **settings):
    return random_network.random_network(graph(channels), **{"seed": 0, **settings})


def test_same_seed_same_network():
    assert make().digest == make().digest
    assert make().digest != make(seed=1).digest


def test_is_pruned_and_valid():
    network = make()
    validate(network)
    assert network.graph == graph().pruned()
    assert network.meta["random_seed"] == 0


@pytest.mark.parametrize("name", genotypes.published())
def test_every_genotype(name):
    network = random_network.random_network(graph(name=name), seed=0)
    image = np.zeros((1, 12, 10, 3), np.uint8)
    assert reference.logits(network, image).shape == (1, 10)


@pytest.mark.parametrize("act_bits", [2, 3, 4, 6, 8, 16, 24, 32])
def test_formats_suit_the_tensors(act_bits):
    """At least half of the range in use and less than 5 % saturated, where a format is chosen."""
    network = make(act_bits=act_bits)
    images = random_network.calibration_images(np.random.default_rng(0), network.graph.input.shape)
    tensors = reference.run(network, images)
    for node in network.graph:
        if isinstance(node, Input | Linear | MaxPool | AvgPool | GlobalPool):
            continue
        target, codes = network.formats[node.name], tensors[node.name]
        assert target.width == act_bits and target.signed
        assert max(codes.max() / target.qmax, codes.min() / target.qmin) >= 0.5
        ends = np.mean((codes == target.qmax) | (codes == target.qmin))
        assert ends < 0.05 or act_bits < 6  # few bits: the ends are a large share of all codes


def test_pools_keep_their_input_format():
    network = make()
    for node in network.graph:
        if isinstance(node, MaxPool | AvgPool | GlobalPool):
            assert network.formats[node.name] == network.formats[node.inputs[0]]


def test_settings_reach_the_network():
    network = make(act_bits=6, scale_terms=2, guard=4, weight_bits=6)
    assert network.arithmetic.guard == 4
    assert network.arithmetic.scale_terms == 2
    assert network.arithmetic.weight_bits == 6
    terms = {p.scale_sign.shape[1] for p in network.params.values()}
    assert terms == {0, 1, 2}


def test_paper_mode():
    network = make(paper=True)
    arithmetic = network.arithmetic
    assert (arithmetic.weight_bits, arithmetic.guard, arithmetic.rounding) == (6, 0, Rounding.FLOOR)
    formats = {f for name, f in network.formats.items() if name != "input"}
    assert Format(True, 32, 16) in formats and len(formats) == 1
    name = "cell0/preprocess0"
    assert accumulation(network, name).frac == 16
    assert requantisation(network, name).rounding == 0
    images = np.random.default_rng(0).integers(0, 256, (1, 12, 10, 3)).astype(np.uint8)
    assert len(np.unique(reference.run(network, images, [name])[name])) > 50


def test_weights_are_spread():
    network = make()
    sign, power = decode(np.concatenate([p.codes.ravel() for p in network.params.values()]), 5)
    assert 0.2 < np.mean(sign == 0) < 0.3
    assert 0.4 < np.mean(sign[sign != 0] > 0) < 0.6
    assert len(np.unique(power[sign != 0])) >= 8


def test_images_are_full_range():
    images = random_network.calibration_images(np.random.default_rng(0), (28, 28, 1))
    assert images.dtype == np.uint8 and images.shape[1:] == (28, 28, 1)
    assert (images.min(), images.max()) == (0, 255)


@pytest.mark.parametrize("image", [(1, 1, 1), (2, 3, 1)])
def test_smallest_images(image):
    network = random_network.random_network(graph(image=image), seed=0)
    validate(network)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"act_bits": 1}, "act_bits: 1; expected an integer 2 to 32"),
        ({"act_bits": 33}, "act_bits: 33"),
        ({"scale_terms": 5}, "scale_terms: 5; expected an integer 1 to 4"),
        ({"guard": -1}, "guard: -1"),
        ({"weight_bits": 4}, "weight_bits: 4"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(InputError, match=message):
        make(**settings)


def test_unsuitable_format_fails(monkeypatch):
    """A choice of format that wastes or cuts off the range does not pass unseen."""
    for wrong, problem in ((-3, "range used"), (4, "saturated")):
        monkeypatch.setattr(
            random_network._Maker,
            "choose",
            lambda self, name, values, wrong=wrong: Format(
                True, 8, random_network.choose_frac(values, 8, True) + wrong
            ),
        )
        with pytest.raises(CheckFailed, match=rf"stem/conv: .*{problem}"):
            make()


def test_join_of_one_input_twice():
    nodes = (
        Input(name="input", inputs=(), shape=(4, 4, 1)),
        Conv(name="conv", inputs=("input",), shape=(4, 4, 2)),
        Add(name="node2", inputs=("conv", "conv"), shape=(4, 4, 2)),
        Concat(name="concat", inputs=("node2",), shape=(4, 4, 2)),
    )
    validate(random_network.random_network(Graph(nodes), seed=0))


def test_works_without_torch():
    code = "import sys, hw.networks.random_network; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_formats_of_another_network():
    """Other weights, the same formats: what hardware with loadable weights needs."""
    one = make()
    given = one.formats_for(graph().pruned(), one.arithmetic)
    other = make(seed=1, formats=given)
    assert make(seed=1).formats != one.formats
    assert other.formats == one.formats and other.digest != one.digest
    with pytest.raises(InputError, match="--formats: the network has another graph"):
        one.formats_for(graph(channels=1), one.arithmetic)
    with pytest.raises(InputError, match="--formats: the network has another arithmetic"):
        one.formats_for(one.graph, Arithmetic(guard=2))


def test_share_of_zeros():
    half, none = (together(of_network(make(channels=6, zeros=z)).values()) for z in (0.5, 0))
    assert abs(half.zero_share - 0.5) < 0.05
    assert none.zeros == 0
    assert make(zeros=0.25).digest == make().digest


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_share_of_zeros_out_of_range(share):
    with pytest.raises(InputError, match=f"^zeros: {share}; expected a share of 0 to less than 1$"):
        make(zeros=share)

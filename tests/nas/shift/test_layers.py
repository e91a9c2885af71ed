"""The kinds of weights behind one face, and the layers that use them."""

import copy
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from nas.optimise import ShiftOptimiser, StepSettings
from nas.shift import (
    Conv1d,
    Conv2d,
    Layer,
    Linear,
    RealWeight,
    ShiftSettings,
    ShiftWeight,
    advance_weights,
    make_weight,
)


@pytest.mark.parametrize("domain", ["shift", "real"])
def test_layers_compute_with_their_weights(domain):
    conv = Conv2d(2, 3, (3, 3), padding=(1, 1), domain=domain, bias=False)
    x = torch.randn(1, 2, 5, 5)
    expected = torch.nn.functional.conv2d(x, conv.weight().detach(), padding=1)
    assert torch.equal(conv(x), expected)
    linear = Linear(4, 2, domain=domain)
    y = torch.randn(3, 4)
    assert torch.equal(linear(y), y @ linear.weight().T + linear.bias)
    assert isinstance(linear.weight, RealWeight) == (domain == "real")


@pytest.mark.parametrize("layer", Layer)
@pytest.mark.parametrize("init", ["kaiming", "uniform"])
def test_every_kind_ends_in_the_powers_of_two_that_it_says(layer, init):
    torch.manual_seed(0)
    settings = ShiftSettings(layer=layer, init=init, max_shift=6)
    weight = make_weight((8, 5, 3), settings, fan_in=10)
    assert isinstance(weight, ShiftWeight)
    advance_weights(weight, 1.0)
    w, (sign, power) = weight().detach(), weight.to_int()
    assert torch.equal(w, sign * torch.exp2(power.float()))
    assert set(w.abs().unique().tolist()) <= {0.0, *(2.0**-p for p in range(7))}
    assert w.unique().numel() > 5


@pytest.mark.parametrize("layer", Layer)
def test_first_values_have_the_spread_of_a_kaiming_draw(layer):
    torch.manual_seed(0)
    w = make_weight((64, 16, 3, 3), ShiftSettings(layer=layer))().detach()
    # Rounding the exponent spreads a power-of-two weight by a few per cent.
    assert float(w.std()) == pytest.approx(math.sqrt(2 / 144), rel=0.1)


@pytest.mark.parametrize("layer", Layer)
def test_a_fan_in_of_its_own(layer):
    torch.manual_seed(0)
    w = make_weight((8, 16, 4, 3, 3), ShiftSettings(layer=layer), fan_in=36)().detach()
    assert float(w.std()) == pytest.approx(math.sqrt(2 / 36), rel=0.1)
    real = make_weight((8, 16, 4, 3, 3), ShiftSettings(), fan_in=36, domain="real")().detach()
    assert float(real.std()) == pytest.approx(math.sqrt(2 / 36), rel=0.1)


@pytest.mark.parametrize("layer", ["q", "inq"])
def test_uniform_first_values_are_those_of_p_and_s(layer):
    weights = []
    for kind in ("ps", layer):
        torch.manual_seed(0)
        weights.append(make_weight((9, 9), ShiftSettings(layer=kind, init="uniform")))
    ps, other = weights
    assert torch.equal(other.value == 0, ps() == 0)
    powers = other.value.detach().abs().log2()
    torch.testing.assert_close(powers[ps() != 0], ps.power.detach()[ps() != 0])


LAYERS = [
    (Conv1d, nn.Conv1d, (4, 6, 3), {"padding": 1, "groups": 2}, (2, 4, 9)),
    (Conv1d, nn.Conv1d, (4, 6, 3), {"padding": "same", "padding_mode": "circular"}, (2, 4, 9)),
    (Conv2d, nn.Conv2d, (4, 6, 3), {"stride": 2, "dilation": 2, "bias": False}, (2, 4, 9, 9)),
    (Conv2d, nn.Conv2d, (4, 4, (1, 3), (2, 1), (0, 1)), {"groups": 4}, (2, 4, 9, 8)),
    (Conv2d, nn.Conv2d, (4, 6, 3), {"padding": 1, "padding_mode": "reflect"}, (2, 4, 9, 9)),
    (Linear, nn.Linear, (4, 6), {}, (2, 5, 4)),
    (Linear, nn.Linear, (4, 6), {"bias": False, "dtype": torch.float64}, (2, 4)),
]


@pytest.mark.parametrize(("ours", "theirs", "arguments", "options", "shape"), LAYERS)
def test_arguments_mean_what_torchs_mean(ours, theirs, arguments, options, shape):
    layer, plain = ours(*arguments, **options), theirs(*arguments, **options)
    dtype = options.get("dtype", torch.float32)
    with torch.no_grad():
        plain.weight.copy_(layer.weight())
        if plain.bias is not None:
            layer.bias.copy_(plain.bias)
    x = torch.randn(shape, dtype=dtype)
    assert torch.equal(layer(x), plain(x))
    assert layer.weight().dtype == dtype
    assert layer.extra_repr() == plain.extra_repr()
    before = layer.weight().detach()
    layer.reset_parameters()
    assert not torch.equal(layer.weight(), before)
    assert layer.bias is None or not layer.bias.any()


@pytest.mark.parametrize("kind", Layer)
def test_a_state_dict_makes_another_layer_the_same(kind):
    settings = ShiftSettings(layer=kind)
    one, two = (Conv2d(2, 3, 3, settings=settings) for _ in range(2))
    advance_weights(one, 0.5)
    assert not torch.equal(one.weight(), two.weight())
    two.load_state_dict(one.state_dict())
    assert torch.equal(one.weight(), two.weight())
    assert {name.partition(".")[0] for name in one.state_dict()} == {"weight", "bias"}


@pytest.mark.parametrize("kind", Layer)
def test_a_deep_copy_is_the_same_and_apart(kind):
    net = nn.Sequential(Conv2d(2, 3, 3, settings=ShiftSettings(layer=kind)))
    ShiftOptimiser(net, 0.1, StepSettings(0.0), ShiftSettings())  # lays the parameters end to end
    other = copy.deepcopy(net)
    x = torch.randn(1, 2, 5, 5)
    assert torch.equal(net(x), other(x))
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.neg_()
    assert not torch.equal(net(x), other(x))


# torch.compile itself makes an instance of an autograd function.
@pytest.mark.filterwarnings("ignore:.*autograd.function.Function.*:DeprecationWarning")
@pytest.mark.parametrize("kind", Layer)
def test_compiled_it_computes_and_learns_the_same(kind):
    torch.manual_seed(0)
    settings = ShiftSettings(layer=kind)
    net = nn.Sequential(
        Conv2d(2, 3, 3, settings=settings), nn.Flatten(), Linear(27, 2, settings=settings)
    )
    x = torch.randn(4, 2, 5, 5)
    gradients = []
    for forward in (net, torch.compile(net, backend="aot_eager", fullgraph=True)):
        net.zero_grad()
        y = forward(x)
        y.square().sum().backward()
        gradients.append([y.detach(), *(parameter.grad.clone() for parameter in net.parameters())])
    for plain, compiled in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, compiled)


ROOT = Path(__file__).parents[3]

STRIDED = """
import torch
from nas import shift
torch.set_num_threads(1)
for channels in (2, 3, 4, 5, 8):
    layer = shift.Conv2d(channels, 8, 1, 2, domain="real")
    for _ in range(60):
        x = torch.randn(32, channels, 8, 8).contiguous(memory_format=torch.channels_last)
        x.requires_grad_()
        expected = torch.einsum("nchw,oc->nohw", x[:, :, ::2, ::2], layer.weight()[:, :, 0, 0])
        out = layer(x) - layer.bias[:, None, None]
        torch.testing.assert_close(out, expected)
        out.backward(torch.randn_like(out))
        kept = [torch.empty(size) for size in range(1, 200)]
"""


def test_strided_convolutions_of_single_pixels_stay_in_their_memory():
    """In a process of its own, whose allocator looks: torch's own end it, see `Conv2d`."""
    done = subprocess.run(
        [sys.executable, "-c", STRIDED],
        env={**os.environ, "MALLOC_CHECK_": "3"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr

"""One operation on several edges equals the operation on each."""

import pytest
import torch
from torch import nn

from hw.ir.graph import AvgPool, Conv, FactorizedReduce, MaxPool
from hw.networks.space import Site, operation_nodes, strided
from nas.model import make_unit
from nas.shift import ShiftSettings
from nas.wide_operation import WideConv, WideOperation, mixing_norm, spread


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    "operation",
    ["sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5", "conv_7x1_1x7"],
)
def test_equals_separate_edges(operation, stride):
    torch.manual_seed(0)
    edges, channels, settings = 3, 4, ShiftSettings(init="uniform")
    nodes = operation_nodes(operation, "edge", "state", (7, 6, channels), channels, stride)
    wide = WideOperation(nodes, edges, channels, settings).double()
    x = torch.randn(5, channels, 7, 6, dtype=torch.float64)
    coefficients = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    blocks = wide(x, coefficients).chunk(edges, 1)
    for edge, block in enumerate(blocks):
        y = x
        for node, step in zip(nodes, wide.steps, strict=True):
            unit = make_unit(node, channels, domain="shift", settings=settings, affine=False)
            unit.conv.weight.power.data = step.weight.power.data[edge]
            unit.conv.weight.sign.data = step.weight.sign.data[edge]
            y = unit.double()(y.relu() if node.relu_in else y)
        torch.testing.assert_close(block, y * coefficients[edge])


def test_stride_2_skip_equals_separate_edges():
    settings = ShiftSettings()
    nodes = operation_nodes("skip_connect", "edge", "state", (7, 6, 4), 4, 2)
    wide = WideOperation(nodes, 2, 4, settings)
    x = torch.randn(3, 4, 7, 6)
    unit = make_unit(nodes[0], 4, domain="shift", settings=settings, affine=False)
    unit.conv.weight.power.data = wide.steps[0].weight.power.data[1]
    unit.conv.weight.sign.data = wide.steps[0].weight.sign.data[1]
    torch.testing.assert_close(
        wide(x, torch.tensor([1.0, 0.3])).chunk(2, 1)[1], 0.3 * unit(x.relu())
    )


def site(shape, stride=1):
    return Site("edge", "state", shape, shape[2], stride)


def conv(site, name, source, shape, **settings):
    kernel = settings.get("kernel", (1, 1))
    settings.setdefault("padding", (kernel[0] // 2, kernel[1] // 2))
    return Conv(name=f"{site.name}/{name}", inputs=(source,), shape=shape, **settings)


def depthwise(site, name, source, shape, **more):
    settings = {"kernel": (3, 3), "groups": shape[2], "relu_in": True, **more}
    return conv(site, name, source, shape, **settings)


def pool(site, name, source, shape, kind=MaxPool, stride=1):
    return kind(name=f"{site.name}/{name}", inputs=(source,), shape=shape, stride=(stride, stride))


def chains(site):
    """Operations that the paper's search has not, as lists of nodes."""
    shape = strided(site.shape, site.channels, site.stride)
    wide, s = (*shape[:2], 2 * site.channels), site.stride
    at = f"{site.name}/a"
    strides = {"stride": (s, s)}
    yield [depthwise(site, "a", "state", shape, **strides)]
    yield [depthwise(site, "a", "state", shape, batch_norm=False, **strides)]
    yield [
        depthwise(site, "a", "state", shape, **strides),
        pool(site, "b", at, shape),
        depthwise(site, "c", f"{site.name}/b", shape),
    ]
    yield [
        pool(site, "a", "state", shape, AvgPool, s),
        conv(site, "b", at, shape, kernel=(3, 3), relu_in=True),
    ]
    yield [
        conv(site, "a", "state", wide, kernel=(3, 3), relu_in=True, **strides),
        pool(site, "b", at, wide, AvgPool),
        conv(site, "c", f"{site.name}/b", shape, batch_norm=False),
    ]
    yield [
        conv(site, "a", "state", wide, relu_in=True, **strides),
        pool(site, "b", at, wide),
        conv(site, "c", f"{site.name}/b", shape, groups=2, relu_in=True),
        pool(site, "d", f"{site.name}/c", shape, AvgPool),
    ]
    yield [conv(site, "a", "state", shape, groups=2, relu_in=True, kernel=(3, 3), **strides)]
    yield [
        depthwise(site, "a", "state", shape, **strides),
        conv(site, "b", at, wide, groups=site.channels, kernel=(3, 3), relu_in=True),
        conv(site, "c", f"{site.name}/b", shape),
    ]
    yield [pool(site, "a", "state", shape, AvgPool, s), pool(site, "b", at, shape)]
    yield [
        conv(
            site, "a", "state", shape, kernel=(2, 2), padding=(0, 0), padding_end=(1, 1), **strides
        )
    ]
    half = strided(shape, 6, 2)
    yield [
        depthwise(site, "a", "state", shape, **strides),
        FactorizedReduce(name="edge/b", inputs=(at,), shape=half),
        FactorizedReduce(name="edge/c", inputs=("edge/b",), shape=strided(half, 4, 2)),
    ]


def separately(nodes, wide, edge, x):
    """What the nodes make of `x` one by one, with the weights of one edge."""
    channels = x.shape[1]
    for node, step in zip(nodes, wide.steps, strict=True):
        unit = make_unit(node, channels, domain="real", settings=ShiftSettings(), affine=False)
        if isinstance(step, WideConv):
            unit.conv.weight.assign(step.weight()[edge])
            if step.norm is None:
                unit.norm = nn.Identity()
            elif isinstance(unit.norm, nn.Identity):
                unit.norm = mixing_norm(node.shape[2])
        elif step.norm is not None:
            unit.norm = mixing_norm(node.shape[2])
        relu = getattr(node, "relu_in", False)
        x, channels = unit.double()(x.relu() if relu else x), node.shape[2]
    return x


@pytest.mark.parametrize("chosen", [None, [0, 2]], ids=["all", "some"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("number", range(11))
def test_any_chain_of_nodes_equals_separate_edges(number, stride, chosen):
    torch.manual_seed(number)
    nodes = list(chains(site((8, 6, 4), stride)))[number]
    wide = WideOperation(nodes, 3, 4, ShiftSettings(), "real").double()
    x = torch.randn(5, 4, 8, 6, dtype=torch.float64)
    edges = [0, 1, 2] if chosen is None else chosen
    coefficients = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)[edges]
    blocks = wide(x, coefficients, chosen).chunk(len(edges), 1)
    for block, edge, coefficient in zip(blocks, edges, coefficients, strict=True):
        expected = separately(nodes, wide, edge, x)
        assert expected.abs().max() > 0.1
        torch.testing.assert_close(block, expected * coefficient)


def test_operations_without_weights_run_once_for_all_edges():
    pool = WideOperation(operation_nodes("max_pool_3x3", "e", "s", (6, 6, 4), 4, 1), 3, 4, None)
    skip = WideOperation(operation_nodes("skip_connect", "e", "s", (6, 6, 4), 4, 1), 3, 4, None)
    x = torch.randn(2, 4, 6, 6)
    c = torch.tensor([0.5, 2.0, -1.0])
    assert pool.shared and skip.shared
    assert torch.equal(skip(x, c), torch.cat([x * k for k in c], 1))
    one = pool(x, torch.ones(1))
    assert torch.equal(pool(x, c), torch.cat([one * k for k in c], 1))


def test_spread_multiplies_copies():
    x, c = torch.randn(2, 3, 4, 5), torch.tensor([0.5, 2.0])
    assert torch.equal(spread(x, c), torch.cat((x * 0.5, x * 2.0), 1))

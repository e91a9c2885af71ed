"""One operation on several edges equals the operation on each."""

import pytest
import torch

from hw.networks.space import operation_nodes
from nas.model import make_unit
from nas.shift import ShiftSettings
from nas.wide_operation import WideOperation, spread


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

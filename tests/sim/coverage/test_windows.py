"""What windows are called, and where they reach into the padding."""

import pytest
from coverage_cases import made

from hw.ir.graph import AvgPool, Conv, FactorizedReduce, Linear, MaxPool
from sim.coverage.nodes import sides
from sim.coverage.windows import sides_of, window_of

EVERYWHERE = ("top", "bottom", "left", "right", "inside")


def conv(kernel, padding, dilation=(1, 1)):
    return Conv(name="n", inputs=("s",), shape=(8, 8, 4), kernel=kernel, padding=padding,
                dilation=dilation)  # fmt: skip


def pool(kind, side):
    at = side // 2
    return kind(name="n", inputs=("s",), shape=(8, 8, 4), kernel=(side, side), padding=(at, at))


@pytest.mark.parametrize(
    ("node", "name", "expected"),
    [
        (conv((3, 3), (1, 1)), "3x3", EVERYWHERE),
        (conv((5, 5), (4, 4), (2, 2)), "5x5 dilation 2", EVERYWHERE),
        (conv((3, 5), (1, 4), (1, 2)), "3x5 dilation 1x2", EVERYWHERE),
        (conv((1, 7), (0, 3)), "1x7", ("left", "right", "inside")),
        (conv((7, 1), (3, 0)), "7x1", ("top", "bottom", "inside")),
        (pool(MaxPool, 3), "max pool 3x3", EVERYWHERE),
        (pool(AvgPool, 9), "average pool 9x9", EVERYWHERE),
        (
            FactorizedReduce(name="n", inputs=("s",), shape=(4, 4, 4)),
            "factorized reduce",
            ("bottom", "right", "inside"),
        ),
    ],
)
def test_windows(node, name, expected):
    assert window_of(node) == name
    assert sides_of(node) == expected


def test_a_single_pixel_is_no_window():
    assert window_of(conv((1, 1), (0, 0))) is None
    assert window_of(Linear(name="n", inputs=("s",), shape=(1, 1, 3))) is None


def test_a_network_reaches_no_other_sides():
    network = made((("conv_7x1_1x7", 0), ("sep_conv_5x5", 1), ("skip_connect", 0),
                    ("avg_pool_3x3", 1)), image=(7, 5, 1))  # fmt: skip
    found = [node for node in network.graph if window_of(node) is not None]
    assert len(found) > 5
    for node in found:
        assert set(sides(network, node)) <= set(sides_of(node))

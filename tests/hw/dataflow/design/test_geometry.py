"""What the window can be laid over."""

import pytest

from hw.dataflow.design.geometry import Geometry
from hw.errors import InputError
from hw.ir.graph import Conv, Graph, Input


def geometry(side, kernel, padding, dilation=1):
    out = side + 2 * padding - dilation * (kernel - 1)
    conv = Conv(
        name="conv", inputs=("input",), shape=(out, 4, 1), kernel=(kernel, 1),
        padding=(padding, 0), dilation=(dilation, 1),
    )  # fmt: skip
    return Geometry.of(Graph((Input(name="input", inputs=(), shape=(side, 4, 1)), conv)), conv)


@pytest.mark.parametrize(
    ("side", "kernel", "padding", "dilation"),
    [(3, 1, 1, 1), (3, 3, 3, 1), (3, 2, 3, 2), (1, 2, 1, 2)],
)
def test_window_beside_the_image_is_refused(side, kernel, padding, dilation):
    """The operand store would give beats back that are still needed, and wait for a next frame."""
    with pytest.raises(InputError, match=rf"conv: padding \[{padding}, 0\]: some window would lie"):
        geometry(side, kernel, padding, dilation)


@pytest.mark.parametrize(
    ("side", "kernel", "padding", "dilation"),
    [(3, 1, 0, 1), (3, 3, 2, 1), (3, 2, 2, 2), (1, 3, 2, 2), (1, 3, 1, 1)],
)
def test_window_that_meets_the_image_is_taken(side, kernel, padding, dilation):
    g = geometry(side, kernel, padding, dilation)
    assert g.padding == (padding, 0) and g.dilation == (dilation, 1)

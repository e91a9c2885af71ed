"""Padding around maps that torch's own operations do not know: sides that differ."""

from torch import Tensor
from torch.nn import functional

from hw.ir.graph import Pair, Windowed


def torch_padding(node: Windowed) -> Pair:
    """What an operation of torch's is told: nothing where `padded` does it."""
    return node.padding if node.is_even else (0, 0)


def padded(x: Tensor, node: Windowed, fill: float = 0.0) -> Tensor:
    """Maps (N, C, H, W) with `fill` around where opposite sides of the node differ."""
    if node.is_even:
        return x
    (top, left), (bottom, right) = node.padding, node.end
    return functional.pad(x, (left, right, top, bottom), value=fill)


def window_sums(x: Tensor, node: Windowed) -> Tensor:
    """Sum over each window's real pixels."""
    return functional.avg_pool2d(
        padded(x, node), node.kernel, node.stride, torch_padding(node), divisor_override=1
    )

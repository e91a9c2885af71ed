"""Windows of convolutions and pools, as the coverage model names them."""

from collections.abc import Iterator

from hw.ir.graph import AvgPool, Conv, FactorizedReduce, MaxPool, Node

_POOLS = {MaxPool: "max pool ", AvgPool: "average pool "}


WINDOWED = {Conv: "convolution", MaxPool: "max pool", AvgPool: "average pool"}

SIDES = ("top", "bottom", "left", "right", "inside")

TRAITS = (
    "rows and columns differ",
    "an even side",
    "strides differ",
    "pixels between windows",
    "more padding at the end",
    "more padding at the start",
)
"""What a window may be like, beside its size."""


def traits_of(node: Conv | MaxPool | AvgPool) -> Iterator[str]:
    """Of `TRAITS`, those that the node's window has."""
    reach = node.kernel
    if isinstance(node, Conv):
        reach = tuple(d * (k - 1) + 1 for d, k in zip(node.dilation, node.kernel, strict=True))
    has = (
        node.kernel[0] != node.kernel[1],
        any(side % 2 == 0 for side in node.kernel),
        node.stride[0] != node.stride[1],
        any(stride > side for stride, side in zip(node.stride, reach, strict=True)),
        any(end > start for start, end in zip(node.padding, node.end, strict=True)),
        any(end < start for start, end in zip(node.padding, node.end, strict=True)),
    )
    yield from (trait for trait, there in zip(TRAITS, has, strict=True) if there)


def window_of(node: Node) -> str | None:
    """What a node's window is called; None where it has none, or one of a single pixel."""
    if isinstance(node, FactorizedReduce):
        return "factorized reduce"
    if not isinstance(node, Conv | MaxPool | AvgPool):
        return None
    name = _POOLS.get(type(node), "") + _pair(node.kernel)
    if isinstance(node, Conv) and node.dilation != (1, 1):
        rows, columns = node.dilation
        name += f" dilation {rows if rows == columns else _pair(node.dilation)}"
    bare = node.padding == node.end == (0, 0)
    return None if node.kernel == (1, 1) and bare else name


def sides_of(node: Node) -> tuple[str, ...]:
    """Where a node's window may reach into the padding, whatever the image; inside: it does not."""
    if isinstance(node, FactorizedReduce):
        return "bottom", "right", "inside"
    assert isinstance(node, Conv | MaxPool | AvgPool)
    (top, left), (bottom, right) = node.padding, node.end
    sizes = {"top": top, "bottom": bottom, "left": left, "right": right}
    return (*(side for side, size in sizes.items() if size), "inside")


def _pair(pair: tuple[int, int]) -> str:
    return "x".join(map(str, pair))

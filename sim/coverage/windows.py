"""Windows of convolutions and pools, as the coverage model names them."""

from hw.ir.graph import AvgPool, Conv, FactorizedReduce, MaxPool, Node

_POOLS = {MaxPool: "max pool ", AvgPool: "average pool "}


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
    return None if node.kernel == (1, 1) and node.padding == (0, 0) else name


def sides_of(node: Node) -> tuple[str, ...]:
    """Where a node's window may reach into the padding, whatever the image; inside: it does not."""
    if isinstance(node, FactorizedReduce):
        return "bottom", "right", "inside"
    assert isinstance(node, Conv | MaxPool | AvgPool)
    rows, columns = node.padding
    return ("top", "bottom") * (rows > 0) + ("left", "right") * (columns > 0) + ("inside",)


def _pair(pair: tuple[int, int]) -> str:
    return "x".join(map(str, pair))

"""One operation on several edges at once.

Edges that leave the same state and hold the same candidate read the same tensor, so their small
convolutions run as one wider one: fewer and larger kernels, each edge keeping its own weights. An
edge's channels are a block of the wide result.

Within an operation the channels of n edges are in one of three orders: all edges still read the
same C channels (SHARED), channel c of all edges, then channel c + 1 (CHANNELS_FIRST, what a
depthwise convolution of shared channels gives), or edge after edge (EDGES_FIRST).
"""

from enum import Enum

import torch
from torch import Tensor, nn
from torch.nn import functional

from hw.ir.graph import AvgPool, Conv, FactorizedReduce, MaxPool, Node
from nas.model import PoolUnit, factorized_kernel, pad_to_even
from nas.norm import BatchNorm2d
from nas.padding import padded, torch_padding
from nas.shift import ShiftSettings, make_weight


def mixing_norm(channels: int) -> BatchNorm2d:
    """Batch norm of a candidate: of the batch alone, since the mixture behind it keeps changing.

    A trainable scale would undo the mixing weights.
    """
    return BatchNorm2d(channels, affine=False, track_running_stats=False)


class Order(Enum):
    """Order of the channels of n edges."""

    SHARED = 0
    CHANNELS_FIRST = 1
    EDGES_FIRST = 2


class WideConv(nn.Module):
    """A Conv or FactorizedReduce node on n edges; weights (n, out, in / groups, height, width).

    Parameters
    ----------
    node, edges, channels: the node, n, the channels that it reads on each edge
    order: in which those of all edges come
    last: nothing follows in the operation, so a batch norm does
    """

    def __init__(
        self,
        node: Conv | FactorizedReduce,
        edges: int,
        channels: int,
        order: Order,
        last: bool,
        settings: ShiftSettings,
        domain: str,
    ):
        super().__init__()
        self.node, self.order = node, order
        self.groups = node.groups if isinstance(node, Conv) else 1
        self.depthwise = self.groups == channels == node.shape[2] and channels > 1
        kernel = node.kernel if isinstance(node, Conv) else (1, 1)
        shape = (edges, node.shape[2], channels // self.groups, *kernel)
        fan_in = channels // self.groups * kernel[0] * kernel[1]
        self.weight = make_weight(shape, settings, fan_in, domain)
        norm = last or isinstance(node, FactorizedReduce) or node.batch_norm
        self.norm = mixing_norm(edges * node.shape[2]) if norm else None

    @property
    def order_out(self) -> Order:
        if not self.depthwise:
            return Order.EDGES_FIRST
        return Order.EDGES_FIRST if self.order is Order.EDGES_FIRST else Order.CHANNELS_FIRST

    def forward(
        self, x: Tensor, scale: Tensor | None = None, members: list[int] | None = None
    ) -> Tensor:
        """`scale` multiplies the normalised result, channel by channel; `members` as below."""
        node, w = self.node, self.weight()
        if members is not None:
            w = w[members]
        if node.relu_in:
            x = functional.relu(x)
        if isinstance(node, FactorizedReduce):
            w = torch.stack([factorized_kernel(edge) for edge in w])
            x = functional.conv2d(pad_to_even(x), self._dense(w), stride=2)
            return self._normalised(x, scale)
        kernel, groups = self._dense, 1
        if self.depthwise:
            kernel, groups = self._by_channel, x.shape[1]
        elif self.groups > 1:
            x = edges_first(x, self.order, len(w))
            kernel, groups = _flat, self.groups * len(w)
        x, padding = padded(x, node), torch_padding(node)
        x = functional.conv2d(x, kernel(w), None, node.stride, padding, node.dilation, groups)
        return self._normalised(x, scale)

    def _normalised(self, x: Tensor, scale: Tensor | None) -> Tensor:
        if self.norm is None:
            assert scale is None
            return x
        return self.norm(x, scale)

    def _by_channel(self, w: Tensor) -> Tensor:
        """The kernel of a depthwise convolution."""
        return _flat(w if self.order is Order.EDGES_FIRST else w.transpose(0, 1))

    def _dense(self, w: Tensor) -> Tensor:
        """The kernel of a convolution of all channels."""
        if self.order is Order.SHARED:
            return _flat(w)
        # Block-diagonal: an edge reads its own channels. One dense convolution beats a grouped one.
        own = torch.eye(len(w), dtype=w.dtype, device=w.device)
        blocks = "eofihw" if self.order is Order.EDGES_FIRST else "eoifhw"
        return torch.einsum(f"eoihw,ef->{blocks}", w, own).flatten(2, 3).flatten(0, 1)


def _flat(w: Tensor) -> Tensor:
    return w.flatten(0, 1)


class WidePool(nn.Module):
    """A MaxPool or AvgPool node on `channels` channels of all edges together."""

    def __init__(self, node: MaxPool | AvgPool, channels: int, last: bool):
        super().__init__()
        self.pool = PoolUnit(node)
        self.norm = mixing_norm(channels) if last else None

    def forward(
        self, x: Tensor, scale: Tensor | None = None, members: list[int] | None = None
    ) -> Tensor:
        """As of a `WideConv`: `scale` where a batch norm follows; the edges are those that come."""
        del members
        x = self.pool(x)
        if self.norm is None:
            assert scale is None
            return x
        return self.norm(x, scale)


class WideOperation(nn.Module):
    """A candidate on the edges of one state: (N, C, H, W) to (N, n·C', H', W'), edge after edge.

    Each edge's block of channels is multiplied by its coefficient.

    Parameters
    ----------
    nodes: a chain, see `hw.networks.space.OPERATIONS`
    edges: n
    channels: C
    """

    def __init__(
        self,
        nodes: list[Node],
        edges: int,
        channels: int,
        settings: ShiftSettings,
        domain: str = "shift",
    ):
        super().__init__()
        self.steps = nn.ModuleList()
        order = Order.SHARED
        for node in nodes:
            last = node is nodes[-1]
            if isinstance(node, MaxPool | AvgPool):
                wide = channels if order is Order.SHARED else edges * channels
                self.steps.append(WidePool(node, wide, last))
                continue
            assert isinstance(node, Conv | FactorizedReduce)
            step = WideConv(node, edges, channels, order, last, settings, domain)
            self.steps.append(step)
            order, channels = step.order_out, node.shape[2]
        self.order, self.channels = order, channels

    @property
    def shared(self) -> bool:
        """No edge has weights of its own: all is computed once."""
        return self.order is Order.SHARED

    def forward(self, x: Tensor, coefficients: Tensor, members: list[int] | None = None) -> Tensor:
        """`coefficients` (n), one an edge; `members`: the n edges computed, None: all."""
        if self.shared:
            for step in self.steps:
                x = step(x)
            return spread(x, coefficients)
        for step in self.steps[:-1]:
            x = step(x, members=members)
        # The last step's batch norm multiplies anyway.
        by_edge = self.order is Order.EDGES_FIRST
        repeated = coefficients.repeat_interleave if by_edge else coefficients.repeat
        x = self.steps[-1](x, repeated(self.channels), members)
        return edges_first(x, self.order, len(coefficients))


def edges_first(x: Tensor, order: Order, edges: int) -> Tensor:
    """`x` (N, channels, H, W), whose channels are in `order`, with those of n edges in order."""
    match order:
        case Order.EDGES_FIRST:
            return x
        case Order.SHARED:
            return x.repeat(1, edges, 1, 1)
        case Order.CHANNELS_FIRST:
            return x.unflatten(1, (-1, edges)).transpose(1, 2).flatten(1, 2)


def spread(x: Tensor, coefficients: Tensor) -> Tensor:
    """A copy of `x` for each of n coefficients, multiplied by it: (N, n·C, H, W)."""
    n, _, height, width = x.shape
    copies = x.permute(0, 2, 3, 1)[..., None, :] * coefficients[:, None]
    return copies.reshape(n, height, width, -1).permute(0, 3, 1, 2)

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
    """A Conv or FactorizedReduce node on n edges; weights (n, out, in / groups, height, width)."""

    def __init__(
        self,
        node: Conv | FactorizedReduce,
        edges: int,
        channels: int,
        order: Order,
        settings: ShiftSettings,
        domain: str,
    ):
        super().__init__()
        self.node, self.order = node, order
        groups = node.groups if isinstance(node, Conv) else 1
        self.depthwise = groups == channels and groups > 1
        kernel = node.kernel if isinstance(node, Conv) else (1, 1)
        shape = (edges, node.shape[2], channels // groups, *kernel)
        fan_in = channels // groups * kernel[0] * kernel[1]
        self.weight = make_weight(shape, settings, fan_in, domain)
        norm = isinstance(node, FactorizedReduce) or node.batch_norm
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
            kernel = torch.cat([factorized_kernel(edge) for edge in w])
            return self._normalised(functional.conv2d(pad_to_even(x), kernel, stride=2), scale)
        groups = x.shape[1] if self.depthwise else 1
        x = functional.conv2d(
            x, self._kernel(w), None, node.stride, node.padding, node.dilation, groups
        )
        return self._normalised(x, scale)

    def _normalised(self, x: Tensor, scale: Tensor | None) -> Tensor:
        if self.norm is None:
            assert scale is None
            return x
        return self.norm(x, scale)

    def _kernel(self, w: Tensor) -> Tensor:
        if self.depthwise:
            return (w if self.order is Order.EDGES_FIRST else w.transpose(0, 1)).flatten(0, 1)
        if self.order is Order.SHARED:
            return w.flatten(0, 1)
        # Block-diagonal: an edge reads its own channels. One dense convolution beats a grouped one.
        own = torch.eye(len(w), dtype=w.dtype, device=w.device)
        blocks = "eofihw" if self.order is Order.EDGES_FIRST else "eoifhw"
        return torch.einsum(f"eoihw,ef->{blocks}", w, own).flatten(2, 3).flatten(0, 1)


class WideOperation(nn.Module):
    """A candidate on the edges of one state: (N, C, H, W) to (N, n·C', H', W'), edge after edge.

    Each edge's block of channels is multiplied by its coefficient.
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
            if isinstance(node, MaxPool | AvgPool):
                self.steps.append(PoolUnit(node, mixing_norm(node.shape[2])))
                continue
            assert isinstance(node, Conv | FactorizedReduce)
            step = WideConv(node, edges, channels, order, settings, domain)
            self.steps.append(step)
            order, channels = step.order_out, node.shape[2]
        assert order is not Order.CHANNELS_FIRST
        self.shared = order is Order.SHARED

    def forward(self, x: Tensor, coefficients: Tensor, members: list[int] | None = None) -> Tensor:
        """`coefficients` (n), one an edge; `members`: the n edges computed, None: all."""
        if self.shared:  # no weights of an edge's own: computed once
            for step in self.steps:
                x = step(x)
            return spread(x, coefficients)
        for step in self.steps[:-1]:
            assert isinstance(step, WideConv)
            x = step(x, members=members)
        last = self.steps[-1]
        assert isinstance(last, WideConv)
        # The last step's batch norm multiplies anyway.
        return last(x, coefficients.repeat_interleave(last.node.shape[2]), members)


def spread(x: Tensor, coefficients: Tensor) -> Tensor:
    """A copy of `x` for each of n coefficients, multiplied by it: (N, n·C, H, W)."""
    n, _, height, width = x.shape
    copies = x.permute(0, 2, 3, 1)[..., None, :] * coefficients[:, None]
    return copies.reshape(n, height, width, -1).permute(0, 3, 1, 2)

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
from nas.shift import ShiftSettings, ShiftWeight


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
    ):
        super().__init__()
        self.node, self.edges, self.order = node, edges, order
        groups = node.groups if isinstance(node, Conv) else 1
        self.depthwise = groups == channels and groups > 1
        kernel = node.kernel if isinstance(node, Conv) else (1, 1)
        shape = (edges, node.shape[2], channels // groups, *kernel)
        fan_in = channels // groups * kernel[0] * kernel[1]
        self.weight = ShiftWeight(shape, settings, fan_in)
        norm = isinstance(node, FactorizedReduce) or node.batch_norm
        wide = edges * node.shape[2]
        self.norm = BatchNorm2d(wide, affine=False) if norm else nn.Identity()

    @property
    def order_out(self) -> Order:
        if not self.depthwise:
            return Order.EDGES_FIRST
        return Order.EDGES_FIRST if self.order is Order.EDGES_FIRST else Order.CHANNELS_FIRST

    def forward(self, x: Tensor) -> Tensor:
        node, w = self.node, self.weight()
        if node.relu_in:
            x = functional.relu(x)
        if isinstance(node, FactorizedReduce):
            kernel = torch.cat([factorized_kernel(edge) for edge in w])
            return self.norm(functional.conv2d(pad_to_even(x), kernel, stride=2))
        groups = x.shape[1] if self.depthwise else 1
        x = functional.conv2d(
            x, self._kernel(w), None, node.stride, node.padding, node.dilation, groups
        )
        return self.norm(x)

    def _kernel(self, w: Tensor) -> Tensor:
        if self.depthwise:
            return (w if self.order is Order.EDGES_FIRST else w.transpose(0, 1)).flatten(0, 1)
        if self.order is Order.SHARED:
            return w.flatten(0, 1)
        # Block-diagonal: an edge reads its own channels. One dense convolution beats a grouped one.
        own = torch.eye(self.edges, dtype=w.dtype, device=w.device)
        blocks = "eofihw" if self.order is Order.EDGES_FIRST else "eoifhw"
        return torch.einsum(f"eoihw,ef->{blocks}", w, own).flatten(2, 3).flatten(0, 1)


class WideOperation(nn.Module):
    """A candidate on the edges of one state: (N, C, H, W) to (N, n·C', H', W'), edge after edge.

    Operations without weights give one copy, (N, C', H', W'), that all edges share (`copies` is 1).
    """

    def __init__(self, nodes: list[Node], edges: int, channels: int, settings: ShiftSettings):
        super().__init__()
        self.steps = nn.Sequential()
        order = Order.SHARED
        for node in nodes:
            if isinstance(node, MaxPool | AvgPool):
                self.steps.append(PoolUnit(node, norm=True))
                continue
            assert isinstance(node, Conv | FactorizedReduce)
            step = WideConv(node, edges, channels, order, settings)
            self.steps.append(step)
            order, channels = step.order_out, node.shape[2]
        assert order is not Order.CHANNELS_FIRST
        self.copies = 1 if order is Order.SHARED else edges

    def forward(self, x: Tensor) -> Tensor:
        return self.steps(x)


def scaled(x: Tensor, coefficients: Tensor, copies: int) -> Tensor:
    """Multiply each edge's block of channels by its coefficient; one copy is spread first."""
    n, channels, height, width = x.shape
    edges = coefficients.numel()
    rows = x.permute(0, 2, 3, 1).reshape(n, height, width, copies, channels // copies)
    rows = rows * coefficients[:, None]
    return rows.reshape(n, height, width, edges * (channels // copies)).permute(0, 3, 1, 2)

"""Tensors of a traced model as elements of the tensors of nodes.

Whatever reshapes, permutes, splits or slices a tensor moves elements. It is replayed on a tensor of
their numbers: in the end one looks whether these are whole channels, in whichever order, and how
the model wrote it does not matter.
"""

from dataclasses import dataclass, field
from math import prod

import torch
from torch import Tensor, nn

from hw.ir.graph import Shape
from nas.importer.refusal import Unsupported
from nas.importer.trace import BATCH


@dataclass(eq=False)
class View:
    """What a variable of the model is bound to.

    Parameters
    ----------
    node: name of the node whose tensor it looks at
    of: shape of that tensor
    shape: as torch has it, the batch first
    order: which elements they are, see `index`; None: all, in their order
    memory: all views of the same memory; what changes one in place changes all
    stale: why it must not be read any more
    end: the softmax behind it, which has no node and may only end a model
    """

    node: str
    of: Shape
    shape: tuple[int, ...]
    order: Tensor | None = None
    memory: "list[View]" = field(default_factory=list)
    stale: str | None = None
    end: type[nn.Module] | None = None

    def __post_init__(self) -> None:
        self.memory.append(self)

    @property
    def index(self) -> Tensor:
        """Number of each element in the tensor (N, C, H, W) of the node."""
        if self.order is not None:
            return self.order
        return torch.arange(prod(self.shape)).view(self.shape)

    @property
    def is_whole(self) -> bool:
        """Whether each element of the node's tensor is there once."""
        return prod(self.shape) == BATCH * prod(self.of)

    @property
    def is_map(self) -> bool:
        """Whether it has the shape of maps of the node's sides, (N, C, H, W)."""
        return len(self.shape) == 4 and self.shape[2:] == self.of[:2]

    def moved(self, index: Tensor) -> "View":
        """Other elements, or another order, of the same memory."""
        shape = tuple(index.shape)
        return View(self.node, self.of, shape, index, self.memory, self.stale, self.end)

    def anew(self, node: str) -> "View":
        """The same elements of another node's tensor of the same shape."""
        return View(node, self.of, self.shape, self.order)

    def channels(self) -> tuple[int, ...]:
        """Of the node, where the view is whole maps of them, one behind the other.

        Raises
        ------
        Unsupported: it is something else
        """
        height, width, depth = self.of
        pixels = height * width
        if self.order is None:
            return tuple(range(depth))
        if self.shape[:1] == (BATCH,) and self.index[0].numel() % pixels == 0:
            maps = self.index.reshape(BATCH, -1, pixels)
            channels = maps[0, :, 0] // pixels
            images = torch.arange(BATCH)[:, None] * depth
            expected = ((images + channels) * pixels)[..., None] + torch.arange(pixels)
            if torch.equal(maps, expected):
                return tuple(channels.tolist())
        raise Unsupported(
            "reads a tensor whose elements were moved; whole channels can be split, shuffled and"
            " flattened, pixels and images stay where they are"
        )

    def replace(self, node: str, reason: str) -> None:
        """The memory was changed in place: `node` is what it holds, where this view looks.

        `reason`: what is said of views that look at other parts of it
        """
        old, whole = self.node, self.is_whole
        for other in self.memory:
            if other is self or (whole and other.node == old):
                other.node = node
            else:
                other.stale = reason

    def forget(self, reason: str) -> None:
        """No view of this memory may be read any more."""
        for other in self.memory:
            other.stale = reason


def map_view(node: str, of: Shape) -> View:
    """The tensor of a node, (N, C, H, W)."""
    height, width, channels = of
    return View(node, of, (BATCH, channels, height, width))


def flat_view(node: str, of: Shape) -> View:
    """The tensor of a node as (N, C·H·W)."""
    return View(node, of, (BATCH, prod(of)))

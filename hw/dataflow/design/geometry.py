"""Where an engine's taps lie on its input."""

from dataclasses import dataclass
from typing import Any

from hw.errors import InputError
from hw.ir.graph import AvgPool, Conv, FactorizedReduce, Graph, MaxPool, Node, Pair, Shape


@dataclass(frozen=True)
class Geometry:
    """How an output pixel's window lies on the input.

    `out` is the output's height and width; the other fields as in hw.ir.graph.Conv. Positions
    beyond the image on any side are padding, which covers the odd sides of a FactorizedReduce.
    """

    shape: Shape
    out: Pair
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    @classmethod
    def of(cls, graph: Graph, node: Node) -> "Geometry":
        """The window of an engine node.

        Raises
        ------
        InputError: a convolution has a window without any pixel of the image; what the operand
            store keeps is told by pixels.
        """
        (shape,) = graph.in_shapes(node)
        out = node.shape[:2]
        if isinstance(node, Conv):
            g = cls(shape, out, node.kernel, node.stride, node.padding, node.dilation)
            if not (g._all_real(0) and g._all_real(1)):
                raise InputError(
                    f"{node.name}: padding {list(node.padding)}: some window would lie beside the"
                    " image as a whole; the hardware needs a pixel in each"
                )
            return g
        if isinstance(node, MaxPool | AvgPool):
            return cls(shape, out, node.kernel, node.stride, node.padding)
        if isinstance(node, FactorizedReduce):
            return cls(shape, out, (2, 2), (2, 2))
        return cls(shape, out)

    @property
    def row(self) -> int:
        """Beats in a row of the input."""
        return self.shape[1] * self.shape[2]

    @property
    def frame(self) -> int:
        """Beats in a frame of the input."""
        return self.shape[0] * self.row

    @property
    def span(self) -> int:
        """Beats from the window's first to its last tap, both included: the least a store must
        hold."""
        (kh, kw), (dy, dx) = self.kernel, self.dilation
        return (kh - 1) * dy * self.row + ((kw - 1) * dx + 1) * self.shape[2]

    def offset(self, ky: Any, kx: Any, channel: Any) -> Any:
        """Beats from the window's first beat to a tap; integers or arrays of them."""
        return ky * self.dilation[0] * self.row + kx * self.dilation[1] * self.shape[2] + channel

    def base(self, oy: Any, ox: Any) -> Any:
        """Index within the frame of the window's first beat; negative where that lies in the
        padding. Integers or arrays of them."""
        return (oy * self.stride[0] - self.padding[0]) * self.row + (
            ox * self.stride[1] - self.padding[1]
        ) * self.shape[2]

    def valid(self, axis: int, k: int) -> tuple[int, int]:
        """First and last output row (axis 0) or column (axis 1) for which tap k of that axis is a
        real pixel."""
        real = [
            n
            for n in range(self.out[axis])
            if 0
            <= n * self.stride[axis] + k * self.dilation[axis] - self.padding[axis]
            < self.shape[axis]
        ]
        return (real[0], real[-1]) if real else (1, 0)

    def _all_real(self, axis: int) -> bool:
        """Whether each output row (axis 0) or column (axis 1) has a tap on a real pixel."""
        spans = [self.valid(axis, k) for k in range(self.kernel[axis])]
        return all(any(low <= n <= high for low, high in spans) for n in range(self.out[axis]))

    def has_border(self, axis: int) -> bool:
        """Whether any tap of this axis can lie outside the image."""
        return any(self.valid(axis, k) != (0, self.out[axis] - 1) for k in range(self.kernel[axis]))


def store_of(beats: int) -> int:
    """The smallest operand store, a power of two, of at least `beats` and at least two."""
    return 1 << max(1, (beats - 1).bit_length())

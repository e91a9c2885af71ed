"""A graph under construction: each call adds a node behind the tensors named, and names its own."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hw.errors import InputError
from hw.ir.clip import Clip
from hw.ir.graph import (
    Add,
    Concat,
    Conv,
    GlobalPool,
    Graph,
    Input,
    Linear,
    MaxPool,
    Node,
    Pair,
    Select,
    Shape,
)
from hw.ir.validate import expected_shape

IMAGE = "input"


@dataclass
class Wiring:
    """The nodes so far; begins with an image (height, width, channels)."""

    image: Shape
    nodes: dict[str, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.nodes[IMAGE] = Input(name=IMAGE, inputs=(), shape=self.image)

    def shape(self, name: str) -> Shape:
        return self.nodes[name].shape

    def channels(self, name: str) -> int:
        return self.shape(name)[2]

    def conv(
        self,
        name: str,
        source: str,
        channels: int,
        kernel: int | Pair = 1,
        *,
        stride: int = 1,
        padding: int | None = None,
        groups: int = 1,
        bias: bool = False,
        clip: Clip | None = None,
    ) -> str:
        """A convolution with batch norm, or with a bias instead.

        `padding`: None keeps the sides at stride 1
        """
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        around = tuple((side - 1) // 2 if padding is None else padding for side in sides)
        return self.node(
            Conv,
            name,
            (source,),
            channels,
            kernel=sides,
            stride=(stride, stride),
            padding=around,
            groups=groups,
            batch_norm=not bias,
            bias=bias,
            clip=clip,
        )

    def max_pool(
        self,
        name: str,
        source: str,
        kernel: int,
        stride: int,
        padding: int = 0,
        *,
        ceil: bool = False,
    ) -> str:
        """`ceil`: a last window that reaches beyond the padding counts, if it begins before it."""
        around = (padding, padding)
        end = tuple(
            self.reach(side, kernel, stride, padding) if ceil else padding
            for side in self.shape(source)[:2]
        )
        return self.node(
            MaxPool,
            name,
            (source,),
            0,
            kernel=(kernel, kernel),
            stride=(stride, stride),
            padding=around,
            padding_end=None if end == around else end,
        )

    @staticmethod
    def reach(side: int, kernel: int, stride: int, padding: int) -> int:
        """Padding at the end that a last, partial window asks for."""
        steps = -(-(side + 2 * padding - kernel) // stride)
        if steps * stride >= side + padding:  # it would begin in the padding
            steps -= 1
        return max(padding, steps * stride + kernel - side - padding)

    def add(self, name: str, *sources: str, clip: Clip | None = None) -> str:
        return self.node(Add, name, sources, 0, clip=clip)

    def select(self, name: str, source: str, channels: Iterable[int]) -> str:
        return self.node(Select, name, (source,), 0, channels=tuple(channels))

    def concat(self, name: str, *sources: str) -> str:
        return self.node(Concat, name, sources, 0)

    def classify(self, source: str, classes: int) -> Graph:
        """The graph whole: mean over all pixels, then a classifier."""
        return self.linear(self.global_pool(source), classes)

    def linear(self, source: str, classes: int) -> Graph:
        """The graph whole: a classifier of a map of one pixel."""
        self.node(Linear, "classifier", (source,), classes)
        return self.graph()

    def global_pool(self, source: str) -> str:
        return self.node(GlobalPool, "global_pool", (source,), 0)

    def graph(self) -> Graph:
        return Graph(tuple(self.nodes.values()))

    def node(
        self, kind: type[Any], name: str, sources: tuple[str, ...], depth: int, **fields: Any
    ) -> str:
        """Any node; `depth`: its channels, where they do not follow from those that it reads."""
        shapes = tuple(self.shape(source) for source in sources)
        trial = kind(name=name, inputs=sources, shape=(1, 1, depth), **fields)
        shape = expected_shape(trial, shapes)
        assert shape is not None, f"{name}: {shapes} do not go together"
        if min(shape) < 1:
            height, width, _ = self.image
            raise InputError(
                f"image: {height}x{width} is too small: nothing would be left behind {name}"
            )
        self.nodes[name] = kind(name=name, inputs=sources, shape=shape, **fields)
        return name

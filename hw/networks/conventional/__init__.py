"""Conventional networks by name: the ones that the paper compares with, as graphs of operations."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hw.errors import InputError
from hw.ir.graph import Graph, Shape
from hw.networks.cells import Stem
from hw.networks.conventional.googlenet import googlenet
from hw.networks.conventional.mobilenet import mobilenet_v2
from hw.networks.conventional.resnet import basic, bottleneck, resnet, small_resnet
from hw.networks.conventional.shufflenet import shufflenet_v2
from hw.networks.conventional.sizes import Sizes
from hw.networks.conventional.squeezenet import squeezenet1_0
from hw.networks.conventional.vgg import vgg

MODELS: dict[str, Callable[[Sizes], Graph]] = {
    "resnet8": small_resnet(1),
    "resnet18": resnet((2, 2, 2, 2), basic),
    "resnet20": small_resnet(3),
    "resnet50": resnet((3, 4, 6, 3), bottleneck),
    "resnet56": small_resnet(9),
    "resnet101": resnet((3, 4, 23, 3), bottleneck),
    "resnet152": resnet((3, 8, 36, 3), bottleneck),
    "vgg16": vgg((2, 2, 3, 3, 3)),
    "vgg19": vgg((2, 2, 4, 4, 4)),
    "mobilenet_v2": mobilenet_v2,
    "shufflenet_v2_x0_5": shufflenet_v2((48, 96, 192), 1024),
    "shufflenet_v2_x1_0": shufflenet_v2((116, 232, 464), 1024),
    "shufflenet_v2_x2_0": shufflenet_v2((244, 488, 976), 2048),
    "googlenet": googlenet,
    "squeezenet1_0": squeezenet1_0,
}
"""Every name there is, and what makes its graph."""


def model(name: str, sizes: Sizes) -> Graph:
    """The graph of a conventional network.

    Raises
    ------
    InputError: no such network, or images that are too small for it
    """
    _require_known(name)
    return MODELS[name](sizes)


OF_CELLS = ("channels", "cells", "drop_path", "auxiliary")
"""Settings of a training that only networks of cells have a use for."""


@dataclass(frozen=True)
class Conventional:
    """A conventional network of some width, for any images and classes.

    Parameters
    ----------
    name: one of `MODELS`
    width: see `Sizes`

    Raises
    ------
    InputError: no such network, or a width that is no number above 0
    """

    name: str
    width: float = 1.0

    def __post_init__(self) -> None:
        _require_known(self.name)
        width = self.width
        number = isinstance(width, int | float) and not isinstance(width, bool)
        if not number or not 0 < width < math.inf:
            raise InputError(f"width: expected a number above 0, found {width!r}")

    def __str__(self) -> str:
        return self.name if self.width == 1 else f"{self.name}, width {self.width:g}"

    def graph(self, image: Shape, classes: int, stem: str) -> Graph:
        """Its graph; InputError where the images are too small for it."""
        return model(self.name, Sizes(image, classes, Stem(stem), self.width))

    def to_mapping(self) -> dict[str, Any]:
        return {"name": self.name, "width": float(self.width)}

    @classmethod
    def from_mapping(cls, values: Any) -> "Conventional":
        """What `to_mapping` made; else InputError."""
        if not isinstance(values, dict) or values.keys() != {"name", "width"}:
            raise InputError(f"expected name and width, found {values!r}")
        return cls(**values)


def _require_known(name: object) -> None:
    if not isinstance(name, str) or name not in MODELS:
        raise InputError(f"model: {name!r} is not known; use one of {', '.join(MODELS)}")

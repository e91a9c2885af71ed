"""Conventional networks by name: the ones that the paper compares with, as graphs of operations."""

from collections.abc import Callable

from hw.errors import InputError
from hw.ir.graph import Graph
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
    if name not in MODELS:
        raise InputError(f"model: {name!r} is not known; use one of {', '.join(MODELS)}")
    return MODELS[name](sizes)

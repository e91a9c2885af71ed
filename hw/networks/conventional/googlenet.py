"""GoogLeNet (Szegedy et al. 2015) with batch norm and without auxiliary classifiers.

As in torchvision's, the third branch of an inception module has a 3x3 window, not a 5x5. For small
images the stem is one 3x3 convolution to the same channels.
"""

from hw.ir.clip import Clip
from hw.ir.graph import Graph
from hw.networks.cells import Stem
from hw.networks.conventional.sizes import Sizes
from hw.networks.conventional.wiring import IMAGE, Wiring

STEM = (64, 64, 192)

Branches = tuple[int, int, int, int, int, int]
"""Channels: 1x1; 1x1 and 3x3; 1x1 and 3x3; 1x1 behind a max pool."""

STAGES: tuple[tuple[int, tuple[Branches, ...]], ...] = (
    # side of the max pool of stride 2 behind the stage (0: none), its modules
    (3, ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64))),
    (
        2,
        (
            (192, 96, 208, 16, 48, 64),
            (160, 112, 224, 24, 64, 64),
            (128, 128, 256, 24, 64, 64),
            (112, 144, 288, 32, 64, 64),
            (256, 160, 320, 32, 128, 128),
        ),
    ),
    (0, ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128))),
)


def googlenet(sizes: Sizes) -> Graph:
    net, relu = Wiring(sizes.image), Clip.RELU
    first, second, third = map(sizes.channels, STEM)
    if sizes.stem is Stem.CIFAR:
        x = net.conv("stem/conv", IMAGE, third, 3, clip=relu)
    else:
        x = net.conv("stem/conv1", IMAGE, first, 7, stride=2, clip=relu)
        x = net.max_pool("stem/pool1", x, 3, 2, ceil=True)
        x = net.conv("stem/conv2", x, second, clip=relu)
        x = net.conv("stem/conv3", x, third, 3, clip=relu)
        x = net.max_pool("stem/pool2", x, 3, 2, ceil=True)
    for number, (pool, modules) in enumerate(STAGES, start=3):
        for letter, branches in zip("abcde", modules, strict=False):
            x = _inception(net, f"inception{number}{letter}", x, sizes, branches)
        if pool:
            x = net.max_pool(f"pool{number}", x, pool, 2, ceil=True)
    return net.classify(x, sizes.classes)


def _inception(net: Wiring, name: str, source: str, sizes: Sizes, branches: Branches) -> str:
    """Four branches side by side."""
    relu = Clip.RELU
    one, reduced, three, less, five, pooled = map(sizes.channels, branches)
    first = net.conv(f"{name}/branch1", source, one, clip=relu)
    x = net.conv(f"{name}/branch2/reduce", source, reduced, clip=relu)
    second = net.conv(f"{name}/branch2/conv", x, three, 3, clip=relu)
    x = net.conv(f"{name}/branch3/reduce", source, less, clip=relu)
    third = net.conv(f"{name}/branch3/conv", x, five, 3, clip=relu)
    x = net.max_pool(f"{name}/branch4/pool", source, 3, 1, 1)
    fourth = net.conv(f"{name}/branch4/conv", x, pooled, clip=relu)
    return net.concat(f"{name}/concat", first, second, third, fourth)

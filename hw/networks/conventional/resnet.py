"""ResNet (He et al. 2016): residual blocks, their sums clipped by ReLU.

Shortcuts that change the shape are 1x1 convolutions with batch norm; a bottleneck's stride is in
its 3x3 convolution (as in torchvision's). For small images ("cifar") the stem is one 3x3
convolution, else a 7x7 of stride 2 and a max pool. ResNet-20 and -56 are those of the paper's
CIFAR experiments, of 16, 32, 64 channels; ResNet-8 is that of MLPerf Tiny.
"""

from collections.abc import Callable, Sequence

from hw.ir.clip import Clip
from hw.ir.graph import Graph
from hw.networks.cells import Stem
from hw.networks.conventional.sizes import Sizes
from hw.networks.conventional.wiring import IMAGE, Wiring

BOTTLENECK = 4
"""Channels of a bottleneck's output, of one of its inner ones."""

Block = Callable[[Wiring, str, str, int, int], str]
"""Adds a block of a name behind a tensor, to so many channels by a stride; the name of its sum."""


def resnet(blocks: Sequence[int], block: Block) -> Callable[[Sizes], Graph]:
    """Four stages of 64 to 512 channels, of so many blocks each."""
    return lambda sizes: _resnet(sizes, blocks, block, 64)


def small_resnet(blocks: int) -> Callable[[Sizes], Graph]:
    """Three stages of 16, 32 and 64 channels, of so many basic blocks each; a stem of one 3x3."""
    return lambda sizes: _resnet(sizes.with_stem(Stem.CIFAR), (blocks,) * 3, basic, 16)


def _resnet(sizes: Sizes, blocks: Sequence[int], block: Block, channels: int) -> Graph:
    net, channels = Wiring(sizes.image), sizes.channels(channels)
    match sizes.stem:
        case Stem.CIFAR:
            x = net.conv("stem/conv", IMAGE, channels, 3, clip=Clip.RELU)
        case Stem.IMAGENET:
            x = net.conv("stem/conv", IMAGE, channels, 7, stride=2, clip=Clip.RELU)
            x = net.max_pool("stem/pool", x, 3, 2, 1)
    for stage, count in enumerate(blocks):
        for number in range(count):
            stride = 2 if stage and not number else 1
            x = block(net, f"stage{stage + 1}/block{number}", x, channels << stage, stride)
    return net.classify(x, sizes.classes)


def basic(net: Wiring, name: str, source: str, channels: int, stride: int) -> str:
    """Two 3x3 convolutions beside the shortcut."""
    x = net.conv(f"{name}/conv1", source, channels, 3, stride=stride, clip=Clip.RELU)
    x = net.conv(f"{name}/conv2", x, channels, 3)
    return _joined(net, name, source, x, stride)


def bottleneck(net: Wiring, name: str, source: str, channels: int, stride: int) -> str:
    """1x1 to fewer channels, 3x3, 1x1 to four times as many, beside the shortcut."""
    x = net.conv(f"{name}/conv1", source, channels, clip=Clip.RELU)
    x = net.conv(f"{name}/conv2", x, channels, 3, stride=stride, clip=Clip.RELU)
    x = net.conv(f"{name}/conv3", x, BOTTLENECK * channels)
    return _joined(net, name, source, x, stride)


def _joined(net: Wiring, name: str, source: str, x: str, stride: int) -> str:
    if net.shape(source) != net.shape(x):
        source = net.conv(f"{name}/shortcut", source, net.channels(x), stride=stride)
    return net.add(f"{name}/sum", x, source, clip=Clip.RELU)

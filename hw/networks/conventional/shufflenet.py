"""ShuffleNet-v2 (Ma et al. 2018): half of the channels pass by each unit, then both halves shuffle.

For small images the stem's convolution keeps the sides and no max pool follows.
"""

from collections.abc import Callable, Sequence

from hw.ir.clip import Clip
from hw.ir.graph import Graph
from hw.networks.cells import Stem
from hw.networks.conventional.sizes import Sizes
from hw.networks.conventional.wiring import IMAGE, Wiring

UNITS = (4, 8, 4)
"""Of stages 2 to 4, the first of each with stride 2."""

FIRST = 24


def shufflenet_v2(channels: Sequence[int], last: int) -> Callable[[Sizes], Graph]:
    """Stages of so many channels, a last 1x1 convolution to `last`."""
    return lambda sizes: _shufflenet(sizes, channels, last)


def _shufflenet(sizes: Sizes, channels: Sequence[int], last: int) -> Graph:
    net, small = Wiring(sizes.image), sizes.stem is Stem.CIFAR
    first = sizes.channels(FIRST)
    x = net.conv("stem/conv", IMAGE, first, 3, stride=1 if small else 2, clip=Clip.RELU)
    if not small:
        x = net.max_pool("stem/pool", x, 3, 2, 1)
    for stage, (units, published) in enumerate(zip(UNITS, channels, strict=True), start=2):
        half = sizes.channels(published // 2)
        for number in range(units):
            name = f"stage{stage}/unit{number}"
            x = _unit(net, name, x, half) if number else _reducing_unit(net, name, x, half)
    x = net.conv("last", x, sizes.channels(last), clip=Clip.RELU)
    return net.classify(x, sizes.classes)


def _unit(net: Wiring, name: str, source: str, half: int) -> str:
    """The first half as it is, the second through 1x1, 3x3 depthwise and 1x1."""
    left = net.select(f"{name}/left", source, range(half))
    right = net.select(f"{name}/right", source, range(half, 2 * half))
    return _shuffled(net, name, left, _branch(net, f"{name}/branch2", right, half, 1), half)


def _reducing_unit(net: Wiring, name: str, source: str, half: int) -> str:
    """All channels through both branches, with stride 2."""
    channels = net.channels(source)
    x = net.conv(f"{name}/branch1/dw", source, channels, 3, stride=2, groups=channels)
    left = net.conv(f"{name}/branch1/pw", x, half, clip=Clip.RELU)
    return _shuffled(net, name, left, _branch(net, f"{name}/branch2", source, half, 2), half)


def _branch(net: Wiring, name: str, source: str, half: int, stride: int) -> str:
    x = net.conv(f"{name}/pw1", source, half, clip=Clip.RELU)
    x = net.conv(f"{name}/dw", x, half, 3, stride=stride, groups=half)
    return net.conv(f"{name}/pw2", x, half, clip=Clip.RELU)


def _shuffled(net: Wiring, name: str, left: str, right: str, half: int) -> str:
    """Channels of the two halves in turn."""
    x = net.concat(f"{name}/concat", left, right)
    return net.select(f"{name}/shuffle", x, [c + h for c in range(half) for h in (0, half)])

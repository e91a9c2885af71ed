"""VGG (Simonyan and Zisserman 2014): 3x3 convolutions between max pools.

For ImageNet convolutions have biases, and two hidden layers of 4,096 stand before the classifier,
the first of them a convolution over the whole map. For CIFAR, as customary there, each convolution
has a batch norm instead and the classifier follows the last map.
"""

from collections.abc import Callable, Sequence

from hw.ir.clip import Clip
from hw.ir.graph import Graph
from hw.networks.cells import Stem
from hw.networks.conventional.sizes import Sizes
from hw.networks.conventional.wiring import IMAGE, Wiring

HIDDEN = 4096


def vgg(convolutions: Sequence[int]) -> Callable[[Sizes], Graph]:
    """Five stages of so many convolutions each, of 64 to 512 channels."""
    return lambda sizes: _vgg(sizes, convolutions)


def _vgg(sizes: Sizes, convolutions: Sequence[int]) -> Graph:
    net, x = Wiring(sizes.image), IMAGE
    biased = sizes.stem is Stem.IMAGENET
    for stage, count in enumerate(convolutions):
        channels = sizes.channels(min(64 << stage, 512))
        for number in range(count):
            name = f"stage{stage + 1}/conv{number + 1}"
            x = net.conv(name, x, channels, 3, bias=biased, clip=Clip.RELU)
        x = net.max_pool(f"stage{stage + 1}/pool", x, 2, 2)
    if biased:
        hidden = sizes.channels(HIDDEN)
        sides = net.shape(x)[:2]
        x = net.conv("hidden1", x, hidden, sides, padding=0, bias=True, clip=Clip.RELU)
        x = net.conv("hidden2", x, hidden, bias=True, clip=Clip.RELU)
        return net.linear(x, sizes.classes)
    return net.classify(x, sizes.classes)

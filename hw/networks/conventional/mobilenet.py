"""MobileNet-v2 (Sandler et al. 2018): inverted residuals, clipped by ReLU6 but at their ends.

For CIFAR the first convolution and the second stage keep the sides, as customary there.
"""

from hw.ir.clip import Clip
from hw.ir.graph import Graph
from hw.networks.cells import Stem
from hw.networks.conventional.sizes import Sizes
from hw.networks.conventional.wiring import IMAGE, Wiring

FIRST, LAST = 32, 1280

STAGES = (
    # expansion, channels, blocks, stride of the first
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v2(sizes: Sizes) -> Graph:
    net, small = Wiring(sizes.image), sizes.stem is Stem.CIFAR
    first = sizes.channels(FIRST)
    x = net.conv("stem/conv", IMAGE, first, 3, stride=1 if small else 2, clip=Clip.RELU6)
    for stage, (expansion, channels, blocks, stride) in enumerate(STAGES):
        for number in range(blocks):
            step = stride if not number and not (small and stage == 1) else 1
            name = f"stage{stage + 1}/block{number}"
            x = _inverted_residual(net, name, x, sizes.channels(channels), expansion, step)
    x = net.conv("last", x, sizes.channels(LAST), clip=Clip.RELU6)
    return net.classify(x, sizes.classes)


def _inverted_residual(
    net: Wiring, name: str, source: str, channels: int, expansion: int, stride: int
) -> str:
    """1x1 to more channels, 3x3 depthwise, 1x1 to fewer; a shortcut where the shape is kept."""
    inner, x = expansion * net.channels(source), source
    if expansion > 1:
        x = net.conv(f"{name}/expand", x, inner, clip=Clip.RELU6)
    x = net.conv(f"{name}/dw", x, inner, 3, stride=stride, groups=inner, clip=Clip.RELU6)
    x = net.conv(f"{name}/project", x, channels)
    if net.shape(x) == net.shape(source):
        x = net.add(f"{name}/sum", source, x)
    return x

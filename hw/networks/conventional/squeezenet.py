"""SqueezeNet 1.0 (Iandola et al. 2016): fire modules, no batch norm, no fully connected layer.

The last convolution has a channel a class, and its means are the logits. For small images the
stem's convolution keeps the sides.
"""

from hw.ir.clip import Clip
from hw.ir.graph import Graph
from hw.networks.cells import Stem
from hw.networks.conventional.sizes import Sizes
from hw.networks.conventional.wiring import IMAGE, Wiring

FIRST = 96

FIRES = (
    # a max pool of stride 2 behind it, channels squeezed, expanded by 1x1 and by 3x3 each
    (False, 16, 64),
    (False, 16, 64),
    (True, 32, 128),
    (False, 32, 128),
    (False, 48, 192),
    (False, 48, 192),
    (True, 64, 256),
    (False, 64, 256),
)


def squeezenet1_0(sizes: Sizes) -> Graph:
    net, small = Wiring(sizes.image), sizes.stem is Stem.CIFAR
    first, stem = sizes.channels(FIRST), {"bias": True, "clip": Clip.RELU}
    if small:
        x = net.conv("stem/conv", IMAGE, first, 3, **stem)
    else:
        x = net.conv("stem/conv", IMAGE, first, 7, stride=2, padding=0, **stem)
    x = net.max_pool("stem/pool", x, 3, 2, ceil=True)
    for number, (pooled, squeezed, expanded) in enumerate(FIRES, start=2):
        x = _fire(net, f"fire{number}", x, sizes.channels(squeezed), sizes.channels(expanded))
        if pooled:
            x = net.max_pool(f"fire{number}/pool", x, 3, 2, ceil=True)
    x = net.conv("classifier", x, sizes.classes, bias=True, clip=Clip.RELU)
    net.global_pool(x)
    return net.graph()


def _fire(net: Wiring, name: str, source: str, squeezed: int, expanded: int) -> str:
    """1x1 to fewer channels; 1x1 and 3x3 to more, side by side."""
    activated = {"bias": True, "clip": Clip.RELU}
    x = net.conv(f"{name}/squeeze", source, squeezed, **activated)
    one = net.conv(f"{name}/expand1x1", x, expanded, **activated)
    three = net.conv(f"{name}/expand3x3", x, expanded, 3, **activated)
    return net.concat(f"{name}/concat", one, three)

"""Two operations that the paper's search does not have."""

from hw.ir.graph import Conv, MaxPool, Node
from hw.networks.registration import register_operation
from hw.networks.space import Site, strided


def mb_conv_3x3(site: Site) -> list[Node]:
    """MobileNetV2's block without its shortcut: to twice the channels, depthwise 3x3, and back."""
    height, width, channels = site.shape
    wide = Conv(
        name=f"{site.name}/expand",
        inputs=(site.source,),
        shape=(height, width, 2 * channels),
        relu_in=True,
    )
    middle = Conv(
        name=f"{site.name}/dw",
        inputs=(wide.name,),
        shape=strided(wide.shape, 2 * channels, site.stride),
        kernel=(3, 3),
        stride=(site.stride, site.stride),
        padding=(1, 1),
        groups=2 * channels,
        relu_in=True,
    )
    narrow = Conv(
        name=f"{site.name}/project",
        inputs=(middle.name,),
        shape=(*middle.shape[:2], site.channels),
        relu_in=True,
    )
    return [wide, middle, narrow]


def max_pool_5x5(site: Site) -> list[Node]:
    """A larger window than the paper's."""
    return [
        MaxPool(
            name=f"{site.name}/pool",
            inputs=(site.source,),
            shape=strided(site.shape, site.channels, site.stride),
            kernel=(5, 5),
            stride=(site.stride, site.stride),
            padding=(2, 2),
        )
    ]


register_operation("mb_conv_3x3", mb_conv_3x3)
register_operation("max_pool_5x5", max_pool_5x5)

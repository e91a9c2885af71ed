"""Conventional networks scaled down until they can be run whole."""

from hw.networks.conventional.sizes import Sizes

NARROW = {
    "resnet8": Sizes((9, 8, 3), 4, width=1 / 8),
    "mobilenet_v2": Sizes((6, 5, 1), 4, width=1 / 32),
    "vgg16": Sizes((32, 32, 1), 4, width=1 / 64),
    "shufflenet_v2_x0_5": Sizes((6, 5, 1), 4, width=1 / 24),
    "googlenet": Sizes((7, 6, 1), 4, width=1 / 64),
    "squeezenet1_0": Sizes((12, 11, 1), 4, width=1 / 32),
    "resnet50": Sizes((5, 6, 1), 4, width=1 / 64),
}

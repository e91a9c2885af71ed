"""Convolutions in the planes of their input: the same planes, in a memory that holds no others."""

from hw.ir.graph import Conv, GlobalPool, Graph, Input, Shape
from hw.networks.random_network import random_network
from hw.overlay.compiler.compile import compile_network
from hw.overlay.cycles import cycles
from hw.overlay.hardware import Overlay
from tests.support.overlay_check import check

HARDWARE = Overlay(rows=4, columns=4, acc_bits=24, words=256)


def chain(shape: Shape, relu: bool) -> Graph:
    """Pointwise and depthwise convolutions; no other word than theirs is in use."""
    rows, columns, channels = shape

    def conv(name: str, source: str, out: int, side: int, groups: int = 1) -> Conv:
        return Conv(
            name=name,
            inputs=(source,),
            shape=(rows, columns, out),
            kernel=(side, side),
            padding=(side // 2, side // 2),
            groups=groups,
            relu_in=relu,
            batch_norm=groups == 1,
        )

    return Graph(
        (
            Input(name="input", inputs=(), shape=(rows, columns, 1)),
            conv("wide", "input", channels, 3),
            conv("deep", "wide", channels, 3, channels),
            conv("flat", "deep", channels - 2, 1),
            GlobalPool(name="pool", inputs=("flat",), shape=(1, 1, channels - 2)),
        )
    )


def test_words_that_lie_beyond_the_image_too():
    # Of three columns at a pitch of one lane each, and of five rows at two.
    network = random_network(chain((5, 7, 9), relu=True), seed=1)
    roomy = compile_network(network, HARDWARE)
    least = check(network, HARDWARE.resized(words=64), images=2)
    assert least.memory <= 64 < roomy.memory
    assert cycles(least.program).frame > cycles(roomy.program).frame


def test_negative_pixels_stay_negative():
    network = random_network(chain((6, 3, 10), relu=False), seed=2)
    roomy = compile_network(network, HARDWARE)
    least = check(network, HARDWARE.resized(words=roomy.memory - 12), images=2)
    assert least.memory < roomy.memory

"""An image that many channels read is copied once with its neighbours' pixels."""

from hw.ir.graph import Conv, GlobalPool, Graph, Input
from hw.networks.random_network import random_network
from hw.overlay.compiler.compile import compile_network
from hw.overlay.hardware import Overlay
from hw.overlay.profile import profile
from tests.support.overlay_check import check


def test_an_image_s_pixels_travel_once():
    graph = Graph(
        (
            Input(name="input", inputs=(), shape=(7, 8, 2)),
            Conv(name="stem", inputs=("input",), shape=(7, 8, 9), kernel=(3, 3), padding=(1, 1)),
            GlobalPool(name="pool", inputs=("stem",), shape=(1, 1, 9)),
        )
    )
    network = random_network(graph, seed=5, zeros=0.2)
    hardware = Overlay(rows=4, columns=4, acc_bits=24, words=256)
    found = check(network, hardware, images=3)
    kinds = next(row.kinds for row in profile(found.program, found.ends) if row.name == "stem")
    assert kinds["travel"] < 0.1 * kinds["weights"]
    # Without room for the copies every weight's pixels travel by themselves.
    least = compile_network(network, hardware.resized(words=68))
    far = next(row.kinds for row in profile(least.program, least.ends) if row.name == "stem")
    assert far["travel"] > 0.3 * far["weights"]

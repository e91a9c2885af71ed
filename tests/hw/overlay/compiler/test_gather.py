"""Convolutions where a batch's images come together: copied for, done once, the same planes."""

from hw.networks.conventional import model
from hw.networks.conventional.sizes import Sizes
from hw.networks.random_network import random_network
from hw.overlay.compiler import compile as compiling
from hw.overlay.cycles import cycles
from hw.overlay.hardware import Overlay
from tests.support.overlay_check import check

HARDWARE = Overlay(acc_bits=24, words=1024)


def test_one_copy_for_a_convolution_and_the_shortcut_beside_it(monkeypatch):
    network = random_network(model("resnet8", Sizes((16, 16, 3), 3, width=0.5)), seed=0)
    found = check(network, HARDWARE, images=5)
    assert found.program.images == 4
    assert {found.ends[f"stage3/block0/{n}"][0] for n in ("conv1", "shortcut")} == {"suffix"}
    monkeypatch.setattr("hw.overlay.compiler.schedule.gathers", lambda *_: ())
    without = compiling.compile_network(network, HARDWARE)
    assert without.ends["stage3/block0/conv1"][0] == "prefix"
    assert cycles(found.program).frame < 0.9 * cycles(without.program).frame


def test_where_copies_have_no_room_there_is_still_a_batch():
    network = random_network(model("resnet8", Sizes((16, 16, 3), 3, width=0.5)), seed=0)
    roomy = compiling.compile_network(network, HARDWARE)
    least = compiling.compile_network(network, HARDWARE.resized(words=310))
    assert least.program.images == 4
    assert least.ends["stage3/block0/conv1"][0] == "prefix"
    assert least.memory < roomy.memory

"""The generated harness: one agent a port, one tap a stream, names as the design has them."""

from sim import harness
from sim.designs import whole
from sim.harness import Dut, Stream


def test_harness_of_a_network_has_a_tap_on_every_layer(hardware):
    built = harness.generate([whole(hardware.design, hardware.emission)])
    names = [node.name for node in hardware.network.graph.nodes[1:]]
    assert [stream.label for stream in built.taps] == [hardware.network.graph.output.name, *names]
    for name in names:
        assert f".valid(dut.{name.replace('/', '.')}.o__valid)" in built.text
    assert [label.split(" (")[0] for label in built.fifos] == [
        "cell0/node2 input 0", "cell0/node2 input 1", "cell0/concat input 0"
    ]  # fmt: skip


def test_escaped_module_names_and_wide_streams():
    wide = Stream("x", "i", 75, True, (1, 2, 2))
    design = Dut("u0", "top.part", [wide], [Stream("y", "o", 8, False, (1, 2, 2))], [], [])
    text = harness.generate([design]).text
    assert "\\top.part  u0 (" in text
    assert (harness.source_bytes(wide), harness.tap_words(wide)) == (12, 3)


def test_same_design_same_text(hardware):
    texts = {harness.generate([whole(hardware.design, hardware.emission)]).text for _ in range(2)}
    assert len(texts) == 1

"""Compiled networks in the executable model: a fixed dozen, and what is refused."""

import re
from dataclasses import replace

import numpy as np
import pytest

from hw.errors import CheckFailed, InputError
from hw.ir.graph import Graph
from hw.ir.network import Network
from hw.networks import cells, genotypes
from hw.networks.conventional import model
from hw.networks.conventional.sizes import Sizes
from hw.networks.random_network import random_network
from hw.overlay.compiler.compile import compile_network
from hw.overlay.hardware import Overlay
from tests.support.overlay_check import check


def drawn(graph: Graph, **settings) -> Network:
    for seed in range(8):
        try:
            return random_network(graph, seed=seed, **settings)
        except CheckFailed:
            continue
    raise AssertionError("no network")


def genotype(name: str, image: tuple[int, int, int], count: int = 2) -> Graph:
    return cells.build(genotypes.get(name), channels=4, cells=count, image=image, classes=3)


def conventional(name: str, image: tuple[int, int, int], width: float) -> Graph:
    return model(name, Sizes(image, 3, width=width))


HARDWARE = Overlay(acc_bits=24, words=2048)

DOZEN = {
    "a batch of four": (genotype("DARTS_V1", (8, 8, 3)), (8, 8), {"scale_terms": 3}),
    "no batch, deep planes": (genotype("ShiftNAS_C10", (12, 10, 1)), (4, 4), {"scale_terms": 1}),
    "a batch across": (genotype("DARTS_V2", (9, 13, 1)), (4, 8), {"rounding": "floor"}),
    "grid of odd sides": (genotype("GDAS_V1", (8, 8, 2)), (5, 7), {"scale_terms": 4}),
    "cut in two steps": (genotype("AmoebaNet", (7, 7, 1), 3), (4, 4), {"scale_terms": 1}),
    "narrow formats": (genotype("PDARTS", (8, 8, 2)), (8, 8), {"act_bits": 5}),
    "exact guard": (genotype("DOTS_C10", (6, 6, 1)), (4, 4), {"guard": 15, "weight_bits": 6}),
    "residual": (conventional("resnet8", (16, 16, 3), 0.25), (8, 8), {}),
    "ceil pools": (conventional("googlenet", (32, 32, 1), 0.02), (16, 16), {"scale_terms": 1}),
    "relu6, groups": (conventional("mobilenet_v2", (16, 12, 1), 0.04), (8, 8), {}),
    "shuffled": (conventional("shufflenet_v2_x0_5", (16, 16, 1), 0.05), (4, 8), {}),
    "no classifier": (conventional("squeezenet1_0", (12, 10, 3), 0.04), (16, 16), {}),
}


def test_images_lie_together_only_where_they_have_room():
    """A batch of four across, as pixels are four lanes apart in the end: where they are two lanes
    apart, an image is still on its own."""
    graph = cells.build(
        genotypes.get("DARTS_V1"), channels=2, cells=1, image=(8, 9, 1), classes=3, stem="imagenet"
    )
    found = check(drawn(graph, scale_terms=1), HARDWARE.resized(corner=4), images=9)
    assert found.program.batch == (2, 4)
    assert found.places["stem0/conv1"][0].section == "prefix"


def test_a_global_sum_over_rows_that_lie_apart():
    """It is written in all lanes, by rows of the output's pitch."""
    graph = conventional("resnet8", (16, 22, 1), 1 / 16)
    found = check(drawn(graph, scale_terms=1), HARDWARE.resized(rows=16, columns=16), images=3)
    assert found.places["stage3/block0/sum"][0].pitch == (-2, -1)


@pytest.mark.parametrize("case", DOZEN)
def test_every_plane_is_the_reference_s(case):
    graph, (rows, columns), settings = DOZEN[case]
    hardware = HARDWARE.resized(rows=rows, columns=columns)
    check(drawn(graph, **settings), hardware)


def test_the_last_batch_may_be_short():
    network = drawn(genotype("DARTS_V1", (8, 8, 1)))
    check(network, HARDWARE, images=6)


def test_a_program_is_the_same_every_time():
    network = drawn(genotype("DARTS_V1", (8, 8, 3)))
    first, second = (compile_network(network, HARDWARE).program for _ in range(2))
    assert np.array_equal(first.prefix, second.prefix)
    assert np.array_equal(first.suffix, second.suffix)


def refused(network: Network, hardware: Overlay) -> str:
    with pytest.raises(InputError) as error:
        compile_network(network, hardware)
    return str(error.value)


def test_what_does_not_fit_is_refused_by_name_and_number():
    network = drawn(genotype("DARTS_V1", (8, 8, 3)))
    assert re.fullmatch(
        r"stem/conv: its sums reach from -\d+ to \d+, \d+ bits; the overlay's accumulators have 11:"
        r" take acc_bits \d+",
        refused(network, HARDWARE.resized(acc_bits=11)),
    )
    assert re.fullmatch(
        r"\S+: \d+ planes of \d+ words do not fit the data memory: \d+ of its 64 words hold what is"
        r" still to be read; take more words",
        refused(network, HARDWARE.resized(words=64)),
    )
    assert re.fullmatch(
        r"\S+: \d+ planes of \d+ words do not fit the data memory: \d+ of its 4095 words hold what"
        r" is still to be read; the most there are: take smaller images",
        refused(drawn(genotype("DARTS_V1", (128, 128, 3))), HARDWARE.resized(words=4095)),
    )
    assert refused(network, HARDWARE.resized(logit_bits=8)) == (
        "classifier: logits of 19 bits; the overlay's have 8: take logit_bits 19"
    ).replace("19", re.findall(r"\d+", refused(network, HARDWARE.resized(logit_bits=8)))[0])
    wide = drawn(genotype("DARTS_V1", (8, 8, 3)), act_bits=12)
    assert refused(wide, HARDWARE).startswith("stem/conv: its format is s12.")
    cut = drawn(genotype("DARTS_V1", (8, 8, 3)), guard=2)
    assert re.fullmatch(
        r"stem/conv: guard 2 cuts products of weights down to 2\^-\d+; an overlay rounds sums, not"
        r" products: use guard \d+ or more, or none",
        refused(cut, HARDWARE),
    )


def test_a_stride_that_is_no_power_of_two():
    network = drawn(genotype("DARTS_V1", (9, 9, 3)))
    node = next(node for node in network.graph if node.name == "stem/conv")
    strided = replace(node, stride=(3, 3), shape=(3, 3, node.shape[2]))
    nodes = tuple(strided if n is node else n for n in network.graph)
    message = refused(replace(network, graph=Graph(nodes)), HARDWARE)
    assert message == "stem/conv: a stride of 3; an overlay does powers of two"


def test_a_wrong_weight_is_seen(monkeypatch):
    """That `check` can fail: one sign of one weight turned."""
    network = drawn(genotype("DARTS_V1", (8, 8, 3)))
    compiled = compile_network(network, HARDWARE)
    at = int(np.flatnonzero(compiled.program.prefix < 0x8000)[40])
    compiled.program.prefix[at] ^= 0x4000
    monkeypatch.setattr("tests.support.overlay_check.compile_network", lambda *_: compiled)
    with pytest.raises(AssertionError):
        check(network, HARDWARE)


def test_a_small_memory_has_a_later_border_and_a_smaller_one_no_batch():
    """Pools that read the same are on both sides of that border."""
    network = drawn(genotype("NASNet", (16, 12, 1), 3))
    roomy = compile_network(network, HARDWARE)
    later = check(network, HARDWARE.resized(words=250), images=2)
    alone = compile_network(network, HARDWARE.resized(words=200))
    assert [c.program.images for c in (roomy, later, alone)] == [4, 4, 1]
    assert later.memory <= 250 < roomy.memory
    suffixes = [sum(section == "suffix" for section, _ in c.ends.values()) for c in (roomy, later)]
    assert 0 < suffixes[1] < suffixes[0]

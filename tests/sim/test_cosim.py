"""Co-simulation finds nothing in right hardware and names what is wrong in wrong hardware."""

import dataclasses
import json
import re

import numpy as np
import pytest
from amaranth import C, Mux
from mutant_cases import adder_of

from hw.board.boards import device
from hw.dataflow.design.design import design
from hw.dataflow.layers import joins, requantise, rounding
from hw.dataflow.planner import propose
from hw.errors import CheckFailed, InputError
from hw.ir import reference
from hw.ir.arithmetic import out_format, requantisation
from hw.ir.clip import Clip
from hw.ir.graph import (
    Add,
    AvgPool,
    Concat,
    Conv,
    FactorizedReduce,
    GlobalPool,
    Graph,
    Input,
    Linear,
    MaxPool,
    Select,
)
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.verilog import emit, rtl_folder
from sim import designs
from sim.cosim import Subject, cosim
from sim.mutation import schemata
from sim.runner import Build
from sim.stimuli import Stimuli, random_images

EDGE = "cell0/edge0_sep_conv_3x3"


def stimuli(network, count: int, **settings) -> Stimuli:
    return Stimuli(random_images(network, count, seed=1), **settings)


def test_every_layer_is_compared_at_full_speed_and_under_stalls(hardware, tmp_path):
    network = hardware.network
    subject = Subject(emission=hardware.emission)
    sent = stimuli(network, 3, stall=0.3)
    result = cosim(network, hardware.design, sent, subject, folder=tmp_path)
    assert (result.frames, result.stalled_frames, result.mismatches) == (6, 3, 0)
    streams = [*network.graph.nodes[1:], network.graph.output]
    assert [layer.layer.split(" ")[0] for layer in result.compared] == [n.name for n in streams]
    beats = [6 * int(np.prod(node.shape)) for node in streams]
    assert [layer.beats for layer in result.compared] == beats
    widths = [out_format(network, node.name).width for node in streams]
    assert result.bits == sum(b * w for b, w in zip(beats, widths, strict=True))
    assert result.cycles > 6 * result.cycles_per_frame * 0.9
    assert (tmp_path / "sim.log").is_file()


def test_roms_in_files_and_another_name(hardware, tmp_path):
    network, plan = hardware.network, hardware.plan
    rtl_folder.write(emit.emit(design(network, plan), "hex", name="net_b"), tmp_path)
    read = rtl_folder.read(tmp_path)
    sent = stimuli(network, 2, stall=0)
    result = cosim(network, design(network, plan), sent, Subject(emission=read))
    assert (result.frames, result.mismatches) == (2, 0)
    # The contents do come from the files.
    name = f"net_b.{EDGE.replace('/', '.')}.dw1.window.program.hex"
    first, rest = read.files[name].split("\n", 1)
    flipped = f"{int(first, 16) ^ 1:0{len(first)}x}\n{rest}"
    spoilt = dataclasses.replace(read, files=read.files | {name: flipped})
    with pytest.raises(CheckFailed, match=f"{EDGE}/dw1"):
        cosim(network, design(network, plan), sent, Subject(emission=spoilt))


@pytest.mark.parametrize("name", ["cosim_harness", "agents", "fifo_watch", "axil_master"])
def test_a_name_of_the_testbench_is_one_line(hardware, name):
    network = hardware.network
    subject = Subject(emission=emit.emit(hardware.design, name=name))
    with pytest.raises(InputError, match=f"the design is called {name}, as a part of the testb"):
        cosim(network, hardware.design, stimuli(network, 1), subject)


@pytest.mark.parametrize("level", ["cell", "op"])
def test_parts_on_their_own(hardware, level):
    network = hardware.network
    result = cosim(network, hardware.design, stimuli(network, 2, stall=0.3), Subject(level))
    corners = result.corners
    assert (result.frames, result.mismatches) == (4 + 2 * corners["frames"], 0)
    assert (corners["reached"] > 0) == (level == "op") and corners["no_room"] == 0
    assert {layer.layer for layer in result.compared} == {n.name for n in network.graph.nodes[1:]}


def wide(genotype: str, sizes: tuple, **numbers):
    """A network of 32 bits, its design as proposed, its requantised layers of over 63 bits."""
    size = dict(zip(("channels", "cells", "image", "classes"), sizes, strict=True))
    graph = build(genotypes.get(genotype), **size)
    network = random_network(graph, act_bits=32, **numbers)
    layers = [n.name for n in network.graph if isinstance(n, Conv | FactorizedReduce)]
    found = [name for name in layers if requantisation(network, name).width > 63]
    return network, propose(network, device("none"), fps=1e-3), found


@pytest.mark.slow
@pytest.mark.thorough
def test_a_network_that_computes_in_more_than_63_bits():
    network, built, found = wide("DARTS_V2", (2, 3, (6, 7, 3), 4), guard=30, seed=7)
    assert len(found) == 23
    result = cosim(network, built, stimuli(network, 1, stall=0.3))
    assert (result.frames, result.mismatches) == (2, 0)


@pytest.mark.slow
def test_layers_of_more_than_63_bits_and_the_pools_behind_them():
    """Four terms a scale; of a network that was silently wrong in its average pools."""
    numbers = {"weight_bits": 6, "scale_terms": 4, "seed": 28}
    network, built, found = wide("NASNet", (6, 3, (7, 9, 3), 6), **numbers)
    pools = [n.name for n in network.graph if isinstance(n, AvgPool) and n.inputs[0] in found]
    assert found and pools
    sent = stimuli(network, 1, stall=0.3, corners=4)
    result = cosim(network, built, sent, Subject("op", [*found, *pools]))
    assert (result.frames, result.mismatches) == (10, 0)
    assert {layer.layer for layer in result.compared} == {*found, *pools}


def test_flipped_operator_is_found_and_its_layer_named(hardware):
    layer = f"{EDGE}/dw1"
    mutant = schemata.mutated(hardware.emission, adder_of(hardware.emission, layer))
    assert sum(a != b for a, b in zip(mutant.verilog, hardware.emission.verilog, strict=True)) == 1
    with pytest.raises(CheckFailed) as caught:
        subject = Subject(emission=mutant)
        cosim(hardware.network, hardware.design, stimuli(hardware.network, 2), subject)
    message = str(caught.value)
    assert message.startswith(f"cosim: {layer}: frame 0, pixel (")
    for word in ("channel", "expected", "got", "layers differ, this is the first"):
        assert word in message


def test_hang_is_reported_with_full_and_empty_fifos(hardware):
    """The skip's FIFO must hold what arrives while the convolutions wait for their rows."""
    node = "cell0/node2"
    assert hardware.plan.fifos[node][1] > 8
    plan = dataclasses.replace(hardware.plan, fifos=hardware.plan.fifos | {node: (2, 2)})
    with pytest.raises(CheckFailed, match="hang: nothing moved for 1500 cycles") as caught:
        cosim(
            hardware.network,
            design(hardware.network, plan),
            stimuli(hardware.network, 1, stall=0, patience=1500),
        )
    assert "first layer short of beats: " in str(caught.value)
    assert "FIFOs: 1 full, 2 empty; layers blocked: " in str(caught.value)
    # One a line: a join with a full one beside an empty one comes first.
    assert caught.value.lines[:2] == (
        f"empty FIFO: {node} input 0 ({EDGE}/pw2)",
        f"full FIFO: {node} input 1 (cell0/edge1_skip_connect/reduce)",
    )
    assert all(line.startswith("blocked layer: ") for line in caught.value.lines[3:])


def test_missing_layer_in_the_rtl_is_an_error_not_a_pass(hardware):
    text = hardware.emission.verilog.replace(f" {EDGE.split('/')[1]} (", " renamed (")
    assert text != hardware.emission.verilog
    broken = dataclasses.replace(hardware.emission, files={"shiftnas_top.v": text})
    one, subject = stimuli(hardware.network, 1), Subject(emission=broken)
    with pytest.raises(CheckFailed, match="verilator_bin rejects the design"):
        cosim(hardware.network, hardware.design, one, subject)


def test_wrong_arguments(hardware):
    network, plan = hardware.network, hardware.plan
    one = stimuli(network, 1)
    other = hardware.emission.manifest | {"network_digest": "0" * 64}
    strange = dataclasses.replace(hardware.emission, manifest=other)
    with pytest.raises(InputError, match="simulator: 'cheap'; expected one of verilator, icarus"):
        cosim(network, design(network, plan), one, build=Build("cheap"))
    with pytest.raises(InputError, match="simulator: gate level is for verilator; leave --gates"):
        cosim(network, design(network, plan), one, Subject(gates="hierarchy"), Build("icarus"))
    with pytest.raises(InputError, match="level: 'bit'; expected one of"):
        cosim(network, design(network, plan), one, Subject("bit"))
    with pytest.raises(InputError, match="images: uint8 of shape"):
        cosim(network, design(network, plan), Stimuli(one.images[:, :2]))
    with pytest.raises(InputError, match="network_digest: the RTL is of another network"):
        cosim(network, design(network, plan), one, Subject(emission=strange))


def wraps_at_one_value(m, value, shift, fmt, *, name):
    """A requantiser wrong at one value: one code above the largest wraps to the smallest."""
    right = rounding.shift_saturate(m, value, shift, fmt, name=name)
    beyond = (value.as_signed() >> shift) == fmt.qmax + 1
    return Mux(beyond, C(fmt.qmin, right.shape()), right)


POINTWISE = "cell0/edge0_sep_conv_3x3/pw1"


def test_a_clamp_wrong_at_one_value_is_found_in_a_corner_only(hardware, monkeypatch, tmp_path):
    monkeypatch.setattr(requantise, "shift_saturate", wraps_at_one_value)
    network, subject = hardware.network, Subject("op", [POINTWISE])
    missed = cosim(network, hardware.design, stimuli(network, 4, corners=0), subject)
    assert missed.mismatches == 0 and missed.corners["frames"] == 0
    sent = stimuli(network, 4)
    with pytest.raises(CheckFailed) as caught:
        cosim(network, hardware.design, sent, subject, folder=tmp_path)
    message = str(caught.value)
    assert re.match(
        rf"cosim: {POINTWISE}: frame (\d+), pixel \(\d, \d+\), channel \d: expected 127, got -128 "
        r"\(1 of 1 layers differ, this is the first\); frame \1 is frame \d+ of \d+ made for the "
        rf"corners of {POINTWISE}(?: \(here: just above the upper clamp\))?; with --out DIR its "
        r"input stays, frame \1 of source_0\.bin, and corners\.json$",
        message,
    ), message
    # What the message names is there.
    corners = json.loads((tmp_path / "corners.json").read_text())[POINTWISE]
    wanted = {"kind": "just above the upper clamp", "code": 128}
    assert any(wanted.items() <= one.items() for one in corners["reached"])
    assert (tmp_path / "source_0.bin").is_file()


def test_corners_of_elements_and_where_there_are_none(hardware):
    network = hardware.network
    result = cosim(
        network, hardware.design, stimuli(network, 1, stall=0.3, corners=5), Subject("pe")
    )
    assert (result.frames, result.corners["frames"], result.mismatches) == (12, 5, 0)
    assert result.corners["reached"] > 0 and result.corners["no_room"] > 0
    with pytest.raises(InputError, match="corners: level cell has none; choose op or pe"):
        cosim(network, hardware.design, stimuli(network, 1, corners=5), Subject("cell"))


def test_one_part_has_the_corners_it_has_among_all(hardware):
    network, built = hardware.network, hardware.design
    one = designs.bench(network, built, "op", only=[POINTWISE]).corners
    both = designs.bench(network, built, "op", only=["stem/conv", POINTWISE]).corners
    assert one[POINTWISE].reached == both[POINTWISE].reached


# --- activation functions and biases --------------------------------------------------------------

SIDE = (5, 6, 4)
RESIDUAL = Graph(
    (
        Input(name="input", inputs=(), shape=(5, 6, 2)),
        Conv(
            name="stem", inputs=("input",), shape=SIDE, batch_norm=False, bias=True, clip=Clip.RELU
        ),
        Conv(name="conv", inputs=("stem",), shape=SIDE, kernel=(3, 3), padding=(1, 1)),
        Add(name="sum", inputs=("stem", "conv", "conv", "conv"), shape=SIDE, clip=Clip.RELU6),
        MaxPool(name="pool", inputs=("sum",), shape=(3, 3, 4), stride=(2, 2)),
        AvgPool(name="mean", inputs=("sum",), shape=(3, 3, 4), stride=(2, 2)),
        Concat(name="concat", inputs=("pool", "mean"), shape=(3, 3, 8), clip=Clip.RELU6),
        GlobalPool(name="global_pool", inputs=("concat",), shape=(1, 1, 8)),
        Linear(name="classifier", inputs=("global_pool",), shape=(1, 1, 3)),
    )
)


@pytest.fixture(scope="module")
def residual():
    network = random_network(RESIDUAL, seed=4)
    assert network.formats["sum"].limit is not None
    assert not network.formats["stem"].signed and any(network.params["stem"].bias)
    return network


def test_clipped_tensors_and_biases(residual):
    built = propose(residual, device("ulx3s-85f"))
    result = cosim(residual, built, stimuli(residual, 2, stall=0.3))
    assert (result.frames, result.mismatches) == (4, 0)
    (clipped,) = reference.run(residual, random_images(residual, 2, seed=1), ["sum"]).values()
    assert (clipped == residual.formats["sum"].limit).any() and (clipped == 0).any()


def test_a_limit_wrong_by_one_is_found(residual, monkeypatch):
    right = rounding.shift_saturate

    def wrong(m, value, shift, fmt, *, name):
        if fmt.limit is not None:
            fmt = dataclasses.replace(fmt, limit=fmt.limit + 1)
        return right(m, value, shift, fmt, name=name)

    monkeypatch.setattr(joins, "shift_saturate", wrong)
    built = propose(residual, device("ulx3s-85f"))
    with pytest.raises(CheckFailed, match="sum"):
        cosim(residual, built, stimuli(residual, 2, stall=0))


UNEVEN = Graph(
    (
        Input(name="input", inputs=(), shape=(6, 5, 2)),
        Conv(
            name="conv", inputs=("input",), shape=(6, 4, 3), kernel=(3, 2), padding=(2, 0),
            padding_end=(0, 0),
        ),
        MaxPool(
            name="pool", inputs=("conv",), shape=(3, 2, 3), stride=(2, 2), padding=(0, 0),
            padding_end=(1, 1),
        ),
        AvgPool(
            name="mean", inputs=("pool",), shape=(2, 1, 3), kernel=(2, 2), stride=(2, 2),
            padding=(0, 0), padding_end=(1, 0),
        ),
        GlobalPool(name="global_pool", inputs=("mean",), shape=(1, 1, 3)),
        Linear(name="classifier", inputs=("global_pool",), shape=(1, 1, 3)),
    )
)  # fmt: skip


def test_padding_that_differs_by_side():
    network = random_network(UNEVEN, seed=4)
    built = propose(network, device("ulx3s-85f"))
    result = cosim(network, built, stimuli(network, 2, stall=0.3))
    assert (result.frames, result.mismatches) == (4, 0)
    result = cosim(network, built, stimuli(network, 1), Subject("op"))
    assert result.mismatches == 0


SHUFFLED = Graph(
    (
        Input(name="input", inputs=(), shape=(4, 5, 2)),
        Conv(name="conv", inputs=("input",), shape=(4, 5, 4), clip=Clip.RELU),
        Select(name="left", inputs=("conv",), shape=(4, 5, 2), channels=(0, 1)),
        Select(name="right", inputs=("conv",), shape=(4, 5, 2), channels=(2, 3)),
        Conv(name="branch", inputs=("right",), shape=(4, 5, 2), kernel=(3, 3), padding=(1, 1)),
        Concat(name="concat", inputs=("left", "branch"), shape=(4, 5, 4)),
        Select(name="shuffle", inputs=("concat",), shape=(4, 5, 5), channels=(0, 2, 1, 3, 2)),
        GlobalPool(name="global_pool", inputs=("shuffle",), shape=(1, 1, 5)),
        Linear(name="classifier", inputs=("global_pool",), shape=(1, 1, 3)),
    )
)


def test_channels_split_and_shuffled():
    network = random_network(SHUFFLED, seed=4)
    built = propose(network, device("ulx3s-85f"))
    result = cosim(network, built, stimuli(network, 2, stall=0.3))
    assert (result.frames, result.mismatches) == (4, 0)
    assert cosim(network, built, stimuli(network, 1), Subject("op")).mismatches == 0

"""Co-simulation finds nothing in right hardware and names what is wrong in wrong hardware."""

import dataclasses

import numpy as np
import pytest
from mutant_cases import adder_of

from hw.errors import CheckFailed, InputError
from hw.ir.arithmetic import out_format
from hw.verilog import emit
from sim.cosim import cosim, default_images, random_images
from sim.mutation import schemata

EDGE = "cell0/edge0_sep_conv_3x3"


def images(network, count: int) -> np.ndarray:
    return random_images(network, count, seed=1)


def test_every_layer_is_compared_at_full_speed_and_under_stalls(hardware, tmp_path):
    network = hardware.network
    sent = images(network, 3)
    result = cosim(
        network,
        hardware.plan,
        emission=hardware.emission,
        images=sent,
        stall=0.3,
        folder=tmp_path,
    )
    assert (result.frames, result.stalled_frames, result.mismatches) == (6, 3, 0)
    streams = [*network.graph.nodes[1:], network.graph.output]
    assert [layer.layer.split(" ")[0] for layer in result.compared] == [n.name for n in streams]
    beats = [6 * int(np.prod(node.shape)) for node in streams]
    assert [layer.beats for layer in result.compared] == beats
    widths = [out_format(network, node.name).width for node in streams]
    assert result.bits == sum(b * w for b, w in zip(beats, widths, strict=True))
    assert result.cycles > 6 * result.cycles_per_frame * 0.9
    assert (tmp_path / "sim.log").is_file()


def test_roms_in_files(hardware, tmp_path):
    network, plan = hardware.network, hardware.plan
    emit.write(emit.emit(network, plan, "hex"), tmp_path)
    read = emit.read(tmp_path)
    result = cosim(network, plan, emission=read, images=images(network, 2), stall=0)
    assert (result.frames, result.mismatches) == (2, 0)
    # The contents do come from the files.
    name = f"shiftnas_top.{EDGE.replace('/', '.')}.dw1.window.program.hex"
    first, rest = read.files[name].split("\n", 1)
    flipped = f"{int(first, 16) ^ 1:0{len(first)}x}\n{rest}"
    spoilt = dataclasses.replace(read, files=read.files | {name: flipped})
    with pytest.raises(CheckFailed, match=f"{EDGE}/dw1"):
        cosim(network, plan, emission=spoilt, images=images(network, 2), stall=0)


@pytest.mark.parametrize("level", ["cell", "op"])
def test_parts_on_their_own(hardware, level):
    network = hardware.network
    result = cosim(network, hardware.plan, images=images(network, 2), level=level, stall=0.3)
    assert (result.frames, result.mismatches) == (4, 0)
    assert {layer.layer for layer in result.compared} == {n.name for n in network.graph.nodes[1:]}


def test_flipped_operator_is_found_and_its_layer_named(hardware):
    layer = f"{EDGE}/dw1"
    mutant = schemata.mutated(hardware.emission, adder_of(hardware.emission, layer))
    assert sum(a != b for a, b in zip(mutant.verilog, hardware.emission.verilog, strict=True)) == 1
    with pytest.raises(CheckFailed) as caught:
        cosim(
            hardware.network,
            hardware.plan,
            emission=mutant,
            images=images(hardware.network, 2),
        )
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
            plan,
            images=images(hardware.network, 1),
            stall=0,
            patience=1500,
        )
    message = str(caught.value)
    assert f"full FIFOs: {node} input 1 (cell0/edge1_skip_connect/reduce);" in message
    assert f"empty FIFOs: {node} input 0 ({EDGE}/pw2)" in message
    assert "first layer short of beats: " in message


def test_missing_layer_in_the_rtl_is_an_error_not_a_pass(hardware):
    text = hardware.emission.verilog.replace(f" {EDGE.split('/')[1]} (", " renamed (")
    assert text != hardware.emission.verilog
    broken = dataclasses.replace(hardware.emission, files={emit.VERILOG: text})
    with pytest.raises(CheckFailed, match="verilator_bin rejects the design"):
        cosim(hardware.network, hardware.plan, emission=broken, images=images(hardware.network, 1))


def test_wrong_arguments(hardware):
    network, plan = hardware.network, hardware.plan
    one = images(network, 1)
    with pytest.raises(InputError, match=r"stall: 1\.5; expected a probability"):
        cosim(network, plan, images=one, stall=1.5)
    with pytest.raises(InputError, match="stall-pattern: 'often'; expected one of never, always"):
        cosim(network, plan, images=one, stall_pattern="often")
    with pytest.raises(InputError, match="simulator: 'cheap'; expected one of verilator, icarus"):
        cosim(network, plan, images=one, simulator="cheap")
    with pytest.raises(InputError, match="simulator: gate level is for verilator; leave --gates"):
        cosim(network, plan, images=one, simulator="icarus", gates="hierarchy")
    with pytest.raises(InputError, match="level: 'bit'; expected one of"):
        cosim(network, plan, images=one, level="bit")
    with pytest.raises(InputError, match="images: uint8 of shape"):
        cosim(network, plan, images=one[:, :2])
    with pytest.raises(InputError, match="leave the RTL folder out"):
        cosim(network, plan, images=one, level="op", emission=hardware.emission)
    with pytest.raises(InputError, match="network_digest: the RTL is of another network"):
        other = hardware.emission.manifest | {"network_digest": "0" * 64}
        cosim(
            network,
            plan,
            images=one,
            emission=dataclasses.replace(hardware.emission, manifest=other),
        )
    with pytest.raises(InputError, match="frames: 0"):
        default_images(network, None, 0, 1)
    with pytest.raises(InputError, match="frames: 3; the data have 1 images"):
        default_images(network, one, 3, 1)


def test_random_images_are_repeatable_and_have_the_corners(hardware):
    first, again = (random_images(hardware.network, 5, seed=4) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, random_images(hardware.network, 5, seed=5))
    assert not first[1].any()
    assert (first[2] == 255).all()
    assert set(np.unique(first[3])) == {0, 255}

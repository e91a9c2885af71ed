"""network."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from hw.ir import reference, serialize
from hw.ir.parameters import Rounding
from hw.networks import exponents
from shiftnas import subcommand

TINY = (
    "--genotype", "ShiftNAS_C10", "--channels", 2, "--cells", 1, "--image", "8x8x1",
    "--classes", 10,
)  # fmt: skip


def run(name, *arguments):
    return CliRunner().invoke(subcommand(name), [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    folder = tmp_path_factory.mktemp("net") / "net"
    assert run("network", *TINY, "--out", folder).exit_code == 0
    return folder


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_network_is_repeatable(net, tmp_path):
    result = run("network", *TINY, "--out", tmp_path / "again", "--json")
    made = json.loads(result.stdout)
    assert files(tmp_path / "again") == files(net)
    loaded = serialize.load(net)
    assert made["digest"] == loaded.digest and made["nodes"] == len(loaded.graph)
    assert loaded.meta["channels"] == 2 and loaded.meta["weights"] == "random"
    run("network", *TINY, "--out", tmp_path / "other", "--seed", 2)
    assert serialize.load(tmp_path / "other").digest != loaded.digest


MODEL = ("--model", "resnet8", "--width", "0.25", "--image", "9x8x3", "--classes", "4")


def test_a_conventional_network(tmp_path):
    result = run("network", *MODEL, "--out", tmp_path / "net")
    assert result.exit_code == 0, result.output
    network = serialize.load(tmp_path / "net")
    assert network.graph["stage3/block0/sum"].shape == (3, 2, 16)
    assert (network.meta["model"], network.meta["width"]) == ("resnet8", 0.25)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (TINY[2:], "--genotype or --model: give one of them"),
        (TINY[:2] + TINY[4:], "--channels: a network of cells needs it"),
        (
            (*TINY, "--width", "2"),
            "--width: of --model; a network of cells has channels",
        ),
        ((*MODEL, *TINY[:2]), "--genotype: not beside --model; its size is --width"),
        ((*MODEL, "--cells", "3"), "--cells: not beside --model; its size is --width"),
        ((*MODEL, "--model", "vgg16"), "image: 9x8 is too small"),
    ],
)
def test_options_of_cells_and_of_conventional_networks(tmp_path, options, said):
    result = run("network", *options, "--out", tmp_path / "net")
    assert result.exit_code == 2 and said in result.output + str(result.exception)
    assert not (tmp_path / "net").exists()


def test_network_settings_reach_the_network(tmp_path):
    settings = ("--act-bits", 6, "--scale-terms", 2, "--guard", 4, "--weight-bits", 6)
    assert run("network", *TINY, *settings, "--out", tmp_path / "net").exit_code == 0
    made = serialize.load(tmp_path / "net")
    assert made.arithmetic.scale_terms == 2 and made.arithmetic.guard == 4
    assert made.arithmetic.weight_bits == 6
    assert {fmt.width for name, fmt in made.formats.items() if name != "input"} == {6}


def test_paper_mode(tmp_path):
    assert run("network", *TINY, "--paper", "--out", tmp_path / "net").exit_code == 0
    made = serialize.load(tmp_path / "net")
    assert made.arithmetic.rounding == "floor" and made.arithmetic.guard == 0
    assert made.formats["stem/conv"].width == 32


def test_share_of_zeros_is_asked_for(tmp_path):
    assert run("network", *TINY, "--zeros", "0.6", "--out", tmp_path / "n").exit_code == 0
    found = exponents.together(exponents.of_network(serialize.load(tmp_path / "n")).values())
    assert 0.5 < found.zero_share < 0.7
    refused = run("network", *TINY, "--zeros", "1", "--out", tmp_path / "m")
    assert refused.exit_code == 2
    assert "--zeros" in refused.stderr


def test_rounding_is_asked_for(tmp_path):
    """Nothing but the rounding differs from what is made without the option."""
    for name, options in (("up", ()), ("floor", ("--rounding", "floor"))):
        assert run("network", *TINY, *options, "--out", tmp_path / name).exit_code == 0
    up, floor = (serialize.load(tmp_path / name) for name in ("up", "floor"))
    assert (up.arithmetic.rounding, floor.arithmetic.rounding) == ("half_up", "floor")
    assert replace(floor.arithmetic, rounding=Rounding.HALF_UP) == up.arithmetic
    images = np.random.default_rng(1).integers(0, 256, (2, 8, 8, 1), np.uint8)
    half = replace(up, arithmetic=floor.arithmetic)
    codes = [reference.run(network, images)["stem/conv"] for network in (up, half)]
    # A floor is the same code or the one below, about as often.
    assert set(np.unique(codes[0] - codes[1]).tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--paper --act-bits 8", "--act-bits: 8 contradicts --paper, which means 32"),
        ("--paper --guard 3", "--guard: 3 contradicts --paper, which means 0"),
        ("--paper --weight-bits 5", "--weight-bits: 5 contradicts --paper, which means 6"),
        ("--paper --rounding half_up", "--rounding: half_up contradicts --paper, which means"),
        ("--formats {net} --act-bits 8", "--act-bits: --formats brings the tensors' widths"),
        ("--guard 33", "33 is not in the range 0<=x<=32"),
        ("--guard -1", "-1 is not in the range 0<=x<=32"),
        ("--channels 0", "0 is not in the range x>=1"),
        ("--seed -1", "-1 is not in the range 0<=x<=18446744073709551615"),
        ("--seed 18446744073709551616", "18446744073709551616 is not in the range"),
    ],
)
def test_options_that_contradict_or_are_out_of_range(net, tmp_path, options, said):
    words = options.format(net=net).split()
    result = run("network", *TINY, *words, "--out", tmp_path / "net")
    assert result.exit_code == 2 and result.stderr.count("\n") == 1 and said in result.stderr
    assert not (tmp_path / "net").exists()


def test_the_ends_of_the_ranges_work(tmp_path):
    options = ("--guard", 32, "--seed", 18446744073709551615)
    assert run("network", *TINY, *options, "--out", tmp_path / "net").exit_code == 0
    assert serialize.load(tmp_path / "net").arithmetic.guard == 32


def test_paper_beside_what_it_means(tmp_path):
    same = ("--act-bits", 32, "--guard", 0, "--weight-bits", 6, "--rounding", "floor")
    for name, options in (("short", ()), ("long", same)):
        assert run("network", *TINY, "--paper", *options, "--out", tmp_path / name).exit_code == 0
    assert files(tmp_path / "short") == files(tmp_path / "long")


def test_an_output_that_exists_is_kept(net):
    before = files(net)
    result = run("network", *TINY, "--out", net, "--seed", 3)
    assert result.exit_code == 2 and "exists already" in result.stderr and files(net) == before


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (("--genotype", "Unknown"), "Unknown"),
        (("--image", "8x8"), "--image"),
        (("--image", "8x8x0"), "image"),
        (("--channels", "0"), "channels"),
        (("--cells", "-1"), "cells"),
        (("--act-bits", "33"), "--act-bits"),
    ],
)
def test_network_of_wrong_calls(tmp_path, change, part):
    result = run("network", *TINY, *change, "--out", tmp_path / "net")
    assert result.exit_code == 2 and result.stdout == "" and part in result.stderr
    assert result.stderr.count("\n") == 1 and list(tmp_path.iterdir()) == []

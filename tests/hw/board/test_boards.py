import re
import sys

import pytest

from hw.board import boards
from hw.board.boards import Board
from hw.dataflow.fabric import Device
from hw.errors import InputError


@pytest.mark.parametrize("entry", boards.BOARDS.values(), ids=lambda entry: entry.name)
def test_facts_equal_those_of_amaranth_boards(entry):
    platform = entry.platform()
    assert platform.device == entry.device
    assert platform.default_clk_frequency == entry.clock_mhz * 1e6
    assert ("uart", 0) in platform.resources


def test_ulx3s_85f_capacity():
    entry = boards.board("ULX3S-85F")
    die = entry.die
    assert (die.luts, die.flip_flops, die.ram_blocks, die.dsps) == (83640, 83640, 208, 156)
    assert die.ram_bits == 208 * 18 * 1024


def test_unknown_board_lists_those_there_are():
    with pytest.raises(InputError, match=re.escape("no board is called 'nexys'")) as raised:
        boards.board("nexys")
    assert "ulx3s-85f" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_missing_amaranth_boards_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "amaranth_boards.ulx3s", None)
    with pytest.raises(InputError, match="pip install amaranth-boards"):
        boards.board("ulx3s-85f").platform()


def test_names_follow_the_table():
    assert list(boards.BOARDS)[3] == "ulx3s-85f"


def test_no_board_has_no_limits():
    assert boards.device("none") == boards.device("NONE") == Device("none")
    board = boards.board("ulx3s-85f")
    die = board.die
    assert boards.device("ULX3S-85F") == Device(
        board.name, die.luts, die.flip_flops, die.ram_blocks, 50.0
    )
    with pytest.raises(InputError, match=r"no board is called 'nexys'; choose one of .*, or none"):
        boards.device("nexys")
    with pytest.raises(InputError, match="no board is called 'none'"):
        boards.board("none")


def test_the_clock_is_what_the_pll_gives():
    assert boards.device("ulx3s-85f", 60).clock_mhz == 60
    assert boards.device("ecpix5-85f", 73.3).clock_mhz == pytest.approx(950 / 13)
    assert boards.device("none", 900).clock_mhz == 900
    with pytest.raises(InputError, match=r"clock: 900 MHz is not what the PLL makes"):
        boards.device("ulx3s-85f", 900)


def added(monkeypatch, name, *fields):
    monkeypatch.setitem(boards.BOARDS, name, Board(name, *fields))


ORANGECRAB = ("LFE5U-25F", 48.0, "orangecrab_r0_2:OrangeCrabR0_2_25FPlatform")


def test_a_board_without_a_serial_port(monkeypatch):
    """It can be planned for, at the clock that 48 MHz give; no bitstream is begun."""
    added(monkeypatch, "orangecrab", *ORANGECRAB)
    assert boards.device("orangecrab").clock_mhz == 48
    with pytest.raises(InputError, match=r"board orangecrab: .* lacks a serial port \(uart#0"):
        boards.for_bitstream("orangecrab")


@pytest.mark.parametrize(
    ("device", "where", "lacks"),
    [
        ("iCE40UP5K", "icebreaker:ICEBreakerPlatform", "an ECP5 (its FPGA is a iCE40UP5K);"),
        ("GW1NR-9C", "tang_nano_9k:TangNano9kPlatform", "an ECP5 (its FPGA is a GW1NR-9C);"),
    ],
)
def test_a_board_without_an_ecp5(monkeypatch, device, where, lacks):
    added(monkeypatch, "other", device, 12.0, where)
    with pytest.raises(
        InputError, match=re.escape(f"board other: no bitstream can be made, it lacks {lacks}")
    ):
        boards.for_bitstream("other")
    with pytest.raises(InputError, match=f"board other: the FPGA is a {device}; plans for a board"):
        boards.device("other")


@pytest.mark.parametrize("clock", [None, "OSCG"])
def test_a_board_without_a_clock_on_a_pin(monkeypatch, clock):
    board = boards.board("ulx3s-85f")
    platform = board.platform()
    platform.default_clk = clock
    with pytest.raises(InputError, match="lacks a default clock on a pin, with its frequency; cho"):
        board.require(platform)

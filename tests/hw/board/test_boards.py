import re
import sys

import pytest

from hw.board import boards
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
    assert boards.device("ULX3S-85F") == Device(board.name, board.die.luts, board.die.ram_blocks)
    with pytest.raises(InputError, match=r"no board is called 'nexys'; choose one of .*, or none"):
        boards.device("nexys")
    with pytest.raises(InputError, match="no board is called 'none'"):
        boards.board("none")

import re
import sys

import pytest

from hw.board import boards
from hw.errors import InputError


@pytest.mark.parametrize("entry", boards.BOARDS.values(), ids=lambda entry: entry.name)
def test_facts_equal_those_of_amaranth_boards(entry):
    platform = entry.platform()
    assert platform.device == entry.device
    assert platform.default_clk_frequency == entry.clock_mhz * 1e6
    assert ("uart", 0) in platform.resources


def test_ulx3s_85f_capacity():
    entry = boards.board("ULX3S-85F")
    assert (entry.luts, entry.flip_flops, entry.ram_blocks, entry.dsps) == (83640, 83640, 208, 156)
    assert entry.ram_bits == 208 * 18 * 1024


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
    assert boards.names()[3] == "ulx3s-85f"


def test_no_board_has_no_limits():
    assert boards.limits("none") is None is boards.limits("NONE")
    assert boards.limits("ULX3S-85F") is boards.board("ulx3s-85f")
    with pytest.raises(InputError, match=r"no board is called 'nexys'; choose one of .*, or none"):
        boards.limits("nexys")
    with pytest.raises(InputError, match="no board is called 'none'"):
        boards.board("none")

"""The log of an overlay's data memory, played back."""

import numpy as np

from sim.overlay.writes import Write, lives


def write(address: int, *, capture: bool = False) -> Write:
    rows = np.full(2, address, np.int64)
    return Write(capture, rows, np.ones((2, 2), bool), np.zeros((2, 2), np.int32))


def cleared(words: int = 16) -> list[Write]:
    return [write(address) for address in range(words)]


def test_a_life_begins_where_word_0_is_cleared():
    capture = write(5, capture=True)
    found = [list(life) for life in lives([*cleared(), capture, *cleared(), capture, capture])]
    assert [len(life) for life in found] == [17, 18]


def test_what_was_on_its_way_when_a_reset_came_is_no_life():
    """Nor is the beginning of one, whose program the reset took."""
    for before in ([write(7)], [write(3, capture=True)], cleared(3)):
        found = [list(life) for life in lives([*before, *cleared(), write(5, capture=True)])]
        assert [len(life) for life in found] == [17]
        assert found[0][0].address[0] == 0

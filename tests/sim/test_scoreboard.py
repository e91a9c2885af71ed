"""Words of streams, and the first difference between two."""

import numpy as np
import pytest

from sim import scoreboard
from sim.scoreboard import Compared, compare, to_bytes, to_integer, to_words


@pytest.mark.parametrize("words", [1, 2, 3])
def test_words_hold_every_value(words):
    low, high = -(1 << 32 * words - 1), (1 << 32 * words - 1) - 1
    values = [0, 1, -1, low, high, low + 1, 12345]
    found = to_words(np.array(values, object), words)
    assert found.shape == (len(values), words)
    assert [to_integer(row, signed=True) for row in found] == values


def test_machine_integers_give_the_same_words():
    values = np.array([[[0, -1, 127], [-(2**31), 2**31 - 1, 5]]])
    for words in (1, 2):
        assert np.array_equal(to_words(values, words), to_words(values.astype(object), words))


def test_bytes_of_a_source():
    assert to_bytes(np.array([1, 255]), 1) == b"\x01\xff"
    assert to_bytes(np.array([1, -2]), 2) == b"\x01\x00\xfe\xff"
    assert to_bytes(np.array([-2]), 4) == b"\xfe\xff\xff\xff"
    assert to_bytes(np.array([1 << 40], object), 8) == (1 << 40).to_bytes(8, "little")


def test_equal_streams():
    words = to_words(np.arange(24), 1)
    assert compare("x", words, words, (2, 3, 2), True) == Compared("x", 24, 24, 0, None)


def test_first_difference_is_placed_and_bits_are_counted():
    expected = to_words(np.arange(24) - 12, 1)
    captured = expected.copy()
    captured[17] ^= 1  # frame 1, pixel (0, 2), channel 1
    captured[20] ^= 7
    result = compare("x", captured, expected, (2, 3, 2), True)
    assert result.mismatches == 4
    assert str(result.difference) == "frame 1, pixel (0, 2), channel 1: expected 5, got 4"


def test_missing_beats_are_a_difference():
    expected = to_words(np.arange(12), 1)
    result = compare("x", expected[:7], expected, (2, 3, 2), True)
    assert (result.beats, result.mismatches) == (7, 0)
    assert str(result.difference) == "frame 0, pixel (1, 0), channel 1: expected 7, got nothing"


def test_round_trip_through_json():
    expected = to_words(np.arange(12), 1)
    for captured in (expected, expected[:5]):
        result = compare("x", captured, expected, (2, 3, 2), True)
        assert Compared.from_dict(result.as_dict()) == result


def test_incomplete_beat_at_the_end_of_a_file_is_dropped(tmp_path):
    np.arange(5, dtype="<u4").tofile(tmp_path / "tap.bin")
    assert scoreboard.read_words(tmp_path / "tap.bin", 2).tolist() == [[0, 1], [2, 3]]

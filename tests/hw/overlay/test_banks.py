"""Banks of the data memory and the block RAMs that memories take."""

import pytest

from hw.overlay.banks import MOST_WORDS, blocks, depths, held, program_blocks


@pytest.mark.parametrize(
    ("words", "expected"),
    [(1, (512,)), (512, (512,)), (513, (1024,)), (1024, (1024,)), (1025, (1024, 512)),
     (1535, (1024, 512)), (1536, (2048,)), (4095, (2048, 2048))],
)  # fmt: skip
def test_banks_take_as_few_blocks_as_they_can(words, expected):
    assert depths(words) == expected
    assert held(words) >= words and depths(held(words)) == expected


def test_more_words_than_two_banks_have_are_refused():
    assert held(MOST_WORDS) == MOST_WORDS
    with pytest.raises(ValueError, match="at most 4095, found 4096"):
        depths(MOST_WORDS + 1)


def test_blocks_of_a_grid():
    assert blocks(16, 16, 1535) == 192
    assert blocks(8, 8, 1024) == 32
    assert blocks(3, 5, 512) == 6


@pytest.mark.parametrize(("words", "expected"), [(64, 1), (1024, 1), (1025, 2), (16384, 16)])
def test_blocks_of_a_program(words, expected):
    assert program_blocks(words) == expected

"""Names, colours and words for operations."""

import itertools
import re

import pytest

from hw.networks import genotypes
from hw.networks.space import OPERATIONS
from hw.report.operations import COLOURS, colour, in_words, short, state_name, text_colour


@pytest.mark.parametrize(
    ("operation", "label"),
    [
        ("sep_conv_3x3", "sep 3×3"),
        ("dil_conv_5x5", "dil 5×5"),
        ("max_pool_3x3", "max pool 3×3"),
        ("skip_connect", "skip"),
        ("conv_7x1_1x7", "conv 7×1 1×7"),
        ("zero", "zero"),
    ],
)
def test_short_names(operation, label):
    assert short(operation) == label


def distance(one, other):
    return sum(abs(int(one[i : i + 2], 16) - int(other[i : i + 2], 16)) for i in (1, 3, 5))


def test_every_operation_has_a_colour_of_its_own():
    colours = {name: colour(name) for name in (*OPERATIONS, *COLOURS)}
    for one, other in itertools.combinations(colours.values(), 2):
        assert distance(one, other) > 60, (one, other)


def test_an_operation_added_gets_a_colour_that_stays_and_is_no_others():
    names = [f"own_{word}_{k}x{k}" for word in ("conv", "pool", "blur", "shift") for k in (1, 3, 5)]
    drawn = [colour(name) for name in names]
    assert drawn == [colour(name) for name in names] and len(set(drawn)) == len(drawn)
    for name, one in zip(names, drawn, strict=True):
        assert re.fullmatch("#[0-9a-f]{6}", one)
        assert min(distance(one, known) for known in COLOURS.values()) > 30, name


def test_text_reads_on_its_ground():
    assert text_colour("#ffffff") != text_colour("#000000") == "#ffffff"


def test_cells_in_words():
    assert in_words(genotypes.get("ShiftNAS_C10").normal) == (
        "8 operations, 2 of them skips: 5 sep 3×3, 2 skip, 1 dil 5×5."
    )
    assert in_words([("sep_conv_3x3", 0), ("max_pool_3x3", 1)]) == (
        "2 operations, none of them a skip: 1 sep 3×3, 1 max pool 3×3."
    )
    assert "one of them a skip" in in_words([("sep_conv_3x3", 0), ("skip_connect", 1)])


def test_states():
    assert [state_name(state) for state in range(4)] == ["c[k−2]", "c[k−1]", "node 0", "node 1"]

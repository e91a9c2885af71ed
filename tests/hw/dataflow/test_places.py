"""Attributes of memories: what each tool reads first is a word that it knows."""

import pytest

from hw.dataflow import places
from hw.dataflow.plan import Place

YOSYS = (
    "ram_block", "rom_block", "ram_style", "rom_style", "ramstyle", "romstyle", "syn_ramstyle",
    "syn_romstyle",
)  # fmt: skip
"""Attributes in the order in which Yosys looks for one; the first that is there counts."""

KINDS = {
    "lutram": (places.ram(Place.LUTRAM), "distributed"),
    "sums": (places.ram(Place.LUTRAM, apart=False), "distributed"),
    "block": (places.ram(Place.BLOCK), "block"),
    "table": (places.rom(Place.LOGIC), "logic"),
    "block of fixed words": (places.rom(Place.BLOCK), "block"),
}

WORDS = {
    "ram_style": {"distributed", "block"},
    "rom_style": {"distributed", "block"},
    "ramstyle": {"no_rw_check"},
    "romstyle": {"logic"},
    "syn_ramstyle": {"distributed", "block_ram"},
    "syn_romstyle": {"logic", "block_rom"},
}
"""What Vivado, Quartus and those with syn_… know of an attribute, by their manuals."""


@pytest.mark.parametrize("kind", KINDS)
def test_first_word_is_yosys_own(kind):
    attributes, word = KINDS[kind]
    assert next(attributes[name] for name in YOSYS if name in attributes) == word


@pytest.mark.parametrize("kind", KINDS)
def test_other_words_are_the_other_tools_own(kind):
    attributes, _ = KINDS[kind]
    ours = {"rom_block", "no_rw_check"}
    assert all(attributes[name] in WORDS[name] for name in attributes.keys() - ours)
    assert any(name.startswith("syn_") for name in attributes)


@pytest.mark.parametrize("kind", KINDS)
def test_collisions_are_left_alone_only_where_there_are_none(kind):
    attributes, _ = KINDS[kind]
    assert (
        ("no_rw_check" in attributes) == ("ramstyle" in attributes) == (kind in ("lutram", "block"))
    )

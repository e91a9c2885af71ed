"""The words of a program: every number is one word or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.overlay import isa
from hw.overlay.isa import Capture, Direction, Flow, Imm, Jump, Mode, Shift, Weight


def words():
    for number in range(1 << isa.WORD_BITS):
        try:
            yield number, isa.unpack(number)
        except ValueError:
            continue


def test_every_number_is_the_word_that_it_unpacks_to_or_none():
    seen = set()
    for number, word in words():
        assert word.pack() == number
        assert word not in seen
        seen.add(word)
    weights = 1 << 15
    flows = 6 + 2
    immediates = 1 << 11
    shifts = 4 * 3
    captures = sets = dests = 1 << 12
    bodies = 4096 - isa.SHORTEST_BODY
    assert len(seen) == weights + flows + immediates + shifts + captures + sets + dests + bodies


def test_words_by_hand():
    assert Weight(isa.operand(5), negative=True).pack() == 0x4005
    assert Weight(isa.operand(5, 1, 2, 2), halve=True).pack() == 0x2000 | 0b0110 << 9 | 5
    assert Imm(-1, carry=True).pack() == 0x9000 | 0x3FF
    assert Imm(0, halve=True).pack() == 0x9400
    assert Shift(Direction.BELOW, halve=True).pack() == 0xA00F
    assert Capture(Mode.RAW, clear=False, advance=False, delta=3).pack() == 0xBC30
    assert isa.Set(isa.Register.OUTPUT, 0x80).pack() == 0xCF80
    assert isa.Body(4).pack() == 0xD004
    assert isa.Dest(4095).pack() == 0xEFFF
    assert Jump(Flow.OUT, 1).pack() == 0x8601


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (Weight(1 << 13), "operand: 8192; expected 0 to 8191"),
        (Imm(256), "immediate: 256; expected -256 to 255"),
        (Imm(-257), "immediate: -257; expected -256 to 255"),
        (Shift(Direction.LEFT, add=False, halve=True), "a shift halves only where it adds"),
        (Capture(Mode.WIDE, delta=16), "delta: 16; expected 0 to 15"),
        (isa.Set(isa.Register.MODE, 256), "MODE: 256; expected 0 to 255"),
        (isa.Body(2), "body: 2 words; expected 4 to 4095"),
        (isa.Body(4096), "body: 4096 words; expected 4 to 4095"),
        (isa.Dest(4096), "slot: 4096; expected 0 to 4095"),
        (Jump(Flow.NOP, 1), "NOP: no argument 1"),
        (Jump(Flow.OUT, 2), "OUT: no argument 2"),
    ],
)
def test_what_does_not_fit_is_refused(word, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        word.pack()


@given(
    st.integers(0, isa.MOST_TAP_BITS).flatmap(
        lambda bits: st.tuples(
            st.just(bits),
            st.integers(0, (1 << bits) - 1),
            st.integers(0, (1 << bits) - 1),
            st.integers(0, (1 << (isa.OPERAND_BITS - 2 * bits)) - 1),
        )
    )
)
def test_operands_come_apart_as_they_were_put_together(fields):
    bits, y, x, slot = fields
    assert isa.split(isa.operand(slot, y, x, bits), bits) == (slot, y, x)


@given(st.integers(-8, 7), st.integers(-8, 7))
def test_pitches(rows, columns):
    value = isa.pitches(rows, columns)
    assert (isa.signed(value >> 4, 4), isa.signed(value & 15, 4)) == (rows, columns)


def test_values_of_registers_that_do_not_fit():
    with pytest.raises(ValueError, match="pitch: 2\\^8"):
        isa.pitches(8, 0)
    with pytest.raises(ValueError, match="offset: 128"):
        isa.offset(128)
    with pytest.raises(ValueError, match="stride: 16"):
        isa.steps(16, 1)

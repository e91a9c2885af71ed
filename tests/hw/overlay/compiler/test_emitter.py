"""Groups in bodies: several in one where none reads what another one captures there."""

from hw.overlay import isa
from hw.overlay.compiler.emitter import JOINED_BODY, Emitter, Group, View
from hw.overlay.isa import Body, Capture, Dest, Flow, Mode, Weight

PLANE = 4
"""Words of a plane."""

NOP = isa.Jump(Flow.NOP)


def emitter() -> Emitter:
    """One that reads and writes planes of 2 × 2 words, pixel by pixel; its settings are done."""
    found = Emitter()
    found.configure(View(pitch_in=(1, 1), pitch_out=(1, 1), size=(8, 8)))
    found.base(0)
    found.section(Flow.END_PREFIX)
    found.configure(View(pitch_in=(1, 1), pitch_out=(1, 1), size=(8, 8)))
    found.base(0)
    return found


def group(target: int, *slots: int, tail: tuple[isa.Word, ...] = ()) -> Group:
    """The sum of these planes into another one; all by their slots."""
    found = Group()
    for slot in slots:
        found.word(Weight(slot), plane=slot * PLANE)
    if tail:
        found.word(*tail)
    found.capture(target * PLANE, Mode.WIDE)
    return found


def emitted(*groups: Group) -> tuple[list[isa.Word], list[int]]:
    """The words behind the settings, and each group's index among them."""
    made = emitter()
    first = made.length
    indices = [made.group(one) - first for one in groups]
    words = made.section(Flow.END_PREFIX)[first:-1]
    return [isa.unpack(word) for word in words.tolist()], indices


def capture(delta: int = 0, advance: bool = False) -> Capture:
    return Capture(Mode.WIDE, delta=delta, advance=advance)


def test_one_body_for_groups_side_by_side():
    words, indices = emitted(group(8, 1, 2), group(9, 3), group(12, 1))
    assert words == [
        Dest(8),
        Body(7),
        Weight(1),
        Weight(2),
        capture(),
        Weight(3),
        capture(1),
        Weight(1),
        capture(4),
    ]
    assert indices == [4, 6, 8]


def test_a_group_alone_has_nops_behind_it():
    words, indices = emitted(group(8, 1))
    assert words == [Dest(8), Body(4), Weight(1), capture(advance=True), NOP, NOP]
    assert indices == [3]


def bodies(*groups: Group) -> int:
    return sum(isinstance(word, Body) for word in emitted(*groups)[0])


def test_what_is_captured_in_a_body_is_not_read_in_it():
    # Word by word it might be; but what reads it may as well read other words than its own.
    assert bodies(group(8, 1), group(9, 8)) == 2
    # Nor written while another group still reads it, pass after pass.
    assert bodies(group(8, 1), group(1, 2)) == 2
    assert bodies(group(8, 1), group(8, 2)) == 2


def test_a_capture_reaches_15_planes():
    assert bodies(group(8, 1), group(23, 2)) == 1
    assert bodies(group(8, 1), group(24, 2)) == 2
    assert bodies(group(8, 1), group(7, 2)) == 2


def test_a_body_of_several_groups_is_no_long_one():
    """A streamed program's memory holds the longest body; that of one group may be any."""
    long = group(8, *[1] * (JOINED_BODY - 3))
    assert bodies(long, group(9, 2)) == 1
    assert bodies(long, group(9, 2, 3)) == 2
    assert bodies(group(8, *[1] * 2000), group(9, 2)) == 2


def test_registers_stay_as_they_are_in_a_body():
    move = (isa.Set(isa.Register.BASE_LOW, 4), isa.Set(isa.Register.BASE_HIGH, 0))
    assert bodies(group(8, 1), group(9, 2, tail=move)) == 2
    assert bodies(group(8, 1, tail=move), group(9, 2)) == 2


def test_a_plane_of_several_words_is_read_word_by_word_at_once():
    """Each word is captured passes before it is read: no NOPs; but from afar they are needed."""
    words, _ = emitted(group(8, 1, 2, 3), group(9, 8))
    assert words.count(NOP) == 2
    made = emitter()
    made.group(group(8, 1, 2, 3))
    made.configure(View(pitch_in=(1, 1), pitch_out=(1, 1), size=(8, 8), tap_bits=1))
    before = made.length
    near = Group()
    near.word(Weight(isa.operand(8, 0, 1, 1)), plane=8 * PLANE)
    near.capture(9 * PLANE, Mode.WIDE)
    made.group(near)
    words = [isa.unpack(word) for word in made.section(Flow.END_PREFIX)[before:-1].tolist()]
    assert words[0] == NOP

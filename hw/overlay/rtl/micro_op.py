"""What all lanes do in one cycle."""

from amaranth.lib import data

from hw.overlay.isa import Mode
from hw.overlay.rtl.lane import operand_control


def micro_op(rows: int, columns: int, bits: int, words: int) -> data.StructLayout:
    """One cycle's work of the array, as it enters it.

    All of it belongs together: the word read is the operand loaded, which is added; a capture sees
    the sum without what the same micro-operation adds, a clear comes after a capture.

    read: address of a word; 0 says nothing and stands where nothing is loaded
    operand: see `Operand`
    add, halve, clear, clear_negative: see `Accumulator`
    mode, rows_taken, columns_taken: capture; lanes in no such row and column count as zero
    image: a pixel for all lanes, where nothing is captured: rows_taken is 0
    write: address of the word that the pixels go to, in the lanes of these rows and columns
    """
    address = (words - 1).bit_length()
    return data.StructLayout(
        {
            "read": address,
            "operand": operand_control(bits),
            "add": 1,
            "halve": 1,
            "clear": 1,
            "clear_negative": 1,
            "mode": Mode,
            "rows_taken": rows,
            "columns_taken": columns,
            "image": bits,
            "write": address,
            "rows_written": rows,
            "columns_written": columns,
        }
    )


OUTPUT_CONTROL = data.StructLayout({"collect": 1, "lane": 4, "out": 1, "final": 1})
"""What the output is told with a micro-operation.

collect, lane: its halving loses a logit's next bit, in which lane of the corner
out, final: the logit is whole; it is the image's last
"""

READ_TO_LOAD = 2
"""Cycles from a word's address to the operand's control."""

LOAD_TO_ADD = 1
"""Cycles from the operand's control to the accumulator's, and the capture's."""

TAKE_TO_FLIP = 1
TAKE_TO_WRITE = 2
"""Cycles from a capture's control to the loader's pixel, and to the write."""

HAZARD = READ_TO_LOAD + LOAD_TO_ADD + TAKE_TO_WRITE + 1
"""A word captured by one micro-operation can be read by one that comes so many cycles later."""

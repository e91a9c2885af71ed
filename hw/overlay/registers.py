"""Registers of an overlay's AXI4-Lite port, as whoever drives it sees them."""

from enum import IntEnum

IDENTITY = int.from_bytes(b"SNOV", "big")
VERSION = 1
"""Of this map."""

ADDRESS_BITS = 4
"""Of a register's number."""

FRAME_BITS = 16
"""Of the count of frames."""


class Register(IntEnum):
    """Numbers of the registers; the address in bytes is four times as much."""

    IDENTITY = 0
    VERSION = 1
    """Of this map in bits 31 to 16, of the words of programs in bits 15 to 0."""
    FINGERPRINT = 2
    """Of the overlay: what programs for it carry."""
    CONTROL = 3
    STATUS = 4
    CYCLES = 5
    """Of the last batch that was done, those not counted that it waited for an image."""
    FRAMES = 6
    """Whose logits have left since the reset, modulo 2^16."""
    PROGRAM = 7
    """CRC-32 of the last program that came, if STATUS says that it is there."""


RESET, FLUSH = 1, 2
"""Bits of CONTROL, which stay as they are written: all but the port is held in reset, the program
is lost; a batch that has begun goes on without the images that it lacks."""

PROGRAM_STATUS = 0xF
BUSY, PENDING = 1 << 4, 1 << 5
"""Bits of STATUS: what has become of the last program, `hw.overlay.header.Status`; images, or
parts of one, are inside; a program waits until they are done."""

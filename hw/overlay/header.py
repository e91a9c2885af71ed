"""What a program says of itself before its words, as it arrives: 16-bit words, then the program's,
then its CRC-32.

The CRC (that of zlib) is over all words before it, each with its lower byte first; its upper half
comes first. Everything an overlay needs to place images and to follow the program is a number
here, none has to be worked out.
"""

from enum import IntEnum

MAGIC = int.from_bytes(b"SO", "big")

FIELDS = (
    "magic",
    "version",
    "fingerprint_high",
    "fingerprint_low",
    "length_high",
    "length_low",
    "suffix_high",
    "suffix_low",
    "batch",
    "height",
    "width",
    "channels",
    "image_address",
    "image_step",
    "plane_words",
    "pitch",
)
"""Words of the header, in their order.

length: words of the program, prefix and suffix; suffix: those before the suffix. batch: images
down, less one, in bits 3 and 2, across in bits 1 and 0. height, width, channels of the image, less
one each. image_address: word of the first channel's first pixel in the first buffer; image_step:
words from there to the second buffer; plane_words: from a channel to the next one. pitch: of the
image, not its logarithm, less one: rows in bits 15 to 8, columns in 7 to 0.
"""


CRC_WORDS = 2
"""Behind the program's words."""


class Status(IntEnum):
    """What has become of the last program that came."""

    NONE = 0
    """There was none."""
    LOADING = 1
    READY = 2
    NO_PROGRAM = 3
    """Refused: it does not begin as a program does."""
    OTHER_VERSION = 4
    OTHER_OVERLAY = 5
    TOO_LONG = 6
    DAMAGED = 7
    """Refused: the CRC is another one, or the stream's packet ended early or late."""

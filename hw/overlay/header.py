"""What a program says of itself before its words, as it arrives: 16-bit words, then the program's,
then its CRC-32. A program that is streamed has no end there: see STREAMED.

The CRC (that of zlib) is over all words before it, each with its lower byte first; its lower half
comes first. Everything an overlay needs to place images and to follow the program is a number
here, none has to be worked out.
"""

from enum import IntEnum

MAGIC = int.from_bytes(b"SO", "big")

CHECKED = (
    "magic",
    "version",
    "fingerprint_high",
    "fingerprint_low",
    "network_high",
    "network_low",
    "length_high",
    "length_low",
)
"""The first words of the header.

network: the first bits of the digest of the network that the program is of, which nobody checks.
length: words of the program, prefix and suffix; its highest bit is STREAMED.
"""

STREAMED = 1 << 15
"""In length_high: the sections come behind the header's CRC, each with a CRC of its own, as often
as they are done and in that order, for as long as the stream's packet lasts."""

STEPS = (
    "image_address",
    "to_channel",
    "to_column",
    "to_lane",
    "to_row",
    "to_lane_below",
    "to_second",
    "to_first",
)
"""Then where the bytes of an image go, in words of the data memory, modulo 2^16.

image_address: the word of the first channel's first pixel in the first buffer. The others are added
to go on from a byte to the next one: to the next channel; to the first channel of the next column,
which is in the same lane or the next one; of the next row likewise; from the image's last byte to
its second buffer, and back from there to the first one.
"""

KEPT = (
    "suffix_high",
    "suffix_low",
    "batch",
    "height",
    "width",
    "channels",
    "image_step",
    "wrap",
)
"""Then numbers for all the time that the program runs.

suffix: words before the suffix. batch: images down, less one, in bits 3 and 2, across in bits 1 and
0. height, width, channels of the image, less one each. image_step: words from the first buffer to
the second. wrap: of the image's pitches, not their logarithms, less one: rows in bits 15 to 8,
columns in 7 to 0.
"""

FIELDS = CHECKED + STEPS + KEPT
"""Words of the header, in their order."""


CRC_WORDS = 2
"""Behind the program's words; of one that is streamed behind the header and each section."""


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
    """Refused: the CRC is another one, or the stream's packet ended early or late. Or a program
    that is streamed has come to its end in the same way."""

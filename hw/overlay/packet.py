"""A program as it arrives at an overlay: header, words, CRC; of one that is streamed header and
sections, each with its CRC."""

import zlib

import numpy as np

from hw.overlay import isa
from hw.overlay.header import FIELDS, MAGIC, STREAMED
from hw.overlay.program import Program


def packet(program: Program) -> np.ndarray:
    """The words that an overlay takes, uint16: see `hw.overlay.header`.

    Of a program that is streamed each section once: what comes then is up to `opening` and `batch`.
    """
    if program.streamed:
        return np.concatenate([opening(program), batch(program, 1)])
    return checked(np.concatenate([_header(program), program.prefix, program.suffix]))


def opening(program: Program) -> np.ndarray:
    """What is taken before any image is done: of a program that is streamed, the header."""
    return checked(_header(program)) if program.streamed else packet(program)


def batch(program: Program, images: int) -> np.ndarray:
    """Sections of a program that is streamed, for a batch of so many images."""
    return np.concatenate([*[checked(program.prefix)] * images, checked(program.suffix)])


def checked(words: np.ndarray) -> np.ndarray:
    """Words and their CRC."""
    crc = zlib.crc32(words.astype("<u2").tobytes())
    return np.append(words, [crc & 0xFFFF, crc >> 16]).astype(np.uint16)


def _header(program: Program) -> np.ndarray:
    py, px = program.image_pitch
    height, width, channels = program.image
    length, suffix = len(program.prefix) + len(program.suffix), len(program.prefix)
    fingerprint = program.hardware.fingerprint
    network = int(program.network[:8] or "0", 16)
    values = {
        "magic": MAGIC,
        "version": isa.VERSION,
        "fingerprint_high": fingerprint >> 16,
        "fingerprint_low": fingerprint & 0xFFFF,
        "network_high": network >> 16,
        "network_low": network & 0xFFFF,
        "length_high": length >> 16 | STREAMED * program.streamed,
        "length_low": length & 0xFFFF,
        **_steps(program),
        "suffix_high": suffix >> 16,
        "suffix_low": suffix & 0xFFFF,
        "batch": (program.batch[0] - 1) << 2 | (program.batch[1] - 1),
        "height": height - 1,
        "width": width - 1,
        "channels": channels - 1,
        "image_step": program.image_step,
        "wrap": ((1 << py) - 1) << 8 | ((1 << px) - 1),
    }
    return np.array([values[name] for name in FIELDS], np.uint16)


def _steps(program: Program) -> dict[str, int]:
    """From a byte of an image to the next one's word."""
    (py, px), (height, width, channels) = program.image_pitch, program.image
    plane = 1 << (py + px)
    line, lines = 1 << px, 1 << py
    # Words of the last channel, of a lane's and the image's last column, and of the rows likewise.
    last = (channels - 1) * plane
    right, image_right = line - 1, (width - 1) % line
    below, image_below = (lines - 1) * line, (height - 1) % lines * line
    end = last + image_right + image_below
    steps = {
        "image_address": program.image_slot * plane,
        "to_channel": plane,
        "to_column": 1 - last,
        "to_lane": -right - last,
        "to_row": line - image_right - last,
        "to_lane_below": -below - image_right - last,
        "to_second": program.image_step - end,
        "to_first": -program.image_step - end,
    }
    return {name: step & 0xFFFF for name, step in steps.items()}

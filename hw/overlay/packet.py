"""A program as it arrives at an overlay: header, words, CRC."""

import zlib

import numpy as np

from hw.overlay import isa
from hw.overlay.header import FIELDS, MAGIC
from hw.overlay.program import Program


def packet(program: Program) -> np.ndarray:
    """The words that an overlay takes, uint16: see `hw.overlay.header`."""
    py, px = program.image_pitch
    height, width, channels = program.image
    length, suffix = len(program.prefix) + len(program.suffix), len(program.prefix)
    fingerprint = program.hardware.fingerprint
    values = {
        "magic": MAGIC,
        "version": isa.VERSION,
        "fingerprint_high": fingerprint >> 16,
        "fingerprint_low": fingerprint & 0xFFFF,
        "length_high": length >> 16,
        "length_low": length & 0xFFFF,
        "suffix_high": suffix >> 16,
        "suffix_low": suffix & 0xFFFF,
        "batch": (program.batch[0] - 1) << 2 | (program.batch[1] - 1),
        "height": height - 1,
        "width": width - 1,
        "channels": channels - 1,
        "image_address": program.image_slot << (py + px),
        "image_step": program.image_step,
        "plane_words": 1 << (py + px),
        "pitch": ((1 << py) - 1) << 8 | ((1 << px) - 1),
    }
    header = np.array([values[name] for name in FIELDS], np.uint16)
    words = np.concatenate([header, program.prefix, program.suffix]).astype("<u2")
    crc = zlib.crc32(words.tobytes())
    return np.append(words, [crc >> 16, crc & 0xFFFF]).astype(np.uint16)

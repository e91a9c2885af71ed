"""The CRC-32 of a program's words, a word a cycle."""

from amaranth import *

from hw.overlay import isa

START = 0xFFFFFFFF
WHOLE = 0xDEBB20E3
"""The register after all words and their CRC."""

_POLYNOMIAL = 0xEDB88320


def digested(crc: Value, word: Value) -> Value:
    """The register after a word more, whose lowest bit comes first.

    Each bit of what shifts out turns some bits of the register: the sums of these are written out.
    """
    turned = [_after(1 << bit) for bit in range(isa.WORD_BITS)]
    out = crc[: isa.WORD_BITS] ^ word
    rest = Cat(crc[isa.WORD_BITS :], Const(0, isa.WORD_BITS))
    return Cat(
        Cat(rest[bit], *(out[k] for k in range(isa.WORD_BITS) if turned[k] >> bit & 1)).xor()
        for bit in range(32)
    )


def _after(register: int) -> int:
    for _ in range(isa.WORD_BITS):
        register = register >> 1 ^ (_POLYNOMIAL if register & 1 else 0)
    return register

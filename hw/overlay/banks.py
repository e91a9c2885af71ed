"""The data memory of an overlay: the banks that so many words are, and the block RAMs they take.

Sizes are those of the ECP5's block RAM; other families have what synthesis makes of the same banks.
"""

BLOCK_SHAPES = {512: 4, 1024: 2, 2048: 1}
"""Words of a block RAM and how many bytes of nine bits, each with a write enable, are in one."""

PROGRAM_BLOCK = 1024
"""Words of a program, 16 bits each, in one block RAM."""


MOST_WORDS = 2 * max(BLOCK_SHAPES) - 1
"""Of the largest data memory."""


def depths(words: int) -> tuple[int, ...]:
    """Words of each bank, in as few blocks as hold so many words.

    Of a second bank the last word is not used: the bank reads it while the first bank is meant.
    """
    sizes = sorted(BLOCK_SHAPES)
    ways = [(a,) for a in sizes] + [(a, b) for a in sizes for b in sizes if a >= b]
    ways = [way for way in ways if sum(way) - (len(way) - 1) >= words]
    if not ways:
        raise ValueError(f"words: at most {MOST_WORDS}, found {words}")
    return min(ways, key=lambda way: (sum(way), len(way)))


def held(words: int) -> int:
    """Words that the banks of so many words hold."""
    sizes = depths(words)
    return sum(sizes) - (len(sizes) - 1)


def blocks(rows: int, columns: int, words: int) -> int:
    """Block RAMs of the data memory of a grid."""
    return sum(rows * -(-columns // BLOCK_SHAPES[depth]) for depth in depths(words))


def program_blocks(words: int) -> int:
    """Block RAMs of a program's memory."""
    depth = 1 << (words - 1).bit_length()
    return -(-depth // PROGRAM_BLOCK)

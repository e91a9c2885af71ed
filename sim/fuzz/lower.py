"""Smaller numbers, for shrinking."""


def below(value: int, least: int = 1) -> list[int]:
    """Smaller values: the least, the half, one less."""
    return sorted({least, (value + least) // 2, value - 1} - {value, least - 1})

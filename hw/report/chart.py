"""A line chart over epochs as SVG."""

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 460, 230
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 12, 34
"""Margins of the plotting area."""
MARK_LINES, MARK_HEIGHT = 2, 12
"""Lines of text above the plotting area where phases are marked, and their height."""


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers that cover [low, high]."""
    if high <= low:
        high = low + (abs(low) or 1.0)
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, last + 1)]


def line_chart(
    title: str,
    series: Mapping[str, Sequence[float | None]],
    *,
    unit: str = "",
    marks: Mapping[int, str] | None = None,
) -> str:
    """A chart of one or more series over epochs 1, 2, …; None leaves a gap.

    Parameters
    ----------
    series: name -> one value an epoch, all equally long; at most four names
    unit: written after the values on the axis
    marks: epoch -> text, for a line where a new phase starts
    """
    length = max((len(values) for values in series.values()), default=0)
    known = [value for values in series.values() for value in values if value is not None]
    if not known:
        return ""
    y_ticks = ticks(min(known), max(known))
    low, high = y_ticks[0], y_ticks[-1]
    top = TOP + (MARK_LINES * MARK_HEIGHT if marks else 0)

    def x(epoch: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (epoch - 0.5) / length

    def y(value: float) -> float:
        return top + (HEIGHT - top - BOTTOM) * (high - value) / (high - low)

    parts = [
        (
            f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="{escape(title)}">'
        )
    ]
    for tick in y_ticks:
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" '
            f'y2="{y(tick):.1f}"/><text class="tick end" x="{LEFT - 6}" y="{y(tick):.1f}">'
            f"{tick:g}{escape(unit)}</text>"
        )
    for epoch in _epoch_ticks(length):
        parts.append(
            f'<text class="tick middle" x="{x(epoch):.1f}" y="{HEIGHT - BOTTOM + 14}">'
            f"{epoch}</text>"
        )
    parts.append(
        f'<text class="tick middle" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}">epoch</text>'
    )
    parts += [_mark(x(epoch - 0.5), epoch > 1, text) for epoch, text in (marks or {}).items()]
    for number, (name, values) in enumerate(series.items()):
        parts.append(f'<path class="line s{number}" d="{_path(values, x, y)}"/>')
        for epoch, value in enumerate(values, 1):
            if value is not None:
                parts.append(
                    f'<circle class="dot s{number}" cx="{x(epoch):.1f}" cy="{y(value):.1f}" '
                    f'r="2.5"><title>{escape(name)}, epoch {epoch}: {value:.4g}{escape(unit)}'
                    "</title></circle>"
                )
    legend = "".join(
        f'<span class="key s{number}">{escape(name)}</span>' for number, name in enumerate(series)
    )
    return (
        f"<figure><figcaption>{escape(title)}{legend if len(series) > 1 else ''}</figcaption>"
        f"{''.join(parts)}</svg></figure>"
    )


def _mark(x: float, line: bool, text: str) -> str:
    """A dashed line at `x` and the words of `text` below each other beside it."""
    drawn = f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
    words = "".join(
        f'<text class="mark" x="{x + 4:.1f}" y="{TOP - 4 + MARK_HEIGHT * row}">'
        f"{escape(word)}</text>"
        for row, word in enumerate(text.split())
    )
    return (drawn if line else "") + words


def _path(values: Sequence[float | None], x, y) -> str:
    commands, pen_down = [], False
    for epoch, value in enumerate(values, 1):
        if value is None:
            pen_down = False
            continue
        commands.append(f"{'L' if pen_down else 'M'}{x(epoch):.1f} {y(value):.1f}")
        pen_down = True
    return " ".join(commands)


def _epoch_ticks(length: int) -> list[int]:
    step = max(1, -(-length // 10))
    return list(range(1, length + 1, step))

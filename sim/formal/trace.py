"""A counterexample: the values of the wrapper's signals, cycle by cycle."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from amaranth.hdl import Shape, ShapeLike
from amaranth.lib import data

from sim.formal.bench import TOP, Shown

Trace = dict[str, list[int]]
"""Signal, or field of a signal, -> its value in each cycle; the statement fails in the last."""


def table(trace: Trace) -> str:
    """A row a signal, a column a cycle."""
    cycles = max((len(row) for row in trace.values()), default=0)
    rows = {"cycle": list(range(cycles))} | trace
    label = max(map(len, rows))
    width = 1 + max(len(str(value)) for row in rows.values() for value in row)
    return "\n".join(
        name.ljust(label) + "".join(str(value).rjust(width) for value in row)
        for name, row in rows.items()
    )


def read(file: Path, shown: Mapping[str, Shown]) -> Trace:
    """The signals `shown` of a VCD file that smtbmc wrote."""
    raw = _samples(file.read_text(encoding="utf-8"))
    values: Trace = {}
    for name, (wire, shape) in shown.items():
        if wire not in raw:  # nothing depends on it: Yosys removed it
            continue
        for field, offset, part in _fields(name, shape):
            values[field] = [_number(word >> offset, part) for word in raw[wire]]
    return values


def _samples(text: str) -> dict[str, list[int]]:
    """A word for each cycle of every wire of the top module."""
    names: dict[str, list[str]] = {}
    scope: list[str] = []
    now: dict[str, int] = {}
    samples: dict[str, list[int]] = {}

    def sample() -> None:
        for code, wires in names.items():
            for wire in wires:
                samples.setdefault(wire, []).append(now.get(code, 0))

    started = False
    for line in text.splitlines():
        if match := re.match(r"\$scope module (\S+)", line):
            scope.append(match[1])
        elif line.startswith("$upscope"):
            scope.pop()
        elif match := re.match(r"\$var \w+ \d+ (\S+) (\S+)", line):
            if scope == [TOP]:
                names.setdefault(match[1], []).append(match[2])
        elif re.match(r"b[01]+ t$", line):
            # smtbmc's count of cycles: the values of the one before are complete. A last count,
            # past the end, has none.
            if started:
                sample()
            started = True
        elif match := re.match(r"b([01xz]+) (\S+)", line):
            now[match[2]] = int(re.sub("[xz]", "0", match[1]), 2)
    return samples


def _fields(name: str, shape: ShapeLike, offset: int = 0) -> Iterator[tuple[str, int, Shape]]:
    if isinstance(shape, data.Layout):
        for key, field in shape:
            yield from _fields(f"{name}.{key}", field.shape, offset + field.offset)
    elif Shape.cast(shape).width:
        yield name, offset, Shape.cast(shape)


def _number(word: int, shape: Shape) -> int:
    word &= (1 << shape.width) - 1
    return word - (1 << shape.width) if shape.signed and word >> shape.width - 1 else word

"""What an `always @*` computes, as one continuous assignment: conditions in order, a value each.

Yosys writes

    always @* begin                     assign ready =
      ready = 1'h0;                       turn == 2'h1 && more ? room :
      casez (turn)             ─▶         1'h0;
        2'h1: if (more) ready = room;
      endcase
    end

An `always @*` waits for a change of what it reads. A register that begins with its value, by its
declaration, never changes: in SystemVerilog nothing says that the block runs at time 0, and in
Icarus it does not. A continuous assignment has its value at any time, in every simulator, and
cannot be a latch.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_TOKEN = re.compile(
    r"\s+|/\*.*?\*/|\(\*.*?\*\)|(?P<token>\\\S+ |\d+'s?[hdb][0-9a-fxz?_]+|[\w$]+|.)", re.S
)
_LITERAL = re.compile(r"(\d+)'s?([hdb])([0-9a-fxz?]+)")
_RANGE = re.compile(r"(.*?)\s*\[(\d+)(?::(\d+))?\]", re.S)
_NAME = re.compile(r"\\\S+ ?|[A-Za-z_][\w$]*")


@dataclass(frozen=True)
class Set:
    """`target[high:low] = value`; the whole of it where `bits` is None."""

    target: str
    bits: tuple[int, int] | None
    value: str


@dataclass(frozen=True)
class Switch:
    """The arms of a case (or of an `if`): the first one with a pattern that matches is taken.

    `arms` are pairs of patterns and statements; without patterns: taken at any rate.
    """

    value: str
    arms: tuple["Arm", ...]


Statements = tuple[Set | Switch, ...]
Arm = tuple[tuple[str, ...], Statements]

Rule = tuple[tuple[str, ...], str]
"""Conditions that hold together, and the value then. Of several rules the first one counts."""


def assignments(block: str, widths: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Target and Verilog of each assignment that does what the body of an `always @*` does.

    `widths`: bits of each of the module's signals, by their plain names.

    Raises
    ------
    ValueError: the block leaves a bit unset, a latch, or is none of Yosys'.
    """
    statements = _Parser(block).statements()
    for target, ranges in _targets(statements).items():
        width = widths[_plain(target)]
        edges = {0, width}
        for bits in ranges:
            edges |= {bits[1], bits[0] + 1} if bits else set()
        cuts = sorted(edges)
        for low, end in pairwise(cuts):
            rules = _rules(statements, target, (end - 1, low), width, widths)
            part = "" if end - low == width else _bits(end - 1, low)
            yield target, _text(f"{target}{part}", rules)


def _text(target: str, rules: list[Rule]) -> str:
    until = next((k for k, (conditions, _) in enumerate(rules) if not conditions), None)
    if until is None:
        raise ValueError(f"{target}: not set in every case")
    *chosen, (_, otherwise) = rules[: until + 1]
    while chosen and chosen[-1][1] == otherwise:
        chosen.pop()
    arms = [f"{' && '.join(conditions)} ? {value} :" for conditions, value in chosen]
    if len(arms) > 1:
        return "".join(f"\n    {line}" for line in (f"  assign {target} =", *arms))[5:] + (
            f"\n    {otherwise};\n"
        )
    return f"  assign {target} = {' '.join([*arms, otherwise])};\n"


def _targets(statements: Statements) -> dict[str, list[tuple[int, int] | None]]:
    """Everything that is assigned, and in which parts."""
    found: dict[str, list[tuple[int, int] | None]] = {}
    for statement in statements:
        if isinstance(statement, Set):
            found.setdefault(statement.target, []).append(statement.bits)
        else:
            for _, inner in statement.arms:
                for target, ranges in _targets(inner).items():
                    found.setdefault(target, []).extend(ranges)
    return found


def _rules(
    statements: Statements,
    target: str,
    wanted: tuple[int, int],
    width: int,
    widths: Mapping[str, int],
) -> list[Rule]:
    """Rules for the bits wanted of a target; the last statement comes first."""
    rules: list[Rule] = []
    for statement in reversed(statements):
        if rules and not rules[-1][0]:
            break
        if isinstance(statement, Set):
            high, low = statement.bits or (width - 1, 0)
            if statement.target == target and low <= wanted[1] and wanted[0] <= high:
                value = statement.value
                if (high, low) != wanted:
                    value = part(value, wanted[0] - low, wanted[1] - low, widths)
                rules.append(((), value))
            continue
        rules += _switch(statement, target, wanted, width, widths)
    return rules


def _switch(
    switch: Switch,
    target: str,
    wanted: tuple[int, int],
    width: int,
    widths: Mapping[str, int],
) -> list[Rule]:
    all_taken = full([patterns for patterns, _ in switch.arms])
    rules: list[Rule] = []
    missed: list[tuple[str, ...]] = []
    for number, (patterns, statements) in enumerate(switch.arms):
        inner = _rules(statements, target, wanted, width, widths)
        # An arm above this one that matched and set nothing keeps this one from being looked at.
        before = [
            _matches(switch.value, above, widths, negated=True)
            for above in missed
            if not patterns or _overlap(above, patterns)
        ]
        last = all_taken and number == len(switch.arms) - 1 and not missed
        own = [_matches(switch.value, patterns, widths)] if patterns and not last else []
        rules += [((*before, *own, *conditions), value) for conditions, value in inner]
        if patterns and (not inner or inner[-1][0]):
            missed.append(patterns)
        if not patterns:
            break
    return rules


def _bitstring(literal: str) -> str:
    """The bits of a literal as characters 0, 1, x, z and ?."""
    match = _LITERAL.fullmatch(literal)
    if match is None:
        raise ValueError(f"{literal}: not a literal")
    width, base, digits = int(match[1]), match[2], match[3].replace("_", "")
    if base == "d":
        return f"{int(digits):0{width}b}"
    each = {"h": 4, "b": 1}[base]
    bits = "".join(d * each if d in "xz?" else f"{int(d, 16):0{each}b}" for d in digits)
    return bits.rjust(width, "0")[len(bits) - width if len(bits) > width else 0 :]


def _literal(bits: str) -> str:
    if set(bits) <= {"0", "1"}:
        return f"{len(bits)}'h{int(bits, 2):0{-(-len(bits) // 4)}x}"
    return f"{len(bits)}'b{bits}"


def _overlap(some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    def both(one: str, other: str) -> bool:
        pairs = zip(_bitstring(one), _bitstring(other), strict=True)
        return all(a == b or "?" in (a, b) for a, b in pairs)

    return any(both(one, other) for one in some for other in others)


def full(arms: Sequence[tuple[str, ...]]) -> bool:
    """Whether some arm is taken, whatever the value; `arms` are patterns, () for a default."""
    if any(not patterns for patterns in arms):
        return True
    patterns = [_bitstring(pattern) for group in arms for pattern in group]
    disjoint = all(
        not _overlap((one,), (other,))
        for k, one in enumerate(map(_literal, patterns))
        for other in map(_literal, patterns[:k])
    )
    covered = sum(1 << bits.count("?") for bits in patterns)
    return disjoint and covered == 1 << len(patterns[0])


def _matches(
    value: str, patterns: tuple[str, ...], widths: Mapping[str, int], negated: bool = False
) -> str:
    """The condition that a value has one of the patterns, or none of them."""
    tests = [_test(value, _bitstring(pattern), widths, negated) for pattern in patterns]
    text = (" && " if negated else " || ").join(tests)
    return f"({text})" if len(tests) > 1 else text


def _test(value: str, bits: str, widths: Mapping[str, int], negated: bool) -> str:
    if width_of(value, widths) != len(bits):
        raise ValueError(f"{value}: not {len(bits)} bits wide, as its pattern is")
    runs = [(len(bits) - m.end(), m[0]) for m in re.finditer("[01]+", bits)]
    tests = []
    for low, run in runs:
        piece = value
        if len(run) < len(bits):
            piece = part(value, low + len(run) - 1, low, widths)
        if len(run) == 1:
            tests.append(piece if (run == "1") != negated else f"!{piece}")
        else:
            tests.append(f"{piece} {'!=' if negated else '=='} {_literal(run)}")
    text = (" || " if negated else " && ").join(tests)
    return f"({text})" if len(tests) > 1 else text


def part(value: str, high: int, low: int, widths: Mapping[str, int]) -> str:
    """Bits of a name, a literal, or a concatenation of such."""
    value = value.strip()
    if value.startswith("{"):
        pieces, position = [], 0
        for piece in reversed(_Parser(value[1:-1]).list()):
            size = width_of(piece, widths)
            first, last = max(low - position, 0), min(high - position, size - 1)
            if first <= last:
                whole = (first, last) == (0, size - 1)
                pieces.append(piece if whole else part(piece, last, first, widths))
            position += size
        return pieces[0] if len(pieces) == 1 else f"{{ {', '.join(reversed(pieces))} }}"
    if _LITERAL.fullmatch(value):
        bits = _bitstring(value)
        return _literal(bits[len(bits) - 1 - high : len(bits) - low])
    if match := _RANGE.fullmatch(value):
        start = int(match[3] or match[2])
        return f"{_spaced(match[1])}{_bits(high + start, low + start)}"
    if not _NAME.fullmatch(value):
        raise ValueError(f"{value}: no bits can be taken of this")
    if widths[_plain(value)] == 1:
        return value
    return f"{_spaced(value)}{_bits(high, low)}"


def extended(value: str, by: int) -> str:
    """A value with zeros in front."""
    if _LITERAL.fullmatch(value):
        return _literal("0" * by + _bitstring(value))
    inside = value[1:-1].strip() if value.startswith("{") else value
    return f"{{ {by}'h{0:0{-(-by // 4)}x}, {inside} }}"


def width_of(value: str, widths: Mapping[str, int]) -> int:
    """Bits of a name, a literal, or a concatenation of such."""
    if value.startswith("{"):
        return sum(width_of(piece, widths) for piece in _Parser(value[1:-1]).list())
    if match := _LITERAL.fullmatch(value):
        return int(match[1])
    if match := _RANGE.fullmatch(value):
        return int(match[2]) - int(match[3] or match[2]) + 1
    return widths[_plain(value)]


def _bits(high: int, low: int) -> str:
    return f"[{high}:{low}]" if high > low else f"[{low}]"


def _plain(name: str) -> str:
    return name.strip().removeprefix("\\")


def _spaced(name: str) -> str:
    """A name that something may follow: an escaped one ends in a blank."""
    return f"{name.strip()} " if name.startswith("\\") else name


class _Parser:
    """Statements of Yosys' processes; an expression is kept as it is written."""

    def __init__(self, text: str):
        self.text = text
        self.tokens = [m for m in _TOKEN.finditer(text) if m["token"]]
        self.position = 0

    def _peek(self) -> str:
        return (
            self.tokens[self.position]["token"].strip() if self.position < len(self.tokens) else ""
        )

    def _take(self, *expected: str) -> str:
        found = self._peek()
        if expected and found not in expected:
            raise ValueError(f"expected {' or '.join(expected)}, found {found!r}: {self.text}")
        self.position += 1
        return found

    def _until(self, *ends: str) -> str:
        """The text up to one of the ends, outside of brackets; the end is not taken."""
        first, depth = self.position, 0
        while self.position < len(self.tokens) and (depth or self._peek() not in ends):
            token = self._take()
            depth += (token in ("(", "[", "{")) - (token in (")", "]", "}"))
        span = self.tokens[first : self.position]
        return self.text[span[0].start() : span[-1].end()] if span else ""

    def list(self) -> list[str]:
        """The parts of a concatenation."""
        found = [self._until(",").strip()]
        while self._peek():
            self._take(",")
            found.append(self._until(",").strip())
        return found

    def statements(self) -> Statements:
        found: list[Set | Switch] = []
        while self._peek() not in ("", "end", "endcase"):
            found += self._statement()
        return tuple(found)

    def _statement(self) -> Statements:
        match self._peek():
            case ";":
                self._take()
                return ()
            case "begin":
                self._take()
                found = self.statements()
                self._take("end")
                return found
            case "if":
                return (self._if(),)
            case "case" | "casez":
                return (self._case(),)
        target = self._until("=").rstrip()
        self._take("=")
        value = self._until(";").strip()
        self._take(";")
        if match := _RANGE.fullmatch(target):
            high = int(match[2])
            return (Set(_spaced(match[1]), (high, int(match[3] or high)), value),)
        return (Set(_spaced(target), None, value),)

    def _if(self) -> Switch:
        self._take("if")
        self._take("(")
        condition = self._until(")").strip()
        self._take(")")
        arms: list[Arm] = [(("1'h1",), self._statement())]
        if self._peek() == "else":
            self._take()
            arms.append(((), self._statement()))
        return Switch(condition, tuple(arms))

    def _case(self) -> Switch:
        self._take("case", "casez")
        self._take("(")
        value = self._until(")").strip()
        self._take(")")
        arms: list[Arm] = []
        while self._peek() != "endcase":
            if self._peek() == "default":
                self._take()
                patterns: tuple[str, ...] = ()
                if self._peek() == ":":
                    self._take()
            else:
                text = self._until(":")
                self._take(":")
                patterns = tuple(pattern.strip() for pattern in text.split(","))
            arms.append((patterns, self._statement()))
        self._take("endcase")
        return Switch(value, tuple(arms))

"""Expressions of emitted Verilog, one operation each: their tokens, sides and literals."""

import re
from collections.abc import Iterator

from hw.verilog.modules import NAME
from hw.verilog.statements import LITERAL

SWAPS = {
    "arithmetic": {"+": "-", "-": "+", "*": "+"},
    "logic": {"&": "|", "|": "&", "^": "&", "<<": ">>", ">>": "<<", ">>>": "<<"},
    "relation": {"==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">"},
}
"""Binary operators, and what each is replaced by."""

_TOKEN = re.compile(
    rf"{NAME}|\$\w+|\d+'s?[bdh][0-9a-f]+|\d+|>>>|<<|>>|<=|>=|==|!=|[-+*&|^~!<>?:{{}}\[\](),]|\s+"
)


def tokens(expression: str) -> list[tuple[str, int, int]]:
    """(token, position, depth of brackets) of everything but blanks."""
    found, depth = [], 0
    for match in _TOKEN.finditer(expression):
        token = match[0]
        if token in ")]}":
            depth -= 1
        if not token.isspace():
            found.append((token, match.start(), depth))
        if token in "([{":
            depth += 1
    return found


def binary(expression: str) -> tuple[str, str, str] | None:
    """Left side, operator and right side of an expression with one binary operator."""
    previous = ""
    for token, position, depth in tokens(expression):
        operator = any(token in swaps for swaps in SWAPS.values())
        if depth == 0 and operator and previous and previous not in "?:":
            after = expression[position + len(token) :].strip()
            return expression[:position].strip(), token, after
        previous = token
    return None


def ternary(expression: str) -> tuple[str, str, str] | None:
    """Condition and both arms."""
    marks = {token: position for token, position, depth in tokens(expression) if depth == 0}
    if "?" not in marks:
        return None
    question, colon = marks["?"], marks[":"]
    condition, first = expression[:question], expression[question + 1 : colon]
    return condition.strip(), first.strip(), expression[colon + 1 :].strip()


def unary(expression: str) -> tuple[str, str] | None:
    """Operator and operand."""
    first, *rest = tokens(expression)
    if first[0] in "~!&|" and binary(expression) is None and ternary(expression) is None and rest:
        return first[0], expression[rest[0][1] :]
    return None


def literal(value: int, like: re.Match[str]) -> str:
    """A literal of the same width, sign and base with another value."""
    width = int(like["width"])
    form = {"h": "x", "d": "d", "b": "b"}[like["base"]]
    digits = f"{value % (1 << width):0{len(like['digits'])}{form}}"
    return f"{width}'{like['signed']}{like['base']}{digits}"


def value_of(match: re.Match[str]) -> int:
    return int(match["digits"], {"h": 16, "d": 10, "b": 2}[match["base"]])


def replaced(text: str, match: re.Match[str], new: str) -> str:
    return text[: match.start()] + new + text[match.end() :]


def literals(expression: str) -> Iterator[re.Match[str]]:
    """Literals, but for those of bits put in front of a shorter value."""
    for match in LITERAL.finditer(expression):
        if not expression[: match.start()].rstrip().endswith("{"):
            yield match

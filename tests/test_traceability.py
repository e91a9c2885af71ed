"""docs/traceability.md: what it quotes is there, and every test, proof and bin that it names."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from sim.coverage.points import groups
from sim.formal.proofs import PROOFS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/traceability.md").read_text(encoding="utf-8")
NUMERICS = (ROOT / "docs/numerics.md").read_text(encoding="utf-8")
CONTRACT = (ROOT / "hw/dataflow/flow/contract.py").read_text(encoding="utf-8")
FLOW = "The flow contract"
ANY = "…"


def plain(text: str) -> str:
    """Text without line breaks and emphasis, comment signs of Python left out."""
    return " ".join(text.replace("\n    # ", " ").replace("**", "").split())


def sections(page: str) -> dict[str, str]:
    """The text below each heading of the second level."""
    parts = re.split(r"^## (.*)$", page, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(page: str) -> list[tuple[str, str, list[str]]]:
    """(section, statement, what holds it) of every line of a table."""
    found = []
    for section, text in sections(page).items():
        for line in text.splitlines():
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if len(cells) == 2 and cells[0] != "statement" and set(cells[0]) != {"-"}:
                found.append((section, cells[0].replace("\\|", "|"), cells[1]))
    return [(s, statement, re.findall(r"`([^`]*)`", held)) for s, statement, held in found]


@cache
def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def unknown(name: str) -> str:
    """What is wrong with a test, proof or bin that the page names; "": it exists."""
    if name.startswith("prove "):
        return "" if name.removeprefix("prove ") in PROOFS else "no proof of this name"
    if name.startswith("bin "):
        group, _, one = name.removeprefix("bin ").partition(": ")
        if group not in groups():
            return "no group of bins of this name"
        return "" if one == ANY or one in groups()[group] else "no bin of this name"
    file, _, function = name.partition("::")
    path = ROOT / file
    if not path.is_file():
        return "no such file"
    return "" if function in functions(path) else "no test of this name"


def stale(section: str, statement: str) -> bool:
    """Whether a statement is no longer what its page says."""
    if section == FLOW:
        return plain(statement) not in plain(CONTRACT)
    return plain(statement) not in plain(sections(NUMERICS).get(section, ""))


def test_every_section_has_lines():
    assert set(sections(PAGE)) == {*sections(NUMERICS), FLOW}
    assert {section for section, _, _ in rows(PAGE)} == set(sections(PAGE))


def test_every_statement_is_quoted_as_it_stands():
    assert [(section, one) for section, one, _ in rows(PAGE) if stale(section, one)] == []


def test_every_test_proof_and_bin_exists():
    assert all(held for _, _, held in rows(PAGE))
    named = {name for _, _, held in rows(PAGE) for name in held}
    assert {name: what for name in sorted(named) if (what := unknown(name))} == {}
    # The two of the introduction, too.
    for name in re.findall(r"`(tests/\S*?::\w+)`", PAGE):
        assert unknown(name) == ""


@pytest.mark.parametrize(("name", "wrong"), [
    ("prove fifo-lut-99", "no proof of this name"),
    ("bin padding: 3x3 middle", "no bin of this name"),
    ("bin paddings: …", "no group of bins of this name"),
    ("tests/hw/ir/test_no.py::test_range", "no such file"),
    ("tests/hw/ir/test_format.py::test_none", "no test of this name"),
])  # fmt: skip
def test_a_name_that_does_not_exist_is_found(name, wrong):
    assert unknown(name) == wrong


def test_a_statement_that_has_changed_is_found():
    assert not stale("Weights", "A weight is 0 or ±2^p")
    assert stale("Weights", "A weight is 1 or ±2^p")
    assert stale("Formats", "A weight is 0 or ±2^p")

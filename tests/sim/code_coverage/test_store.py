"""Code coverage adds up and survives a file."""

import json

import pytest

from hw.errors import InputError
from sim.code_coverage import store
from sim.code_coverage.points import Kind, Point
from sim.code_coverage.store import CodeCoverage, digest_of

BIT = Point("top.v", "top", 3, 5, Kind.TOGGLE, "q[3]:0->1")
BLOCK = Point("top.v", "top", 7, 1, Kind.LINE, "block", "7-8")


def test_runs_add_up_in_a_file(tmp_path):
    file = tmp_path / "code.json"
    store.add(CodeCoverage("abc", {BIT: 2, BLOCK: 0}), file)
    store.check(file)
    store.add(CodeCoverage("abc", {BIT: 1, BLOCK: 4}), file)
    found = store.load(file)
    assert (found.rtl, found.counts) == ("abc", {BIT: 3, BLOCK: 4})
    assert {type(point) for point in found.counts} == {Point}


def test_other_rtl_and_other_points_are_refused(tmp_path):
    file = tmp_path / "code.json"
    store.add(CodeCoverage("abc", {BIT: 2}), file)
    with pytest.raises(InputError, match="of the RTL abc and of def"):
        store.add(CodeCoverage("def", {BIT: 2}), file)
    with pytest.raises(InputError, match="top: other points"):
        store.add(CodeCoverage("abc", {BLOCK: 2}), file)
    assert store.load(file).counts == {BIT: 2}


def test_runs_of_other_modules_add_to_a_file(tmp_path):
    """A layer on its own has its own modules only, and it may come first."""
    file = tmp_path / "code.json"
    other = Point("top.v", "top.layer", 9, 1, Kind.LINE, "block", "9")
    store.add(CodeCoverage("abc", {other: 1}), file)
    store.add(CodeCoverage("abc", {BIT: 2, BLOCK: 0, other: 3}), file)
    assert store.load(file).counts == {BIT: 2, BLOCK: 0, other: 4}


@pytest.mark.parametrize(("change", "message"), [
    (lambda c: c.update(schema_version=2), "schema_version: expected 1"),
    (lambda c: c.pop("rtl"), "expected rtl and points"),
    (lambda c: c["points"].clear(), "points: expected points"),
    (lambda c: c["points"].append(c["points"][0]), "points: expected points with counts, each"),
    (lambda c: c["points"][0].pop(), "points: expected points"),
    (lambda c: c["points"][0].__setitem__(-1, -1), "points: expected points"),
    (lambda c: c["points"][0].__setitem__(4, "fsm"), "points: expected points"),
])  # fmt: skip
def test_damaged_file_is_refused(tmp_path, change, message):
    file = tmp_path / "code.json"
    store.save(CodeCoverage("abc", {BIT: 2, BLOCK: 0}), file)
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        store.load(file)


def test_digest_is_of_names_and_texts():
    one = digest_of({"a.v": "x", "b.v": "y"})
    assert one == digest_of({"b.v": "y", "a.v": "x"})
    assert len({one, digest_of({"a.v": "y", "b.v": "x"}), digest_of({"a.v": "x"})}) == 3

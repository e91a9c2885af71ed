"""Coverage adds up, survives a file, and never loses a hole."""

import json

import pytest

from hw.errors import InputError
from sim.coverage import store
from sim.coverage.points import GROUPS
from sim.coverage.store import Coverage


def test_nothing_seen_is_all_missing():
    empty = Coverage()
    assert empty.share == 0
    assert len(empty.missing()) == empty.bins == sum(map(len, GROUPS.values()))


def test_sum_of_two_runs():
    one, two = Coverage(), Coverage()
    one.hit("weight", "zero", 3)
    two.hit("weight", "zero", 4)
    two.hit("image", "square")
    two.declare("joins of abc", ["node input 0, full", "node input 1, full"])
    two.hit("joins of abc", "node input 1, full")
    one.add(two)
    assert one.hits["weight"]["zero"] == 7
    assert one.shares()["joins of abc"] == (1, 2)
    assert ("joins of abc", "node input 0, full") in one.missing()
    assert ("image", "square") not in one.missing()
    assert one.share == pytest.approx(100 * 3 / one.bins)


def test_unknown_bin_is_a_defect():
    with pytest.raises(KeyError):
        Coverage().hit("weight", "2^7")


def test_file_there_and_back(tmp_path):
    coverage = Coverage()
    coverage.hit("classes", "10", 2)
    file = tmp_path / "coverage.json"
    store.add(coverage, file)
    store.add(coverage, file)
    assert store.load(file).hits["classes"]["10"] == 4


@pytest.mark.parametrize(("change", "message"), [
    (lambda c: c.update(schema_version=9), "schema_version: expected 1"),
    (lambda c: c["hits"]["image"].pop("square"), "hits: image: of another version"),
    (lambda c: c["hits"]["image"].update(square=-1), "hits: expected groups of bins"),
    (lambda c: c.pop("hits"), "hits: expected groups of bins"),
])  # fmt: skip
def test_damaged_file_is_refused(tmp_path, change, message):
    file = tmp_path / "coverage.json"
    store.save(Coverage(), file)
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        store.load(file)


def test_no_file_and_no_json(tmp_path):
    with pytest.raises(InputError, match="no such coverage file"):
        store.load(tmp_path / "none.json")
    (tmp_path / "half.json").write_text('{"schema_version": 1, "hi')
    with pytest.raises(InputError, match="cannot be read"):
        store.load(tmp_path / "half.json")

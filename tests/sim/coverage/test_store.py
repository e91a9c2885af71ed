"""Coverage adds up, survives a file, and never loses a hole."""

import json

import pytest

from hw.errors import InputError
from sim.coverage import store
from sim.coverage.group import Group
from sim.coverage.points import groups
from sim.coverage.store import Coverage


def test_nothing_seen_is_all_missing():
    found = Coverage().groups()
    assert {group.name: tuple(group.missing()) for group in found} == groups()


def test_sum_of_two_runs():
    one, two = Coverage(), Coverage()
    one.hit("weight", "zero", 3)
    two.hit("weight", "zero", 4)
    two.hit("image", "square")
    one.networks["abc"] = {"node": Group.of("node", ["full", "empty"])}
    two.networks["abc"] = {"node": Group.of("node", ["full", "empty"])}
    two.networks["abc"]["node"].hit("full")
    two.networks["def"] = {"node": Group.of("node", ["full"])}
    one.add(two)
    one.add(two)
    assert one.hits["weight"]["zero"] == 11
    assert one.hits["image"]["square"] == 2
    assert one.networks["abc"]["node"].hits == {"full": 2, "empty": 0}
    assert one.networks["def"]["node"].missing() == ["full"]
    assert two.networks["def"]["node"].hits == {"full": 0}
    assert one.campaign().networks == {}
    assert one.campaign().hits == one.hits


def test_unknown_bin_is_a_defect():
    with pytest.raises(KeyError):
        Coverage().hit("weight", "2^7")


def test_file_there_and_back(tmp_path):
    coverage = Coverage()
    coverage.hit("classes", "10", 2)
    file = tmp_path / "coverage.json"
    store.add(coverage, file)
    store.add(coverage, file)
    coverage.networks["abc"] = {"node": Group.of("node", ["full", "empty"], {"empty": "alone"})}
    coverage.testbenches["mine"] = Group.of("mine", ["one"])
    coverage.testbenches["mine"].hit("one")
    store.add(coverage, file)
    store.add(coverage, file)
    found = store.load(file)
    assert found.hits["classes"]["10"] == 8
    assert found.networks["abc"]["node"].out_of_reach == {"empty": "alone"}
    assert found.testbenches["mine"].hits == {"one": 2}


@pytest.mark.parametrize(("change", "message"), [
    (lambda c: c.update(schema_version=1), "schema_version: expected 2"),
    (lambda c: c["hits"].update(more={}), "hits: of another version"),
    (lambda c: c.pop("networks"), "networks: expected digests with layers"),
    (lambda c: c.update(testbenches=[]), "testbenches: expected groups"),
    (lambda c: c["testbenches"].update(mine={"hits": {}}), "mine: expected hits and out_of_reach"),
    (lambda c: c["networks"].update(abc={"node": {"hits": {"a": -1}, "out_of_reach": {}}}),
     "node: hits: expected bins with counts"),
    (lambda c: c["networks"].update(abc={"node": {"hits": {"a": 1}, "out_of_reach": {"b": "x"}}}),
     "node: no bin 'b'"),
    (lambda c: c["hits"]["image"].pop("square"), "hits: image: square: of another version"),
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
    (tmp_path / "half.json").write_text('{"schema_version": 2, "hi')
    with pytest.raises(InputError, match="cannot be read"):
        store.load(tmp_path / "half.json")

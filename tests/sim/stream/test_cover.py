"""Cover groups of a testbench: counted, kept, added up."""

import pytest

from hw.errors import CheckFailed, InputError
from sim.coverage import store
from sim.coverage.store import Coverage
from sim.stream import CoverGroup


def test_two_tests_write_one_file(tmp_path):
    file = tmp_path / "coverage.json"
    store.save(Coverage(), file)
    for _ in range(2):
        cover = CoverGroup("classes", ["first", "second", "none"], out_of_reach={"none": "always"})
        cover.hit("first")
        cover.hit("first", 2)
        assert (cover.name, cover.hits["first"], cover.missing()) == ("classes", 3, ["second"])
        cover.save(file)
        cover.save(file)
    group = store.load(file).testbenches["classes"]
    assert group.hits == {"first": 6, "second": 0, "none": 0}
    assert group.out_of_reach == {"none": "always"}


def test_other_bins_under_one_name_are_refused(tmp_path):
    file = tmp_path / "coverage.json"
    CoverGroup("classes", ["first"]).save(file)
    with pytest.raises(InputError, match="coverage: classes: other bins"):
        CoverGroup("classes", ["first", "second"]).save(file)
    assert list(store.load(file).testbenches["classes"].hits) == ["first"]


def test_wrong_bins_are_told():
    cover = CoverGroup("classes", ["first", "none"], out_of_reach={"none": "always"})
    with pytest.raises(KeyError, match="classes: no bin 'third'; it has first, none"):
        cover.hit("third")
    with pytest.raises(CheckFailed, match="classes: none: was hit"):
        cover.hit("none")
    with pytest.raises(ValueError, match="expected bins, each once"):
        CoverGroup("classes", [])

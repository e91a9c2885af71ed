"""Bins of one thing: what is out of reach is shown, not asked for, and must not be hit."""

import pytest

from hw.errors import CheckFailed, InputError
from sim.coverage.group import Group


def made() -> Group:
    return Group.of("node", ["low", "high", "beyond"], {"beyond": "no sum gets there"})


def test_out_of_reach_is_not_asked_for():
    group = made()
    group.hit("low", 3)
    assert (group.hit_bins, group.reachable) == (1, 2)
    assert group.missing() == ["high"]
    group.hit("beyond", 0)
    assert group.missing() == ["high"]


def test_a_hit_out_of_reach_is_an_error():
    with pytest.raises(CheckFailed, match=r"node: beyond: was hit.*\(no sum gets there\)"):
        made().hit("beyond")
    content = made().as_dict()
    content["hits"]["beyond"] = 1
    with pytest.raises(CheckFailed, match="said to be out of reach"):
        Group.from_dict("node", content)


def test_sum_and_way_through_a_file():
    one, two = made(), made()
    one.hit("low")
    two.hit("low", 2)
    one.add(Group.from_dict("node", two.as_dict()))
    assert one.hits == {"low": 3, "high": 0, "beyond": 0}
    with pytest.raises(InputError, match="node: other bins"):
        one.add(Group.of("node", ["low", "high", "beyond"]))
    with pytest.raises(InputError, match="node: other bins"):
        one.add(Group.of("node", ["low"]))


def test_bins_are_there_once():
    with pytest.raises(ValueError, match="expected bins, each once; got none"):
        Group.of("node", [])
    with pytest.raises(ValueError, match="each once; got a, a"):
        Group.of("node", ["a", "a"])
    with pytest.raises(ValueError, match="no bin 'b'"):
        Group.of("node", ["a"], {"b": "why"})
    with pytest.raises(KeyError, match="no bin 'lower'; it has low, high, beyond"):
        made().hit("lower")
